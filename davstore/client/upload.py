"""The body of an upload: the bytes of a file, opened anew for each attempt and hashed on their way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from davstore.client.folder import Folder
from davstore.client.tree import Local

SMALL_BYTES: Final = 256 * 1024
"""A file up to this size is read whole before it is sent, so its SHA-1 takes no second reading."""


class UploadBody:
    """The bytes of one file as it was seen. Raises Changed when it no longer is that."""

    def __init__(self, folder: Folder, path: str, local: Local, told: Callable[[int], None]) -> None:
        """Take the file; told gets the length of each piece."""
        self._folder, self._path, self._local, self._told = folder, path, local, told
        self.digest, self.sha1 = local.digest, ""
        self._small: bytes | None = None
        if local.stamp.size <= SMALL_BYTES:
            self._small = b"".join(self._iterate())
            self.sha1 = hashlib.sha1(self._small, usedforsecurity=False).hexdigest()

    def open(self) -> bytes | UploadBody:
        """Begin from the start."""
        if self._small is not None:
            return self._small
        self._chunks = self._iterate()
        return self

    def __len__(self) -> int:
        return self._local.stamp.size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, _size: int = -1) -> bytes:
        """Return the next chunk, b'' at the end; its size is ours to choose."""
        return next(self._chunks, b"")

    def _iterate(self) -> Iterator[bytes]:
        if not self._local.stamp.size:
            return
        digest = hashlib.sha256()
        with self._folder.read(self._path, self._local) as chunks:
            for chunk in chunks:
                self._told(len(chunk))
                digest.update(chunk)
                self.digest = digest.hexdigest()
                yield chunk
