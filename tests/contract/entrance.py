"""Signing in, for the tests of credentials and of guessing."""

from __future__ import annotations

import itertools
import secrets
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from davstore.errors import Throttled, Unauthenticated
from davstore.metadata import principals, stores
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit
from davstore.metadata.volatile import Throttle
from davstore.model.principals import Asker, Principal
from davstore.protocol.http.authorization import Basic, Bearer
from davstore.store.authenticating import Authenticator
from davstore.store.hashing import Passwords

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
HOME, AWAY, AFAR = "192.0.2.7", "203.0.113.9", "198.51.100.3"
CHEAP = PasswordHasher(1, 8, 1).hash("correct horse")
RIGHT = Basic("alice", "correct horse")


class Entrance:
    """Authenticators of two workers on one database and one throttle file, with a clock that stands still."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.now_us = NOW
        self._directory = directory
        self._wrong = (f"wrong {number}" for number in itertools.count())
        self.add_users("alice")
        self.throttles: list[Throttle] = []
        self.restart()

    def restart(self) -> None:
        """Begin anew with what is on the disk, and another key."""
        self.close()
        self.throttles = [Throttle(self._directory / "throttle.sqlite") for _ in range(2)]
        key = secrets.token_bytes(32)
        self.workers = [Authenticator(self.database, one, Passwords(), key=key) for one in self.throttles]

    def close(self) -> None:
        """Close the throttle's file."""
        for throttle in self.throttles:
            throttle.close()

    def enter(self, credentials: Basic | Bearer, *, address: str = HOME, worker: int = 0) -> Principal:
        """Sign in as a user."""
        found = self.admit(credentials, address=address, worker=worker)
        assert isinstance(found, Principal)
        return found

    def admit(self, credentials: Basic | Bearer, *, address: str = HOME, worker: int = 0) -> Asker:
        """Sign in."""
        return self.workers[worker].authenticate(credentials, address=address, now_us=self.now_us)

    def opens(self, credentials: Basic | Bearer, *, address: str = HOME, worker: int = 0) -> bool:
        """Tell whether one may sign in at once."""
        try:
            self.enter(credentials, address=address, worker=worker)
        except Throttled:
            return False
        return True

    def guess(self, user: str = "alice", *, address: str = HOME) -> bool:
        """Try a wrong password that was not tried before. Tell whether it was judged."""
        try:
            self.enter(Basic(user, next(self._wrong)), address=address)
        except Throttled:
            return False
        except Unauthenticated:
            return True
        raise AssertionError("a wrong password opens")

    def fail(self, times: int, *, user: str = "alice", address: str = HOME) -> None:
        """Guess so often without being held up."""
        for _ in range(times):
            assert self.guess(user, address=address)

    def wait_seconds(self, credentials: Basic | Bearer, *, address: str = HOME) -> int:
        """Return what one is told to wait."""
        with pytest.raises(Throttled) as caught:
            self.enter(credentials, address=address)
        return caught.value.retry_after_seconds

    def add_users(self, *names: str) -> None:
        """Add users with alice's password; its hash takes next to no time, as tests judge it a thousand times."""

        def add(unit: Unit) -> None:
            for name in names:
                store_id = stores.create(unit, name, now_us=NOW, quota_bytes=None)
                principals.add_user(unit, name, password_hash=CHEAP, store_id=store_id, now_us=NOW)

        self.database.write(add)
