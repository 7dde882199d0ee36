"""`newest-numbers`: the epoch and the newest change number of each store, noted after each committed write.

A database that is behind them was put back from a copy. They are a hint outside the database: not synced, and without a
word when they cannot be written. A number that is lost, or noted by two workers in the wrong order, is only lower.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_RECORD: Final = struct.Struct("<QQ")
_pack, _BYTES = _RECORD.pack, _RECORD.size

NUMBERS = "newest-numbers"


class Numbers:
    """The file, opened with the first number that is noted, so after fork; the record of store n is the nth."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / NUMBERS
        self._descriptor = -1
        self._opening = threading.Lock()

    def note(self, store_id: int, epoch: int, seq: int) -> None:
        """Note how far a store has come (1.2 µs; a mapping would end the process on a full disk)."""
        try:
            os.pwrite(self._descriptor if self._descriptor >= 0 else self._open(), _pack(epoch, seq), _BYTES * store_id)
        except OSError:
            return

    def read(self) -> dict[int, tuple[int, int]]:
        """Return epoch and number by store. Empty where the file cannot be read."""
        try:
            noted = self._file.read_bytes()
        except OSError:
            return {}
        whole = noted[: len(noted) - len(noted) % _BYTES]
        return {store_id: record for store_id, record in enumerate(_RECORD.iter_unpack(whole)) if record[1]}

    def reset(self, records: Iterable[tuple[int, int, int]]) -> None:
        """Forget all, and note store, epoch and number of each record."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor if self._descriptor >= 0 else self._open(), 0)
        for record in records:
            self.note(*record)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        with self._opening:
            if self._descriptor < 0:
                self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            return self._descriptor
