"""Turns to hold a thread while a long body is read: more uploads than that wait in a queue and hold no thread."""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """So many turns, and a queue of holders that wait for one.

    give hands a turn to a holder from the queue; it returns False when the holder no longer waits.
    """

    def __init__(self, count: int, give: Callable[[T], bool]) -> None:
        self._free = count
        self._give = give
        self._lock = threading.Lock()
        self._queue: collections.deque[T] = collections.deque()

    def take(self) -> bool:
        """Take a turn; False when all are taken."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    def take_or_wait(self, holder: T) -> bool:
        """Take a turn for a holder; False when all are taken: it stands in the queue then."""
        with self._lock:
            if not self._free:
                self._queue.append(holder)
                return False
            self._free -= 1
            return True

    def leave(self, holder: T) -> None:
        """Take a holder out of the queue, if it stands there."""
        with self._lock, contextlib.suppress(ValueError):
            self._queue.remove(holder)

    def pass_on(self) -> None:
        """Give a turn back: to the holder that waits for the longest time."""
        while True:
            with self._lock:
                if not self._queue:
                    self._free += 1
                    return
                holder = self._queue.popleft()
            if self._give(holder):
                return
