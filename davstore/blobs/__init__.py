"""Bodies too large for the database: bytes under a name, written once, never changed.

The promises every backend keeps (tests/contract/test_blobs.py):

- a blob is there whole or not at all, under `store/uuid`, and what `publish` acknowledged survives loss of power;
- nobody but its own upload sees a staged blob, and a crash leaves at most a staged file or a blob that nobody names;
- an upload holds its blob from `stage` to `close`, and the end of its process lets go of it;
- blobs of two stores are never one file;
- nothing is deleted, moved or listed that davstore did not write, whatever its name;
- while somebody retains the blobs none is deleted or set aside, by whatever process.
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
        """Let go of the blob; it may be deleted meanwhile."""


class Staged(Protocol):
    """A blob being written."""

    def write(self, piece: bytes) -> None:
        """Append bytes; raises DiskFull."""

    def publish(self) -> None:
        """Make the blob durable under its name, and go on holding it; raises DiskFull."""

    def close(self) -> None:
        """Let go of what was written: a row names it by now, or the sweeper takes it."""

    def discard(self) -> None:
        """Forget what was written, published or not; never raises."""


class Blobs(Protocol):
    """Where blobs live."""

    def free_bytes(self) -> int:
        """Return how many bytes fit beside the reserve."""

    def require_room(self, needed_bytes: int = 0) -> None:
        """Raise DiskFull unless more fits beside the reserve, which is kept so that a full disk can be emptied."""

    def stage(self, store_id: int, name: str) -> Staged:
        """Begin a blob; raises DiskFull."""

    def open(self, store_id: int, name: str) -> Reader:
        """Open a blob; raises CorruptBlob when it is not there."""

    def delete(self, store_id: int, name: str) -> None:
        """Delete a blob that no row names any more; never raises: what stays is for the sweeper."""

    def retain(self) -> AbstractContextManager[None]:
        """Keep every blob where it is: a backup copies what its snapshot names. Raises AlreadyRunning."""

    def list_stores(self) -> list[int]:
        """Return the ids of the stores that have, or had, blobs."""

    def list_blobs(self, store_id: int) -> Iterator[tuple[str, int]]:
        """Yield name and length of each blob of a store."""

    def is_empty(self) -> bool:
        """Tell whether no store has a blob."""

    def is_held(self, store_id: int, name: str) -> bool:
        """Tell whether an upload that lives, in whatever process, is making a blob."""

    def sweep_staged(self) -> None:
        """Delete what is staged and held by nobody."""

    def set_aside(self, store_id: int, names: set[str], *, now_us: int) -> tuple[int, int]:
        """Take away the blobs of a store that were without a row a day ago too, and return how many, and their bytes.

        names are all that are without one now: the others are noted. What is taken can be had back for 30 days.
        """

    def forget_lost(self, *, now_us: int) -> None:
        """Delete what was set aside 30 days ago."""
