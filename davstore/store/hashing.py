"""Human passwords as argon2id hashes, at most a few at a time.

One hash takes 19 MiB and some 24 ms of a core: without the bound, guessing would take the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import hash_secret

from davstore.errors import Unavailable

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
AT_A_TIME = 2
PATIENCE_SECONDS = 10.0
TRACE_BYTES = 16

DUMMY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"
"""The hash of no password: to verify against it takes as long as against a real one."""


class Passwords:
    """Makes and judges hashes for one process."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._slots = threading.BoundedSemaphore(AT_A_TIME)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for one of the slots in which a hash may be judged.

        Raises:
            Unavailable: there were too many before.
        """
        if not self._slots.acquire(timeout=PATIENCE_SECONDS):
            raise Unavailable("too many sign-ins at once")
        try:
            yield
        finally:
            self._slots.release()

    def hash(self, password: str) -> str:
        """Return a new salted hash of a password, with its parameters in it."""
        return self._hasher.hash(password)

    def judge(self, password_hash: str, password: str) -> tuple[bool, bytes]:
        """Return whether a password is that of a hash, and a trace of it: a digest of the hash that it makes.

        To guess a password from its trace takes one hash for each that is tried. To be called in a slot.
        """
        try:
            found = extract_parameters(password_hash)
            salt = password_hash.split("$")[4]
            made = hash_secret(
                password.encode(),
                b64decode(salt + "=" * (-len(salt) % 4), validate=True),
                time_cost=found.time_cost,
                memory_cost=found.memory_cost,
                parallelism=found.parallelism,
                hash_len=found.hash_len,
                type=found.type,
                version=found.version,
            )
        except (Argon2Error, InvalidHashError, ValueError):
            return False, b""
        return hmac.compare_digest(made, password_hash.encode()), hashlib.sha256(made).digest()[:TRACE_BYTES]
