"""What is in the local folder now. Only what may have changed is read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from davstore.client.folder import Folder, hash_file, is_racy
from davstore.client.spelling import RESERVED
from davstore.client.state import State
from davstore.client.stops import Changed
from davstore.client.tree import Agreed, Local, Stamp, Tree, join


@dataclass
class Scan:
    """The folder as one walk saw it.

    skipped maps a path that cannot be synchronised to the reason, unfit one that is neither file nor folder.
    """

    local: Tree[Local] = field(default_factory=lambda: Tree[Local]())
    skipped: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)


def scan(folder: Folder, state: State, *, clean: bool) -> Scan:
    """Walk the folder. With clean, files in the making that a killed run left are removed."""
    return _Walk(folder, state, clean=clean).run()


class _Walk:
    def __init__(self, folder: Folder, state: State, *, clean: bool) -> None:
        self._folder = folder
        self._clean = clean
        self._scan = Scan()
        self._agreed = state.agreed
        self._parts = state.list_parts()
        self._by_inode = {entry.stamp.inode: entry for entry in state.agreed.rows.values() if not entry.folder}

    def run(self) -> Scan:
        waiting = [""]
        while waiting:
            path = waiting.pop()
            try:
                with self._folder.open_folder(path) as handle:
                    waiting += self._list(path, handle)
            except (Changed, OSError) as error:
                if not path:
                    raise
                self._skip(path, _reason(error))
        return self._scan

    def _skip(self, path: str, reason: str) -> None:
        self._scan.skipped[path] = reason

    def _list(self, folder: str, handle: int) -> list[str]:
        """Take the members of one folder and return those that are folders."""
        folders = []
        for name in sorted(os.listdir(handle)):
            if RESERVED.fullmatch(name):
                self._remove_leftover(folder, handle, name)
                continue
            if not _is_unicode(name):
                self._skip(join(folder, name), "its name is not UTF-8")
                continue
            path = self._folder.spelling.meet(folder, name)
            try:
                if self._take(path, handle, name):
                    folders.append(path)
            except FileNotFoundError:
                continue
            except (Changed, OSError) as error:
                self._skip(path, _reason(error))
        return folders

    def _remove_leftover(self, folder: str, handle: int, name: str) -> None:
        facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
        if self._clean and stat.S_ISREG(facts.st_mode) and (folder, name) not in self._parts:
            os.unlink(name, dir_fd=handle)

    def _take(self, path: str, handle: int, name: str) -> bool:
        """Take one member; tell whether it is a folder."""
        facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
        stamp = Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_ctime_ns)
        if stat.S_ISDIR(facts.st_mode):
            self._scan.local.put(path, Local(folder=True, digest="", stamp=stamp, hashed_ns=0))
            return True
        if not stat.S_ISREG(facts.st_mode):
            self._scan.unfit[path] = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "neither file nor folder"
            return False
        known = self._find_known(path, stamp)
        if known is None:
            digest, stamp, hashed_ns = hash_file(handle, name)
        else:
            digest, hashed_ns = known.digest, known.hashed_ns
        self._scan.local.put(path, Local(folder=False, digest=digest, stamp=stamp, hashed_ns=hashed_ns))
        return False

    def _find_known(self, path: str, stamp: Stamp) -> Agreed | None:
        """Return what is known of a file with this stamp: it was not changed, or only moved with its folder."""
        for known in (self._agreed.get(path), self._by_inode.get(stamp.inode)):
            if known is not None and not known.folder and known.stamp == stamp and not is_racy(stamp, known.hashed_ns):
                return known
        return None


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def refresh(state: State, local: Tree[Local]) -> None:
    """Write new stamps of unchanged files down, so that they need not be read again."""
    with state.transaction():
        for path, entry in local.rows.items():
            agreed = state.agreed.get(path)
            if agreed is None or agreed.folder != entry.folder or agreed.digest != entry.digest:
                continue
            if agreed.stamp != entry.stamp or agreed.hashed_ns != entry.hashed_ns:
                state.agree(path, agreed._replace(stamp=entry.stamp, hashed_ns=entry.hashed_ns))
