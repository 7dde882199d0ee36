"""The local folder: look at it, and change it without ever leaving a half-done change or overwriting an edit.

Every access goes down from the root name by name without following links, so nothing outside is reached. Writes go to
a reserved name in the same folder, are flushed, and take their place only after another look at what is there.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from davstore.client.draft import Draft
from davstore.client.exit_status import SAFETY, USAGE, Changed, Stop
from davstore.client.local_names import RESERVED_PREFIX, Spelling, Traits
from davstore.client.renaming import rename_to_free
from davstore.client.state import State
from davstore.client.tree import Local, Stamp, parent_of
from davstore.model.limits import BLOCK_BYTES

RACY_NS = 2_000_000_000
"""A file that changed this short before it was read may have changed again under the same time stamp (FAT: 2 s)."""
ROOT_MARK = "user.davstore.root"
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Folder:
    """The folder of one device, with the map of its names.

    spelling and stem are set by `probe`. mounts are the folders on another file system than the one above them, None
    until that is known.
    """

    spelling: Spelling
    stem: str

    def __init__(self, root: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.root = root
        self.pause = pause
        self.mounts: set[str] | None = None

    # The root

    def check_root(self, state: State, *, write: bool) -> None:
        """Make sure that the root is the one agreed about. On the first run make and mark it, if we may write.

        The mark is an extended attribute and, where there are none, the device and inode numbers.

        Raises:
            Stop: (safety) the root is missing or another one; (usage) it is no folder.
        """
        known, mark = state.find_fact("root"), state.find_fact("root-mark")
        try:
            facts = self.root.lstat() if known else self.root.stat()
        except FileNotFoundError:
            if known:
                raise Stop(SAFETY, f"the folder {self.root} is missing (with --force: start as a new device)") from None
            if not write:
                return
            self._make_root()
            facts = self.root.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise Stop(SAFETY if known else USAGE, f"{self.root} is not a folder")
        numbers = f"{facts.st_dev}:{facts.st_ino}"
        if known is None and write:
            state.set_fact("root", numbers)
            state.set_fact("root-mark", self._mark_root())
        elif known is None:
            return
        elif (self._read_mark() != mark) if mark else (numbers != known):
            raise Stop(
                SAFETY,
                f"{self.root} is not the folder that was synchronised before (with --force: start as a new device)",
            )

    def _make_root(self) -> None:
        try:
            self.root.mkdir()
        except OSError as cause:
            raise Stop(USAGE, f"{self.root}: {cause.strerror}") from cause

    def _mark_root(self) -> str:
        mark = self._read_mark() or uuid.uuid4().hex
        try:
            os.setxattr(self.root, ROOT_MARK, mark.encode())
        except OSError:
            return ""
        return mark

    def _read_mark(self) -> str:
        try:
            return os.getxattr(self.root, ROOT_MARK).decode()
        except OSError:
            return ""

    def probe(self, state: State, *, write: bool) -> None:
        """Probe once how the file system changes names. Without write, assume that it keeps them."""
        self.stem = state.find_or_make_stem()
        saved = state.find_fact("traits")
        traits = Traits(*(flag == "1" for flag in saved)) if saved else self._probe() if write else Traits()
        if write and not saved:
            state.set_fact("traits", "".join("1" if flag else "0" for flag in traits))
        self.spelling = Spelling(state, traits)

    def _probe(self) -> Traits:
        stem = self._own_name()
        return Traits(
            folds_case=self._is_found_as(stem + "A", stem + "a"),
            folds_form=self._is_found_as(stem + "\u00e9", stem + "e\u0301"),
            drops_tail=not self._is_kept(stem + "."),
            refuses_awkward=not self._is_kept(stem + ':?*"<>|\\'),
        )

    def _is_found_as(self, made: str, asked: str) -> bool:
        self._make_empty(made)
        try:
            return (self.root / asked).exists()
        finally:
            (self.root / made).unlink(missing_ok=True)

    def _is_kept(self, name: str) -> bool:
        before = set(os.listdir(self.root))  # noqa: PTH208 - names, not paths
        try:
            self._make_empty(name)
        except OSError:
            return False
        made = set(os.listdir(self.root)) - before  # noqa: PTH208
        for entry in made:
            if self.is_own(entry):
                (self.root / entry).unlink()
        return name in made

    def _make_empty(self, name: str) -> None:
        os.close(os.open(self.root / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))

    def _own_name(self) -> str:
        return f"{RESERVED_PREFIX}{self.stem}{uuid.uuid4().hex}"

    def is_own(self, name: str) -> bool:
        """Tell whether this device gave the name to a file in the making: it may remove no other device's."""
        return name.startswith(f"{RESERVED_PREFIX}{self.stem}")

    # Looking

    def open_folder(self, path: str) -> AbstractContextManager[int]:
        """Open the folder at path. Raises Changed when it is none, or when a disk above it came or went."""
        return self.open_names(self.spelling.where(path), path)

    @contextmanager
    def open_names(self, names: list[str], path: str | None = None) -> Iterator[int]:
        """Open a folder name by name from the root. With its path, disks have to be mounted as they were."""
        above = path.split("/") if path else []
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, name in enumerate(names, 1):
                try:
                    inner = os.open(name, _FOLDER_FLAGS, dir_fd=handle)
                except PermissionError:
                    raise
                except OSError as cause:
                    raise Changed(f"{path or '/'.join(names)} is no folder any more") from cause
                outer, handle = handle, inner
                try:
                    if above:
                        self._check_mount("/".join(above[:depth]), outer, inner)
                finally:
                    os.close(outer)
            yield handle
        finally:
            os.close(handle)

    def _check_mount(self, path: str, outer: int, inner: int) -> None:
        if self.mounts is None:
            return
        is_mount = self.device_of(path, inner) != self.device_of(parent_of(path), outer)
        if is_mount != (path in self.mounts):
            raise Changed(f"{path} is {'another disk' if is_mount else 'not mounted'} now")

    def device_of(self, _path: str, handle: int) -> int:
        """Return the number of the file system that an open folder is on."""
        return os.fstat(handle).st_dev

    def has_member(self, handle: int, path: str) -> bool:
        """Tell whether something is at path, whose folder is open."""
        return _find(handle, self.spelling.local_name(path)) is not None

    @contextmanager
    def read(self, path: str, expected: Local) -> Iterator[Iterator[bytes]]:
        """Open the file at path as it was seen.

        Before the last of its chunks it is looked at again: Changed is raised when it was written to meanwhile.
        """
        with self.open_folder(parent_of(path)) as handle:
            file = _open_file(handle, self.spelling.local_name(path))
        try:
            if stamp_of(os.fstat(file)) != expected.stamp:
                raise Changed(f"{path} changed meanwhile")
            yield _chunks(file, expected.stamp)
        finally:
            os.close(file)

    # Changing

    def draft_name(self) -> str:
        """Return a name for a file in the making."""
        return self._own_name() + ".part"

    @contextmanager
    def draft(self, path: str, name: str, told: Callable[[int], None], *, keep: bool = False) -> Iterator[Draft]:
        """Open a file in the making beside path. It is removed in the end, unless it was placed.

        With keep, the bytes of a failed download stay on the disk if an entity tag says what they are a part of.
        """
        with self.open_folder(parent_of(path)) as handle:
            draft = Draft(handle, name, told)
            try:
                yield draft
            except BaseException:
                if keep and draft.size and draft.etag:
                    draft.flush()
                else:
                    draft.remove()
                raise
            else:
                draft.remove()
            finally:
                draft.close()

    def remove_part(self, folder: str, name: str) -> None:
        """Remove the file of an earlier draft, if it is there."""
        with suppress(FileNotFoundError, Changed), self.open_folder(folder) as handle:
            os.unlink(name, dir_fd=handle)

    def place(self, draft: Draft, path: str, expected: Local | None) -> Local:
        """Put a draft at path, where expected still has to be. `flush` its folder before that is written down.

        Raises:
            Changed: something else is there.
        """
        name = self.spelling.local_name(path)
        draft.flush()
        self._check(draft.handle, path, expected)
        if expected is None:
            _rename_to_free(draft.handle, draft.name, draft.handle, name)
        else:
            mode = stat.S_IMODE(os.stat(name, dir_fd=draft.handle, follow_symlinks=False).st_mode)
            os.chmod(draft.name, mode, dir_fd=draft.handle)
            os.rename(draft.name, name, src_dir_fd=draft.handle, dst_dir_fd=draft.handle)
        draft.is_placed = True
        placed = stamp_of(os.stat(name, dir_fd=draft.handle, follow_symlinks=False))
        return Local(folder=False, digest=draft.digest, stamp=placed, hashed_ns=time.time_ns())

    def flush(self, path: str) -> None:
        """Bring the names in the folder at path to the disk. Raises Changed when it is none any more."""
        with self.open_folder(path) as handle:
            os.fsync(handle)

    def make(self, path: str) -> Local:
        """Make a folder at path. Raises Changed when something is there."""
        name = self.spelling.local_name(path)
        with self.open_folder(parent_of(path)) as handle:
            try:
                os.mkdir(name, dir_fd=handle)
            except FileExistsError as cause:
                raise Changed(f"{path} is there already") from cause
            os.fsync(handle)
            return Local(
                folder=True, digest="", stamp=stamp_of(os.stat(name, dir_fd=handle, follow_symlinks=False)), hashed_ns=0
            )

    def remove(self, path: str, expected: Local) -> None:
        """Remove a file that is as expected, or an empty folder. Raises Changed."""
        name = self.spelling.local_name(path)
        with self.open_folder(parent_of(path)) as handle:
            if expected.folder:
                try:
                    os.rmdir(name, dir_fd=handle)
                except FileNotFoundError:
                    pass
                except OSError as cause:
                    raise Changed(f"{path} is not an empty folder") from cause
            else:
                self._check(handle, path, expected)
                os.unlink(name, dir_fd=handle)
            os.fsync(handle)

    def rename(self, source: str, target: str, expected: Local) -> Local:
        """Rename source, which has to be as expected, to target, where nothing may be. Raises Changed."""
        old, new = self.spelling.local_name(source), self.spelling.local_name(target)
        with self.open_folder(parent_of(source)) as origin, self.open_folder(parent_of(target)) as handle:
            self._check(origin, source, expected)
            self._check(handle, target, None)
            _rename_to_free(origin, old, handle, new)
            os.fsync(handle)
            os.fsync(origin)
            return expected._replace(stamp=stamp_of(os.stat(new, dir_fd=handle, follow_symlinks=False)))

    def _check(self, handle: int, path: str, expected: Local | None) -> None:
        """Look again. A file that could have changed under the same stamp is read again."""
        name = self.spelling.local_name(path)
        found = _find(handle, name)
        if expected is None:
            if found is not None:
                raise Changed(f"{path} is there now")
            return
        if found is None or stat.S_ISDIR(found.st_mode) != expected.folder:
            raise Changed(f"{path} changed meanwhile")
        if expected.folder:
            return
        if stamp_of(found) != expected.stamp or (
            is_racy(expected.stamp, expected.hashed_ns) and hash_file(handle, name)[0] != expected.digest
        ):
            raise Changed(f"{path} changed meanwhile")


def is_racy(stamp: Stamp, hashed_ns: int) -> bool:
    """Tell whether a file with this stamp may have changed after it was hashed without its stamp showing it."""
    return max(stamp.mtime_ns, stamp.ctime_ns) > hashed_ns - RACY_NS


def hash_file(handle: int, name: str) -> tuple[str, Stamp, int]:
    """Return the SHA-256 of a member in hex, its stamp before it was read, and the time of that."""
    now, digest = time.time_ns(), hashlib.sha256()
    file = _open_file(handle, name)
    try:
        before = stamp_of(os.fstat(file))
        while chunk := os.read(file, BLOCK_BYTES):
            digest.update(chunk)
    finally:
        os.close(file)
    return digest.hexdigest(), before, now


def _open_file(handle: int, name: str) -> int:
    try:
        file = os.open(name, _FILE_FLAGS, dir_fd=handle)
    except FileNotFoundError as cause:
        raise Changed(f"{name} is gone") from cause
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Changed(f"{name} is no file any more")
    return file


def _chunks(file: int, stamp: Stamp) -> Iterator[bytes]:
    size = stamp.size
    while size:
        chunk = os.read(file, min(BLOCK_BYTES, size))
        size -= len(chunk)
        if not chunk or (not size and stamp_of(os.fstat(file)) != stamp):
            raise Changed("the file changed while it was read")
        yield chunk


def _rename_to_free(source: int, old: str, target: int, new: str) -> None:
    try:
        rename_to_free(source, old, target, new)
    except FileExistsError as cause:
        raise Changed(f"{new} is there now") from cause


def _find(handle: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None


def stamp_of(facts: os.stat_result) -> Stamp:
    """Return the stamp in a stat."""
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_ctime_ns)
