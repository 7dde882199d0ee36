"""Files in the making, and the records from which a later run resumes a download."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from davstore.model.limits import BLOCK_BYTES


class Part(NamedTuple):
    """The beginning of a download, under a reserved name beside its place.

    It holds the first so many bytes of the content with this entity tag. A run that was killed may have written more.
    """

    name: str
    etag: str
    bytes: int


class Parts:
    """The recorded parts of downloads, by the path of the file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.rows = {path: Part(*row) for path, *row in database.execute("SELECT * FROM part")}

    def put(self, path: str, part: Part) -> None:
        """Remember a part: its name before it is made."""
        self.rows[path] = part
        self._database.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)", (path, *part))

    def drop(self, path: str) -> None:
        """Forget a part."""
        if self.rows.pop(path, None) is not None:
            self._database.execute("DELETE FROM part WHERE path = ?", (path,))


class Digest:
    """A sink that keeps only the SHA-256 of a download."""

    def __init__(self) -> None:
        self.restart("")

    @property
    def hex(self) -> str:
        """The digest of the bytes written."""
        return self._digest.hexdigest()

    def restart(self, etag: str) -> None:
        """Begin again with the content of this entity tag."""
        self.size, self.etag, self._digest = 0, etag, hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        self._digest.update(chunk)


class Draft:
    """An open file in the making: the first size bytes of the content with this entity tag.

    told gets the length of each piece.
    """

    def __init__(self, handle: int, name: str, told: Callable[[int], None]) -> None:
        """Open name in the folder with this handle; its bytes stay until the first write or `restart`."""
        self.handle, self.name, self.size, self.etag = handle, name, 0, ""
        self.is_placed = False
        self._told = told
        self._digest = hashlib.sha256()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(name, flags, 0o666, dir_fd=handle)

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes held, in hex."""
        return self._digest.hexdigest()

    def resume(self, etag: str, limit: int) -> None:
        """Keep the bytes of the file, at most limit, as the beginning of the content with this entity tag."""
        self.etag = etag
        while self.size < limit and (chunk := os.read(self._file, min(BLOCK_BYTES, limit - self.size))):
            self._digest.update(chunk)
            self.size += len(chunk)
        os.ftruncate(self._file, self.size)
        self._told(self.size)

    def restart(self, etag: str) -> None:
        """Drop the bytes held: the next ones begin the content with this entity tag."""
        if self.size:
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            self.size, self._digest = 0, hashlib.sha256()
        self.etag = etag

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._told(len(chunk))
        self._digest.update(chunk)
        self.size += len(chunk)
        trees = memoryview(chunk)
        while trees:
            trees = trees[os.write(self._file, trees) :]

    def set_modified(self, seconds: int | None) -> None:
        """Give the file a modification time, where the file system can hold it."""
        if seconds is not None:
            with suppress(OSError, OverflowError):
                os.utime(self._file, ns=(time.time_ns(), seconds * 1_000_000_000))

    def flush(self) -> None:
        """Flush the file to the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def remove(self) -> None:
        """Remove the file, unless it has its place or is gone."""
        if not self.is_placed:
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.handle)
