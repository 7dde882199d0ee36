"""The volatile file that all workers share: failed guesses (`guesses`), proven passwords, and the rounds of devices.

A small SQLite file of its own without fsync: an anonymous client must not fill the queue of the real database's writer.
It never fails a request: a row that cannot be read counts as missing, one that cannot be written is lost, and a broken
file is put aside and made anew. Failed guesses that cannot be written are counted by each worker for itself: a full
disk is no licence to guess. A copy of the file does not let passwords be tried faster than the hashes of the real
database do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from davstore.metadata import guesses
from davstore.metadata.guesses import Guess, Pace
from davstore.model.rounds import Round

T = TypeVar("T")

KEEP_ROUNDS_US = 366 * 86_400_000_000
"""As long as the longest interval that a rule can ask for."""
WRITE_US = 60_000_000
"""The last sight of a device goes to the database at most once a minute."""

_SCHEMA = f"""
{guesses.SCHEMA}
CREATE TABLE IF NOT EXISTS proof (user INTEGER PRIMARY KEY, mark BLOB NOT NULL);
DROP TABLE IF EXISTS round;
CREATE TABLE IF NOT EXISTS sync_round (
    device TEXT NOT NULL, scope TEXT NOT NULL, started_us INTEGER NOT NULL, free TEXT NOT NULL,
    PRIMARY KEY (device, scope)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sync_round_started ON sync_round (started_us);
CREATE TABLE IF NOT EXISTS written (device TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
"""
_DUE = """
INSERT INTO written VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET at_us = excluded.at_us
WHERE abs(excluded.at_us - at_us) >= ?
"""
_WRITTEN = "SELECT at_us FROM written WHERE device = ?"
_MOST_KNOWN = 10_000
"""Keys of writes whose last time one worker remembers."""

log = logging.getLogger("davstore.throttle")


class VolatileFile:
    """The file, opened on first use."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.Lock()

    def run(self, work: Callable[[sqlite3.Connection], T], *, otherwise: T) -> T:
        """Run work in a transaction of its own and return its value; otherwise, when the file fails."""
        try:
            with self._turn:
                if self._connection is None:
                    self._connection = self._open()
                with self._connection as connection:
                    return work(connection)
        except sqlite3.Error as error:
            log.warning("the throttle's file: %s", error)
            return otherwise

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            aside = f"{self._file}.broken-{time.time_ns()}"  # it may be another's file
            log.warning("the throttle's file is broken, is put aside as %s and made anew: %s", aside, error)
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self._file}{suffix}").rename(f"{aside}{suffix}")
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=5, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


class FailedGuesses:
    """Failed sign-ins, and the networks that users signed in from (`guesses`)."""

    def __init__(self, file: VolatileFile, pace: Pace) -> None:
        self._file = file
        self._pace = pace
        self._spare: sqlite3.Connection | None = None
        """Counts, for this worker alone, failures that the file does not take."""
        self._turn = threading.Lock()

    def wait_seconds(self, guess: Guess, *, is_known: bool = False) -> int:
        """Return how long to wait before this guess is judged; 0: not at all. is_known: see `is_known`."""

        def wait_us(connection: sqlite3.Connection) -> int:
            return guesses.find_wait_us(connection, guess, self._pace, is_known=is_known)

        with self._turn:
            spare_us = wait_us(self._spare) if self._spare else 0
        return -(-max(spare_us, self._file.run(wait_us, otherwise=0)) // 1_000_000)

    def is_repeated(self, guess: Guess, mark: bytes) -> bool:
        """Tell whether the password of this mark was judged before, of this account and network, and was wrong."""
        return self._file.run(lambda connection: guesses.is_repeated(connection, guess, mark), otherwise=False)

    def record(self, guess: Guess, mark: bytes = b"", trace: bytes = b"") -> bool:
        """Count a failed guess; False: it had been made before.

        A mark identifies a password cheaply and needs a key that the file does not have; a trace identifies it after a
        restart too, and takes a hash to make. Without a trace every guess is a new one.
        """

        def count(connection: sqlite3.Connection) -> bool:
            return guesses.record_failure(connection, guess, mark, trace)

        def count_here() -> bool:
            with self._turn:
                if self._spare is None:
                    self._spare = sqlite3.connect(":memory:", check_same_thread=False)
                    self._spare.executescript(guesses.SCHEMA)
                return count(self._spare)

        counted = self._file.run(count, otherwise=None)
        return count_here() if counted is None else counted

    def is_known(self, user_id: int, version: int, guess: Guess) -> bool:
        """Tell whether a user signed in from this network, with the password that it has now, in the last 90 days."""
        return self._file.run(lambda connection: guesses.is_known(connection, user_id, version, guess), otherwise=False)

    def record_known(self, user_id: int, version: int, guess: Guess) -> None:
        """Remember that a user signed in from this network."""
        self._file.run(lambda connection: guesses.record_known(connection, user_id, version, guess), otherwise=None)

    def close(self) -> None:
        """Forget the failures that were counted here alone."""
        with self._turn:
            if self._spare is not None:
                self._spare.close()
            self._spare = None


class ProvenPasswords:
    """The mark of the password that each user proved to know last."""

    def __init__(self, file: VolatileFile) -> None:
        self._file = file

    def find(self, user_id: int) -> bytes:
        """Return the mark of a user; empty when there is none."""

        def find(connection: sqlite3.Connection) -> bytes:
            row = connection.execute("SELECT mark FROM proof WHERE user = ?", (user_id,)).fetchone()
            return bytes(row[0]) if row else b""

        return self._file.run(find, otherwise=b"")

    def record(self, user_id: int, mark: bytes, guess: Guess) -> None:
        """Remember the mark of a password that a user proved to know, and forget its failures before."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO proof VALUES (?, ?)", (user_id, mark))
            guesses.forgive(connection, guess)

        self._file.run(record, otherwise=None)


class Rounds:
    """The last accepted round of each device in each scope."""

    def __init__(self, file: VolatileFile) -> None:
        self._file = file

    def find(self, device_id: str, scope: str) -> Round | None:
        """Return the last accepted round of a device in a scope."""

        def find(connection: sqlite3.Connection) -> Round | None:
            row = connection.execute(
                "SELECT started_us, free FROM sync_round WHERE device = ? AND scope = ?", (device_id, scope)
            ).fetchone()
            return Round(row[0], tuple((token, left) for token, left in json.loads(row[1]))) if row else None

        return self._file.run(find, otherwise=None)

    def record(self, device_id: str, scope: str, accepted: Round) -> None:
        """Remember the last accepted round of a device in a scope."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sync_round WHERE started_us <= ?", (accepted.started_us - KEEP_ROUNDS_US,))
            values = (device_id, scope, accepted.started_us, json.dumps(accepted.free))
            connection.execute("INSERT OR REPLACE INTO sync_round VALUES (?, ?, ?, ?)", values)

        self._file.run(record, otherwise=None)


class WritePacing:
    """The pacing of writes about devices to the real database, by keys: a device, or one of its decisions."""

    def __init__(self, file: VolatileFile) -> None:
        self._file = file
        self._written: dict[str, int] = {}
        """The last time of a key, as far as this worker knows: most questions need no more."""

    def is_due(self, key: str, *, now_us: int) -> bool:
        """Tell whether what a key stands for is to go to the database now: once a minute."""
        if abs(now_us - self._written.get(key, -WRITE_US)) < WRITE_US:
            return False

        def take(connection: sqlite3.Connection) -> tuple[bool, int]:
            is_due = connection.execute(_DUE, (key, now_us, WRITE_US)).rowcount > 0
            return is_due, now_us if is_due else connection.execute(_WRITTEN, (key,)).fetchone()[0]

        is_due, at_us = self._file.run(take, otherwise=(False, -WRITE_US))
        if len(self._written) >= _MOST_KNOWN:
            self._written.clear()
        self._written[key] = at_us
        return is_due


class Throttle:
    """One file and its four uses."""

    def __init__(self, file: Path, *, failures_before_delay: int = 10, delay_seconds: int = 30) -> None:
        self._file = VolatileFile(file)
        self.guesses = FailedGuesses(self._file, Pace(failures_before_delay, delay_seconds))
        self.proofs = ProvenPasswords(self._file)
        self.rounds = Rounds(self._file)
        self.pacing = WritePacing(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.guesses.close()
