"""A long file seen through one block of it that moves, so that searching takes little memory however long it is."""

from __future__ import annotations

import os
from typing import BinaryIO

from davstore.model.limits import BLOCK_BYTES

WINDOW_BYTES = 1 << 20


class Window:
    """A file that is searched and read at any place."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self.size = os.fstat(self._descriptor).st_size
        self._start, self._block = 0, b""

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes of [start, stop) as far as they are there."""
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        if not self._start <= start <= stop <= self._start + len(self._block):
            if stop - start > WINDOW_BYTES:
                return os.pread(self._descriptor, stop - start, start)
            self._load(start)
        return self._block[start - self._start : stop - self._start]

    def find(self, wanted: bytes, start: int, stop: int | None = None) -> int:
        """Return where bytes begin in [start, stop), -1 if nowhere."""
        stop = self.size if stop is None else min(stop, self.size)
        while stop - start >= len(wanted):
            if not self._start <= start <= self._start + len(self._block) - len(wanted):
                self._load(start)
            at = self._block.find(wanted, start - self._start, stop - self._start)
            if at >= 0:
                return self._start + at
            after = self._start + len(self._block) - len(wanted) + 1
            if after <= start:  # the file was cut meanwhile
                return -1
            start = after
        return -1

    def _load(self, start: int) -> None:
        self._start, self._block = start, os.pread(self._descriptor, WINDOW_BYTES, start)


class Slice:
    """The bytes of [start, stop) of a file as a stream."""

    def __init__(self, descriptor: int, start: int, stop: int) -> None:
        self._descriptor, self._at, self._stop = descriptor, start, stop

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""
        piece = os.pread(self._descriptor, min(size, self._stop - self._at, BLOCK_BYTES), self._at)
        self._at += len(piece)
        return piece
