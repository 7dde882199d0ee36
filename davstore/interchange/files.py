"""Files of the machine: opened without following a link, and written so that none is ever there in part."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from davstore.errors import Malformed

PENDING: Final = 64
"""Files that are written before they are brought to the disk together."""
NEW: Final = ".davstore-new"
"""The end of the name of a file in the making."""


@contextlib.contextmanager
def open_file(file: Path | str) -> Iterator[BinaryIO]:
    """Open a plain file for reading. Raises OSError; Malformed: it is none, or a link."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Malformed("no plain file")
        yield opened


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Writing:
    """Files that are written under other names, and get their own together once they are on the disk.

    Under the other names they lie in the directory `within`, or beside their place.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[int, Path, Path]] = []
        self._within: Path | None = None

    def begin(self, directory: Path, *, within: Path | None = None) -> None:
        """Begin a directory: delete files in the making that a killed process left there."""
        self._within = within
        for number in range(PENDING):
            _unnamed(within or directory, number).unlink(missing_ok=True)

    def write(self, file: Path, pieces: Iterable[bytes], *, modified_us: int | None = None) -> None:
        """Write a file, in the place of one that is there. Raises OSError, and what pieces raise: then it is as before.

        It has its name after `finish` at the latest.
        """
        new = _unnamed(self._within or file.parent, len(self._pending))
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
            if modified_us is not None:
                os.utime(descriptor, ns=(modified_us * 1_000, modified_us * 1_000))
        except BaseException:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        self._pending.append((descriptor, new, file))
        if len(self._pending) >= PENDING:
            self.finish()

    def finish(self) -> None:
        """Bring all that was written to the disk, under its name. Raises OSError."""
        pending, self._pending = self._pending, []
        try:
            for descriptor, _, _ in pending:
                os.fsync(descriptor)
        finally:
            for descriptor, _, _ in pending:
                os.close(descriptor)
        for _, new, file in pending:
            new.replace(file)
        for directory in {file.parent for _, _, file in pending}:
            sync_directory(directory)


def _unnamed(directory: Path, number: int) -> Path:
    return directory / f"{number}{NEW}"
