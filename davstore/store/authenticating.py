"""From credentials to a principal: the one way in for every entrance (DECISIONS 22, 35; RELIABILITY promise 9).

The rows of user and device are read on each request, so a change of password, a revocation and a disabled user count
at once in every worker. What is remembered saves the hash only.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

from davstore.errors import Throttled, Unauthenticated
from davstore.metadata import principals
from davstore.metadata.engine import Database
from davstore.metadata.principals import Credentials
from davstore.metadata.throttle import Throttle
from davstore.model.networks import network_of
from davstore.model.principals import Principal, User
from davstore.protocol.authorization import Basic, Bearer
from davstore.store.hashing import DUMMY, Passwords

_SECRET = re.compile(r"dvs_([0-9a-f]{16})_[0-9a-f]{64}")
_NO_DIGEST = "0" * 64
_ADDRESS_LENGTH = 64
"""No address is longer, with its zone; a forwarded one may be anything."""


def new_secret() -> tuple[str, str]:
    """Return the id and the whole text of a new device secret, `dvs_<id>_<256 bits>`."""
    device_id = secrets.token_hex(8)
    return device_id, f"dvs_{device_id}_{secrets.token_hex(32)}"


def digest(secret: str) -> str:
    """Return what is stored of a device secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class _Guess(NamedTuple):
    """Who tries to sign in, as whom, and when."""

    name: str | None
    address: str
    now_us: int

    @property
    def keys(self) -> list[str]:
        """What failures are counted by: the account, whether it exists or not, and the network of the client."""
        network = network_of(self.address[:_ADDRESS_LENGTH])
        keys = [] if network is None else [f"network {network}"]
        return keys if self.name is None else [f"account {hashlib.sha256(self.name.encode()).hexdigest()}", *keys]


class Authenticator:
    """Judges credentials. Those with the same key know of each other which passwords were proven.

    The key is in memory only: without it a mark in the throttle's file is no hash to guess passwords with.
    """

    def __init__(
        self, database: Database, throttle: Throttle, passwords: Passwords, *, key: bytes | None = None
    ) -> None:
        self._database = database
        self._throttle = throttle
        self._passwords = passwords
        self._key = key or secrets.token_bytes(32)
        self._proven: dict[int, bytes] = {}

    def authenticate(self, credentials: Basic | Bearer, *, address: str, now_us: int) -> Principal:
        """Return who it is. A password may be a device's secret; a bearer token must be one. address is the client's.

        Whoever proves to know a valid secret, or a password that was verified before, is never delayed.

        Raises:
            Unauthenticated: no such user, no such device, the wrong secret, a user disabled, a device revoked.
            Throttled: too many failures for this user or from this network; nothing was judged.
        """
        secret = credentials.token if isinstance(credentials, Bearer) else credentials.password
        name = credentials.user if isinstance(credentials, Basic) else None
        guess = _Guess(name, address, now_us)
        match = _SECRET.fullmatch(secret)
        if match:
            return self._by_secret(match[1], secret, guess)
        if name is None:
            raise self._failure(guess)
        return Principal(self._by_password(name, secret, guess))

    def _by_secret(self, device_id: str, secret: str, guess: _Guess) -> Principal:
        found = self._database.look(lambda unit: principals.find_enrolled(unit, device_id))
        right = hmac.compare_digest(digest(secret), found.secret_sha256 if found else _NO_DIGEST)
        if not found or not right or guess.name not in (None, found.user.name):
            raise self._failure(guess)
        if found.device.revoked or found.user.disabled:  # no guess: it does not count as one
            raise Unauthenticated("the device is revoked or its user disabled")
        return Principal(found.user, found.device)

    def _by_password(self, name: str, password: str, guess: _Guess) -> User:
        found = self._database.look(lambda unit: principals.find_credentials(unit, name))
        user_id, mark = found.user.id if found else 0, self._mark(found, password)
        if found and hmac.compare_digest(self._proven.get(user_id, b""), mark):
            return found.user
        with self._passwords.place():
            # Another request, here or in another worker, may have proven it.
            if not hmac.compare_digest(self._throttle.find_proof(user_id), mark):
                self._verify(found, password, guess)
        if found is None or found.user.disabled:  # told and counted like a wrong guess: nobody learns that it was right
            raise self._failure(guess)
        self._proven[user_id] = mark
        self._throttle.record_proof(user_id, mark)
        return found.user

    def _verify(self, found: Credentials | None, password: str, guess: _Guess) -> None:
        """Raise unless the password is right. Throttled is judged in the place: no burst of guesses runs past it."""
        if wait_seconds := self._throttle.wait_seconds(guess.keys, now_us=guess.now_us):
            raise Throttled(wait_seconds)
        right = self._passwords.verify(found.password_hash if found else DUMMY, password)
        if not right or not found:
            raise self._failure(guess)

    def _failure(self, guess: _Guess) -> Unauthenticated | Throttled:
        """Count a failed guess and return the error to raise."""
        if wait_seconds := self._throttle.wait_seconds(guess.keys, now_us=guess.now_us):
            return Throttled(wait_seconds)
        self._throttle.record_failure(guess.keys, now_us=guess.now_us)
        return Unauthenticated("no such user or device, or the wrong secret")

    def _mark(self, found: Credentials | None, password: str) -> bytes:
        """Return what a proven password is remembered by. It fits only this row: hash and version are in it."""
        row = f"{found.user.id} {found.user.version} {found.password_hash}" if found else ""
        return hashlib.blake2b(f"{row}\0{password}".encode(), digest_size=32, key=self._key).digest()
