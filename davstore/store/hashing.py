"""Human passwords as argon2id hashes, at most a few at a time.

One hash takes 19 MiB and some 24 ms of a core: without the bound, guessing would take the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from davstore.errors import Unavailable

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
AT_A_TIME = 2
PATIENCE_SECONDS = 10.0

DUMMY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"
"""No password's hash: to verify against it takes as long as against a real one."""


class Passwords:
    """Makes and judges hashes for one process."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._places = threading.BoundedSemaphore(AT_A_TIME)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for one of the places in which a hash may be judged.

        Raises:
            Unavailable: there were too many before.
        """
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise Unavailable("too many sign-ins at once")
        try:
            yield
        finally:
            self._places.release()

    def hash(self, password: str) -> str:
        """Return a new salted hash of a password, with its parameters in it."""
        return self._hasher.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether a password is that of a hash. To be called in a place."""
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
