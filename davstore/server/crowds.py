"""The numbers of connections of all workers, in memory that they share: one with more lets another accept first."""

from __future__ import annotations

import mmap
from typing import Final

_AWAY: Final = 2**31 - 1
"""The number of a worker that accepts nothing: no other waits for it."""


class Crowd:
    """One worker's number of connections among those of all.

    Each worker writes its own, and nothing is locked: a number that is a moment old does no harm.
    """

    def __init__(self, counts: memoryview, own: int) -> None:
        self._counts = counts
        self._own = own
        self.leave()

    def report(self, connections: int) -> None:
        """Say how many connections this worker has."""
        self._counts[self._own] = connections

    def leave(self) -> None:
        """Say that it accepts no more, or not yet."""
        self._counts[self._own] = _AWAY

    def excess(self) -> int:
        """Return how many more it has than the worker with the fewest."""
        return int(self._counts[self._own]) - min(self._counts)


def share(workers: int) -> list[Crowd]:
    """Return what each of the workers that are forked from this process knows of the others."""
    counts = memoryview(mmap.mmap(-1, workers * 4)).cast("i")
    return [Crowd(counts, own) for own in range(workers)]
