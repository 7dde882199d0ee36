"""See a folder as it was at one instant, while other programs move things about in it.

Each folder is listed with its times. When all are listed, all are looked at again, and those whose times changed are
listed again; when none had changed, every listing is true of the instant between the last listing and the first of
these looks. Times are no finer than the clock of the file system: what changed just before it was listed is listed once
more a tick later.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from typing import NamedTuple

from davstore.client.exit_status import Changed
from davstore.client.folder import RACY_NS, Folder

PASSES = 6
"""Passes after which a folder that still changes is given up."""
TICK_NS = 20_000_000
"""The clock of a kernel of 100 Hz ticks each 10 ms. A file system that keeps whole seconds has RACY_NS instead."""


class _Listed(NamedTuple):
    """A listing: the folder's numbers and times before it, when that was, and whether a change could not hide in it."""

    facts: tuple[int, int, int, int]
    at_ns: int
    sure: bool


class Walk:
    """One walk. A folder has a key: '' is the root, and `open` and `take` give the others their meaning."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._listed: dict[str, _Listed] = {}

    def open(self, key: str) -> AbstractContextManager[int]:
        """Open the folder with this key."""
        raise NotImplementedError

    def take(self, key: str, handle: int) -> list[str]:
        """Take the members of a folder in the place of those taken before; return the keys of its folders."""
        raise NotImplementedError

    def lose(self, key: str, _error: Exception) -> None:
        """Take note of a folder that cannot be listed."""
        raise NotImplementedError

    def go(self) -> bool:
        """Walk and return whether the folder came to rest; if not, its listings are of no single instant."""
        self._list([""])
        for _ in range(PASSES):
            again, wait_ns = self._find_unsure()
            if not again:
                return True
            if wait_ns:
                self._folder.pause(wait_ns / 1e9)
            self._list(again)
        return False

    def forget(self, key: str) -> None:
        """Forget the listing of a folder that is gone."""
        self._listed.pop(key, None)

    def _list(self, waiting: list[str]) -> None:
        while waiting:
            key = waiting.pop()
            before = self._listed.pop(key, None)
            try:
                with self.open(key) as handle:
                    facts, at_ns = _facts(handle), time.time_ns()
                    inner = self.take(key, handle)
            except (Changed, OSError) as error:
                if not key:
                    raise
                self.lose(key, error)
                continue
            since = before.at_ns if before is not None and before.facts == facts else at_ns
            self._listed[key] = _Listed(facts, at_ns, at_ns - min(since, max(facts[2:])) >= _tick_ns(facts))
            waiting += [member for member in inner if member not in self._listed]

    def _find_unsure(self) -> tuple[list[str], int]:
        """Return the folders that must be listed again, and how long to wait before in nanoseconds."""
        again, wait_ns = [], 0
        for key, listed in self._listed.items():
            if self._look(key) != listed.facts:
                again.append(key)
            elif not listed.sure:
                again.append(key)
                wait_ns = max(wait_ns, _tick_ns(listed.facts))
        return again, wait_ns

    def _look(self, key: str) -> tuple[int, int, int, int] | None:
        try:
            with self.open(key) as handle:
                return _facts(handle)
        except (Changed, OSError):
            return None


def _facts(handle: int) -> tuple[int, int, int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _tick_ns(facts: tuple[int, int, int, int]) -> int:
    return TICK_NS if max(facts[2:]) % 1_000_000_000 else RACY_NS


class _Look(Walk):
    """Only the inodes, by the names that are here."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self.found: dict[str, set[int]] = {}

    def open(self, key: str) -> AbstractContextManager[int]:
        return self._folder.open_names(key.split("/") if key else [])

    def take(self, key: str, handle: int) -> list[str]:
        self.found[key] = inodes = set()
        folders = []
        with os.scandir(handle) as entries:
            for entry in entries:
                inodes.add(entry.stat(follow_symlinks=False).st_ino)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{key}/{entry.name}" if key else entry.name)
        return folders

    def lose(self, key: str, _error: Exception) -> None:
        self.found.pop(key, None)


def list_inodes(folder: Folder) -> set[int] | None:
    """Return the inodes of all that is in the folder at one instant; None when it does not come to rest."""
    look = _Look(folder)
    return set().union(*look.found.values()) if look.go() else None
