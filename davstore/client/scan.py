"""A scan of the local folder. Only files that may have changed are read."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from davstore.client.exit_status import SAFETY, Changed, Stop
from davstore.client.folder import Folder, hash_file, is_racy, stamp_of
from davstore.client.local_names import RESERVED, is_unicode, reason_of
from davstore.client.state import State
from davstore.client.titles import COMPUTED
from davstore.client.tree import Agreed, Local, Stamp, Tree, join, parent_of
from davstore.client.walk import Walk

UNMOUNTED = "another disk was mounted here and is none now; with --force its files count as deleted"
COVERED = "another disk is mounted here now and hides files; with --force they count as deleted"
LOOKALIKE = "its name is reserved for downloads under way, and this device did not make it: rename it"


@dataclass
class Scan:
    """The folder at one instant.

    skipped maps a path that cannot be synchronised to the reason, unfit one that is neither file nor folder. mounts are
    the folders that have to be, or to become again, another file system than the folder above them.
    """

    local: Tree[Local] = field(default_factory=lambda: Tree[Local]())
    skipped: dict[str, str] = field(default_factory=dict)
    mounts: set[str] = field(default_factory=set)
    unfit: dict[str, str] = field(default_factory=dict)


def scan(folder: Folder, state: State, *, clean: bool) -> Scan:
    """Walk the folder. With clean, files in the making that a killed run of this device left are removed.

    Raises:
        Stop: (safety) the folder itself went away meanwhile.
    """
    folder.mounts = None
    walk = _Scan(folder, state, clean=clean)
    try:
        walk.go()
    except (Changed, FileNotFoundError) as cause:
        raise Stop(SAFETY, f"the folder {folder.root} disappeared during the scan") from cause
    _hold_mounts(walk.scan, state)
    folder.mounts = walk.scan.mounts
    return walk.scan


class _Scan(Walk):
    """A walk by paths. It counts even if the folder did not come to rest: no deletion relies on it alone."""

    def __init__(self, folder: Folder, state: State, *, clean: bool) -> None:
        super().__init__(folder)
        self._clean = clean
        self.scan = Scan()
        self._state = state
        self._parts = state.list_parts()
        self._members: dict[str, set[str]] = {}
        self._devices: dict[str, int] = {}
        self._is_computed = state.find_fact(COMPUTED) is not None
        agreed = state.agreed.rows if self._is_computed else {}
        self._renamed = {(parent_of(path), entry.stamp.inode): path for path, entry in agreed.items()}
        self._by_inode = {entry.stamp.inode: entry for entry in state.agreed.rows.values() if not entry.folder}

    def open(self, key: str) -> AbstractContextManager[int]:
        return self._folder.open_folder(key)

    def lose(self, key: str, _error: Exception) -> None:
        self._skip(key, reason_of(_error))

    def _skip(self, path: str, reason: str) -> None:
        self.scan.skipped[path] = reason

    def take(self, key: str, handle: int) -> list[str]:
        """Take the members of one folder and return those that are folders."""
        before, members = self._members.get(key, set()), set[str]()
        self._members[key] = members
        folders = self._take_members(key, handle, members) if self._take_mount(key, handle) else []
        for path in before - members:
            self._drop(path)
        return folders

    def _take_mount(self, key: str, handle: int) -> bool:
        """Note on which disk a folder is; return whether it may be listed."""
        self.scan.skipped.pop(key, None)
        device = self._devices[key] = self._folder.device_of(key, handle)
        self.scan.mounts.discard(key)
        if key and device != self._devices[parent_of(key)]:
            self.scan.mounts.add(key)
        elif key in self._state.mounts:
            self._skip(key, UNMOUNTED)
            return False
        return True

    def _take_members(self, folder: str, handle: int, members: set[str]) -> list[str]:
        folders = []
        for name in sorted(os.listdir(handle)):
            if RESERVED.fullmatch(name) or not is_unicode(name):
                self._take_odd(join(folder, name), handle, name, members)
                continue
            path = self._meet(folder, handle, name)
            members.add(path)
            try:
                if self._take(path, handle, name):
                    folders.append(path)
            except FileNotFoundError:
                self._drop(path)
            except (Changed, OSError) as error:
                self.scan.local.drop(path)
                self._skip(path, reason_of(error))
        return folders

    def _meet(self, folder: str, handle: int, name: str) -> str:
        """Return the path of a member. Where names are this device's own, one that a person renamed keeps its path."""
        path = self._folder.spelling.meet(folder, name)
        if path in self._state.agreed.rows or not self._is_computed:
            return path
        try:
            stamp = stamp_of(os.stat(name, dir_fd=handle, follow_symlinks=False))
        except FileNotFoundError:
            return path
        known = self._renamed.get((folder, stamp.inode))
        if known is None or self._folder.has_member(handle, known):
            return path
        agreed = self._state.agreed.rows[known]
        if not agreed.folder and agreed.stamp[:3] != stamp[:3]:
            return path
        self._folder.spelling.release(path)
        self._folder.spelling.adopt(known, name)
        return self._folder.spelling.meet(folder, name)

    def _take_odd(self, path: str, handle: int, name: str, members: set[str]) -> None:
        """Leave out a file whose name is never synchronised; remove it only if this device made it.

        The parts of downloads that can go on stay.
        """
        if not self._folder.is_own(name):
            members.add(path)
            self._skip(path, LOOKALIKE if is_unicode(name) else "its name is not UTF-8")
            return
        is_file = stat.S_ISREG(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
        if self._clean and is_file and (parent_of(path), name) not in self._parts:
            os.unlink(name, dir_fd=handle)

    def _drop(self, top: str) -> None:
        """Forget the entries at and beneath a path that is gone."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            waiting += self._members.pop(path, ())
            self.scan.local.drop(path)
            self.scan.skipped.pop(path, None)
            self.scan.unfit.pop(path, None)
            self.scan.mounts.discard(path)
            self._folder.spelling.release(path)
            self.forget(path)

    def _take(self, path: str, handle: int, name: str) -> bool:
        """Take one member; return whether it is a folder."""
        facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
        stamp = stamp_of(facts)
        if not stat.S_ISDIR(facts.st_mode) and path in self._members:
            self._drop(path)
        if stat.S_ISDIR(facts.st_mode):
            self.scan.local.put(path, Local(folder=True, digest="", stamp=stamp, hashed_ns=0))
            return True
        self.scan.skipped.pop(path, None)
        self.scan.unfit.pop(path, None)
        if not stat.S_ISREG(facts.st_mode):
            self.scan.local.drop(path)
            self.scan.unfit[path] = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "neither file nor folder"
            return False
        known = self._find_known(path, stamp)
        if known is None:
            digest, stamp, hashed_ns = hash_file(handle, name)
        else:
            digest, hashed_ns = known.digest, known.hashed_ns
        self.scan.local.put(path, Local(folder=False, digest=digest, stamp=stamp, hashed_ns=hashed_ns))
        return False

    def _find_known(self, path: str, stamp: Stamp) -> Agreed | Local | None:
        """Return the earlier facts of a file with this stamp: it was not changed, or only moved with its folder."""
        for known in (self._state.agreed.get(path), self._by_inode.get(stamp.inode), self.scan.local.get(path)):
            if known is not None and not known.folder and known.stamp == stamp and not is_racy(stamp, known.hashed_ns):
                return known
        return None


def _hold_mounts(scan: Scan, state: State) -> None:
    """Leave out the mount points of disks that went, and of disks that came and hide agreed files."""
    fresh = scan.mounts - state.mounts
    inodes = {entry.stamp.inode for path in fresh if (entry := scan.local.get(path)) is not None}
    for path in state.mounts - scan.mounts:
        agreed = state.agreed.get(path)
        if path in scan.skipped or (agreed is not None and agreed.stamp.inode not in inodes):
            scan.skipped[path] = UNMOUNTED
            scan.mounts.add(path)
    if not state.knows_mounts:
        return
    for path in fresh:
        if any(inner not in scan.local.rows for inner in state.agreed.walk(path)):
            scan.skipped[path] = COVERED
            scan.mounts.discard(path)


def refresh(state: State, local: Tree[Local]) -> None:
    """Write new stamps of unchanged files down, so that they need not be read again."""
    with state.transaction():
        for path, entry in local.rows.items():
            agreed = state.agreed.get(path)
            if agreed is None or agreed.folder != entry.folder or agreed.digest != entry.digest:
                continue
            if agreed.stamp != entry.stamp or agreed.hashed_ns != entry.hashed_ns:
                state.agree(path, agreed._replace(stamp=entry.stamp, hashed_ns=entry.hashed_ns))
