"""A piece of work that a process does later, and how long the next attempt waits when one has failed."""

from __future__ import annotations

from typing import NamedTuple

LONGEST_WAIT_US = 3_600_000_000


class Job(NamedTuple):
    """A job as one process has claimed it. store_id 0: it is the whole server's. Times are microseconds.

    attempts counts this one too. The lease that was given distinguishes this claim from any later one.
    """

    store_id: int
    id: int
    kind: str
    node_id: int | None
    payload: str
    due_us: int
    attempts: int
    leased_until_us: int


def find_wait_us(attempts: int) -> int:
    """Return how long to wait after so many attempts that failed: a second, two, four, at most an hour."""
    return min(1_000_000 << min(attempts - 1, 12), LONGEST_WAIT_US)
