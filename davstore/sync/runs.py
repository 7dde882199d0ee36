"""Rows in the order of their keys, many at a time, and the one place where the stages of a report are merged.

A key is (number, tie, changed); RFC 6578 asks for no order, a page needs one. A member that changed by itself has the
number of that change. One that a moved collection carried along has the number of the move and its parent for a tie,
and comes before the moved collection itself. One that is gone has the number at which its URL last ceased to name
something, parents before children in the tie. A key never sinks while its row is still to be given.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from davstore.metadata.changed_members import Batch
from davstore.model.changes import Key, Removed


class Arrived(NamedTuple):
    """Members that are there; carried along at `fresh`, or 0: they changed by themselves."""

    rows: Batch
    fresh: int = 0

    def key(self, index: int) -> Key:
        """Return the key of a row."""
        changed = self.rows.changed[index]
        return (self.fresh, self.rows.parents[index], changed) if self.fresh else (changed, 0, changed)

    def first(self, count: int) -> Arrived:
        """Return so many rows of it."""
        return Arrived(self.rows.cut(0, count), self.fresh)


class Departed(NamedTuple):
    """URLs that are gone, each with its key."""

    rows: list[tuple[Key, Removed]]

    def key(self, index: int) -> Key:
        """Return the key of a row."""
        return self.rows[index][0]

    def first(self, count: int) -> Departed:
        """Return so many rows of it."""
        return Departed(self.rows[:count])


Run = Arrived | Departed


class Due(NamedTuple):
    """Rows that share a number, in their order; they are made when they are taken."""

    number: int
    runs: Iterator[Run]


def in_order(changed: Iterator[Arrived], due: Iterator[Due]) -> Iterator[Run]:
    """Merge changed members with the rows due at single numbers, which come before a change of that number."""
    coming = next(due, None)
    for run in changed:
        rows = run.rows
        while coming is not None and coming.number <= rows.changed[-1]:
            at = bisect_left(rows.changed, coming.number)
            if at:
                yield Arrived(rows.cut(0, at))
                rows = rows.cut(at)
            yield from coming.runs
            coming = next(due, None)
        yield Arrived(rows)
    while coming is not None:
        yield from coming.runs
        coming = next(due, None)


def take(runs: Iterator[Run], limit: int) -> tuple[list[Run], bool]:
    """Return the first rows, and whether there are more."""
    taken: list[Run] = []
    for run in runs:
        if len(run.rows) > limit:
            if limit:
                taken.append(run.first(limit))
            return taken, True
        taken.append(run)
        limit -= len(run.rows)
    return taken, False
