"""Failed sign-ins in the throttle's file: by account and network together, in which a guesser differs from the owner.

An account as a whole, or a network as a whole, is delayed only where many take part: ten networks that fail at one
account, or ten accounts that fail from one network. A user who signed in from a network before is not delayed by the
failures of others; a guesser there is slowed down by the pair's own failures.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from davstore.model.networks import site_of

MANY: Final = 10
"""Accounts that failed from one network without signing in afterwards, or networks that failed at one account, within a
day. So a network can try one password each at nine accounts, or ninety in all, before it is taken for a guesser."""
FORGET_US: Final = 86_400_000_000
"""Failures are forgotten after a day without one: longer than any delay, or waiting would buy ten new guesses."""
LONGEST_DELAY_SECONDS: Final = 900
"""About a hundred guesses a day for one account from one network; the failures of others delay no pair for longer."""
MOST_WRONG: Final = 100_000
"""Wrong passwords that are remembered, 10 MB; the oldest go first, and count once more when they come again."""
KNOWN_NETWORKS: Final = 64
KNOWN_US: Final = 90 * FORGET_US
"""A user's networks that are remembered, and how long after the last sign-in."""
REFRESH_US: Final = 3_600_000_000

SCHEMA: Final = """
DROP TABLE IF EXISTS guess;
CREATE TABLE IF NOT EXISTS failure (
    account TEXT, network TEXT, failures INTEGER NOT NULL, last_us INTEGER NOT NULL, PRIMARY KEY (account, network)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS failure_account ON failure (account, last_us, failures);
CREATE INDEX IF NOT EXISTS failure_network ON failure (network, last_us, failures);
CREATE INDEX IF NOT EXISTS failure_last ON failure (last_us);
CREATE TABLE IF NOT EXISTS wrong (
    account TEXT NOT NULL, network TEXT NOT NULL, mark BLOB NOT NULL, trace BLOB NOT NULL, last_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS wrong_pair ON wrong (account, network);
CREATE INDEX IF NOT EXISTS wrong_last ON wrong (last_us);
CREATE TABLE IF NOT EXISTS ticket (
    account TEXT, site TEXT, asked_us INTEGER NOT NULL, is_used INTEGER NOT NULL, PRIMARY KEY (account, site)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ticket_asked ON ticket (asked_us);
CREATE TABLE IF NOT EXISTS known (
    user INTEGER, network TEXT, version INTEGER NOT NULL, seen_us INTEGER NOT NULL, PRIMARY KEY (user, network)
) WITHOUT ROWID;
"""
_COUNT: Final = """
INSERT INTO failure VALUES (?, ?, 1, ?)
ON CONFLICT (account, network) DO UPDATE SET failures = failures + 1, last_us = excluded.last_us
"""
_MANY_OF: Final = """
SELECT count(*), sum(failures), max(last_us) FROM (
    SELECT failures, last_us FROM failure WHERE {} = ? AND last_us > ? AND last_us <= ? ORDER BY last_us DESC LIMIT ?
)
"""
_OF_ACCOUNT: Final = _MANY_OF.format("account")
_OF_NETWORK: Final = _MANY_OF.format("network")
_FORGET: Final = (
    "DELETE FROM failure WHERE last_us <= ?",
    "DELETE FROM wrong WHERE last_us <= ?",
    "DELETE FROM ticket WHERE asked_us <= ?",
)
_FORGET_NETWORKS: Final = """
DELETE FROM known WHERE user = ?1 AND (
    seen_us <= ?2 OR network NOT IN (SELECT network FROM known WHERE user = ?1 ORDER BY seen_us DESC LIMIT ?3)
)
"""


class Guess(NamedTuple):
    """One attempt to sign in. account is a digest of the name, '' without one; network '' for a local socket."""

    account: str
    network: str
    now_us: int


class Pace(NamedTuple):
    """The wait after a number of failures: from the last one that is free on, each time twice as long."""

    failures_before_delay: int
    delay_seconds: int

    def wait_us(self, failures: int) -> int:
        """Return microseconds."""
        over = failures - self.failures_before_delay
        if over < 0:
            return 0
        longest = max(LONGEST_DELAY_SECONDS, self.delay_seconds)
        return min(self.delay_seconds << min(over, 16), longest) * 1_000_000


def find_wait_us(connection: sqlite3.Connection, guess: Guess, pace: Pace, *, is_known: bool) -> int:
    """Return how long this account has to wait in this network; is_known: it signed in from there before."""
    row = connection.execute(
        "SELECT failures, last_us FROM failure WHERE account = ? AND network = ?", guess[:2]
    ).fetchone()
    failures, last_us = row if row and _is_of_today(row[1], guess) else (0, 0)
    free_us = [guess.now_us, last_us + pace.wait_us(failures)]
    if guess.network and not is_known:
        number, together, last_us = _count(connection, _OF_NETWORK, guess.network, guess, pace)
        if number >= MANY:
            free_us.append(last_us + pace.wait_us(together))
    if guess.account and not is_known:
        number, together, last_us = _count(connection, _OF_ACCOUNT, guess.account, guess, pace)
        if number >= MANY:
            wait_us = pace.wait_us(together)
            free_us.append(last_us + wait_us)
            asked_us = _take_ticket(connection, guess) if not failures and free_us[-1] > guess.now_us else None
            if asked_us is not None:
                free_us[-1] = min(free_us[-1], asked_us + wait_us)
    return max(free_us) - guess.now_us


def _is_of_today(at_us: int, guess: Guess) -> bool:
    return 0 <= guess.now_us - at_us < FORGET_US


def _count(connection: sqlite3.Connection, statement: str, of: str, guess: Guess, pace: Pace) -> tuple[int, int, int]:
    """Return how many pairs failed, how often, and when last. It stops counting where the wait is longest."""
    enough = max(MANY, pace.failures_before_delay) + 16
    row = connection.execute(statement, (of, guess.now_us - FORGET_US, guess.now_us, enough)).fetchone()
    return row[0], row[1] or 0, row[2] or 0


def _take_ticket(connection: sqlite3.Connection, guess: Guess) -> int | None:
    """Return when this site first asked for an account that many others guess at; None: it has used its own guess.

    The others would take every turn: a site that has not failed gets one of its own after the wait it was given.
    """
    place = guess.account, site_of(guess.network)
    row = connection.execute("SELECT asked_us, is_used FROM ticket WHERE account = ? AND site = ?", place).fetchone()
    if row and _is_of_today(row[0], guess):
        return None if row[1] else int(row[0])
    connection.execute("INSERT OR REPLACE INTO ticket VALUES (?, ?, ?, 0)", (*place, guess.now_us))
    return guess.now_us


def is_repeated(connection: sqlite3.Connection, guess: Guess, mark: bytes) -> bool:
    """Tell whether this pair sent the password of a mark before, and it was wrong."""
    row = connection.execute(
        "SELECT rowid, last_us FROM wrong WHERE account = ? AND network = ? AND mark = ?", (*guess[:2], mark)
    ).fetchone()
    if row and abs(guess.now_us - row[1]) >= REFRESH_US:
        connection.execute("UPDATE wrong SET last_us = ? WHERE rowid = ?", (guess.now_us, row[0]))
    return row is not None


def record_failure(connection: sqlite3.Connection, guess: Guess, mark: bytes, trace: bytes) -> bool:
    """Count a failed guess; False: it is one that the pair has made before, by its trace, and only its mark is new."""
    for statement in _FORGET:
        connection.execute(statement, (guess.now_us - FORGET_US,))
    again = connection.execute(
        "UPDATE wrong SET mark = ?, last_us = ? WHERE account = ? AND network = ? AND trace = ? AND trace <> x''",
        (mark, guess.now_us, *guess[:2], trace),
    )
    if again.rowcount:
        return False
    connection.execute(_COUNT, guess)
    connection.execute(
        "UPDATE ticket SET is_used = 1 WHERE account = ? AND site = ?", (guess.account, site_of(guess.network))
    )
    connection.execute("INSERT INTO wrong VALUES (?, ?, ?, ?, ?)", (*guess[:2], mark, trace, guess.now_us))
    connection.execute("DELETE FROM wrong WHERE rowid <= (SELECT max(rowid) FROM wrong) - ?", (MOST_WRONG,))
    return True


def forgive(connection: sqlite3.Connection, guess: Guess) -> None:
    """Forget the failures of a pair that has signed in: they were its owner's."""
    connection.execute("DELETE FROM failure WHERE account = ? AND network = ?", guess[:2])


def is_known(connection: sqlite3.Connection, user_id: int, version: int, guess: Guess) -> bool:
    """Tell whether a user signed in from this network with the credentials of this version."""
    row = connection.execute(
        "SELECT seen_us FROM known WHERE user = ? AND network = ? AND version = ?", (user_id, guess.network, version)
    ).fetchone()
    return row is not None and guess.now_us - row[0] < KNOWN_US


def record_known(connection: sqlite3.Connection, user_id: int, version: int, guess: Guess) -> None:
    """Remember that a user signed in from this network. No password can be derived from that."""
    connection.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", (user_id, guess.network, version, guess[2]))
    connection.execute(_FORGET_NETWORKS, (user_id, guess.now_us - KNOWN_US, KNOWN_NETWORKS))
