"""What all workers must know at once and nobody misses after a crash: failed guesses, whose password was proven, and
the rounds of devices.

A small SQLite file of its own without fsync (DECISIONS 23, 35): an anonymous client must not fill the queue of the real
database's writer. It is never in the way of a request: what cannot be read counts as not there, what cannot be written
is lost, and a broken file is put aside and made anew. Failed guesses that cannot be written each worker counts for
itself: a full disk is no licence to guess.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from davstore.model.rounds import Round

T = TypeVar("T")

FORGET_US = 86_400_000_000
"""Failures are forgotten after a day without one: longer than any delay, or waiting would buy ten new guesses."""
LONGEST_DELAY_SECONDS = 900
"""About a hundred guesses a day for one key; the owner of a guessed account waits no longer than this."""
KEEP_ROUNDS_US = 366 * 86_400_000_000
"""As long as the longest interval that a rule can ask for."""
WRITE_US = 60_000_000
"""What is seen of a device goes to the database at most once a minute."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS guess (key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS guess_last ON guess (last_us);
CREATE TABLE IF NOT EXISTS proof (user INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS round (
    device TEXT NOT NULL, scope TEXT NOT NULL, started_us INTEGER NOT NULL, tokens TEXT NOT NULL,
    PRIMARY KEY (device, scope)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS round_started ON round (started_us);
CREATE TABLE IF NOT EXISTS written (device TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
"""
_FAILURE = """
INSERT INTO guess VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET failures = failures + 1, last_us = excluded.last_us
"""
_DUE = """
INSERT INTO written VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET at_us = excluded.at_us
WHERE abs(excluded.at_us - at_us) >= ?
"""

log = logging.getLogger("davstore.throttle")


class Throttle:
    """The file, opened on first use. After failures_before_delay failures each key waits, every time twice as long."""

    def __init__(self, file: Path, *, failures_before_delay: int = 10, delay_seconds: int = 30) -> None:
        self._file = file
        self._failures_before_delay = failures_before_delay
        self._delay_seconds = delay_seconds
        self._connection: sqlite3.Connection | None = None
        self._spare: sqlite3.Connection | None = None
        self._turn = threading.Lock()

    def wait_seconds(self, keys: Sequence[str], *, now_us: int) -> int:
        """Return how long whoever has one of keys must wait before the next guess; 0: not at all."""

        def longest(connection: sqlite3.Connection) -> int:
            waits = [0]
            for key in keys:
                row = connection.execute("SELECT failures, last_us FROM guess WHERE key = ?", (key,)).fetchone()
                if row and 0 <= now_us - row[1] < FORGET_US:
                    left_us = row[1] + self._delay_after(row[0]) * 1_000_000 - now_us
                    waits.append(-(-left_us // 1_000_000))
            return max(waits)

        with self._turn:
            spare = longest(self._spare) if self._spare else 0
        return max(spare, self._run(longest, otherwise=0))

    def record_failure(self, keys: Sequence[str], *, now_us: int) -> None:
        """Count a failed guess for each of keys."""

        def count(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM guess WHERE last_us <= ?", (now_us - FORGET_US,))
            connection.executemany(_FAILURE, [(key, now_us) for key in keys])
            return True

        if not self._run(count, otherwise=False):
            with self._turn:
                if self._spare is None:
                    self._spare = sqlite3.connect(":memory:", check_same_thread=False)
                    self._spare.executescript(_SCHEMA)
                count(self._spare)

    def find_proof(self, user_id: int) -> bytes:
        """Return the mark of the password that a user proved to know last; empty when there is none."""

        def find(connection: sqlite3.Connection) -> bytes:
            row = connection.execute("SELECT mark FROM proof WHERE user = ?", (user_id,)).fetchone()
            return bytes(row[0]) if row else b""

        return self._run(find, otherwise=b"")

    def record_proof(self, user_id: int, mark: bytes) -> None:
        """Remember the mark of a password that a user proved to know."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO proof VALUES (?, ?)", (user_id, mark))

        self._run(record, otherwise=None)

    def find_round(self, device_id: str, scope: str) -> Round | None:
        """Return the last accepted round of a device in a scope."""

        def find(connection: sqlite3.Connection) -> Round | None:
            row = connection.execute(
                "SELECT started_us, tokens FROM round WHERE device = ? AND scope = ?", (device_id, scope)
            ).fetchone()
            return Round(row[0], tuple(json.loads(row[1]))) if row else None

        return self._run(find, otherwise=None)

    def record_round(self, device_id: str, scope: str, accepted: Round) -> None:
        """Remember the last accepted round of a device in a scope."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM round WHERE started_us <= ?", (accepted.started_us - KEEP_ROUNDS_US,))
            values = (device_id, scope, accepted.started_us, json.dumps(accepted.tokens))
            connection.execute("INSERT OR REPLACE INTO round VALUES (?, ?, ?, ?)", values)

        self._run(record, otherwise=None)

    def is_due(self, device_id: str, *, now_us: int) -> bool:
        """Tell, once a minute for each device, that what was seen of it should go to the database."""
        return self._run(
            lambda connection: connection.execute(_DUE, (device_id, now_us, WRITE_US)).rowcount > 0, otherwise=False
        )

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            for connection in (self._connection, self._spare):
                if connection is not None:
                    connection.close()
            self._connection = self._spare = None

    def _delay_after(self, failures: int) -> int:
        over = failures - self._failures_before_delay
        if over < 0:
            return 0
        return min(self._delay_seconds << min(over, 16), max(LONGEST_DELAY_SECONDS, self._delay_seconds))

    def _run(self, work: Callable[[sqlite3.Connection], T], *, otherwise: T) -> T:
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
