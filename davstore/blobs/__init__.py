"""Bodies too large for the database: bytes under a name, written once, never changed.

The promises every backend keeps (tests/contract/test_blobs.py):

- a blob is there whole or not at all, under `store/uuid`, and what `publish` acknowledged survives loss of power;
- only its own upload sees a staged blob, and a crash leaves at most a staged file or a blob that no row names;
- an upload holds its blob from `stage` to `close`, and the end of its process releases it;
- blobs of two stores are never one file;
- nothing is deleted, moved or listed that davstore did not write, whatever its name;
- while a process retains the blobs none is deleted or set aside, by any process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Reader(Protocol):
    """An open blob."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of [start, stop) in pieces; raises CorruptBlob when they are not all there."""

    def close(self) -> None:
        """Close the blob; it may have been deleted meanwhile."""


class Staged(Protocol):
    """A blob being written."""

    def write(self, piece: bytes) -> None:
        """Append bytes; raises DiskFull."""

    def publish(self) -> None:
        """Make the blob durable under its name, and go on holding it; raises DiskFull."""

    def close(self) -> None:
        """Release the blob: a row names it by now, or the sweeper takes it."""

    def discard(self) -> None:
        """Delete the blob, published or not; never raises."""


class Blobs(Protocol):
    """A place that keeps blobs."""

    def free_bytes(self) -> int:
        """Return how many bytes fit beside the reserve."""

    def require_room(self, needed_bytes: int = 0) -> None:
        """Raise DiskFull unless more fits beside the reserve, which is kept so that a full disk can be emptied."""

    def stage(self, store_id: int, name: str) -> Staged:
        """Begin a blob; raises DiskFull."""

    def open(self, store_id: int, name: str) -> Reader:
        """Open a blob; raises CorruptBlob when it is not there."""

    def delete(self, store_id: int, name: str) -> None:
        """Delete a blob that no row names any more; never raises: a blob that stays is for the sweeper."""

    def retain(self) -> AbstractContextManager[None]:
        """Keep every blob in its place: a backup copies those that its snapshot names. Raises AlreadyRunning."""

    def list_stores(self) -> list[int]:
        """Return the ids of the stores that have, or had, blobs."""

    def list_blobs(self, store_id: int) -> Iterator[tuple[str, int]]:
        """Yield name and length of each blob of a store."""

    def is_empty(self) -> bool:
        """Tell whether no store has a blob."""

    def is_held(self, store_id: int, name: str) -> bool:
        """Tell whether a living upload of any process is making a blob, or may be: it cannot be opened."""

    def sweep_staged(self) -> None:
        """Delete the staged blobs that no upload holds."""

    def set_aside(self, store_id: int, names: set[str], *, now_us: int) -> tuple[int, int]:
        """Take away the blobs of a store that were without a row a day ago too, and return how many, and their bytes.

        names are all blobs without one now: the others are noted. Those taken away can be brought back for 30 days.
        """

    def forget_lost(self, *, now_us: int) -> None:
        """Delete the blobs that were set aside 30 days ago."""
