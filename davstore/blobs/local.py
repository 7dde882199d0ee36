"""Blobs as plain files: `blobs/STORE/XX/UUID`, staged beside them and renamed when whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from davstore.blobs.unnamed import BLOB, forget_lost, set_aside
from davstore.errors import AlreadyRunning, CorruptBlob, DiskFull
from davstore.model.limits import BLOCK_BYTES

RESERVE_BYTES = 1 << 26
"""The reserve of a disk, or a quarter of a small one: a DELETE has to be written to the journal of the database."""

_BLOB = re.compile(BLOB, re.ASCII)
_STAGED = re.compile(rf"[1-9][0-9]*\.{BLOB}", re.ASCII)
"""The names that davstore gives; files of other names are another's, and are not looked at."""

_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
"""Errors of opening that mean no blob: nothing is there, or a link or a socket, which davstore does not make."""
RETAIN_SECONDS = 1.0
"""Time to wait for the lock of the blobs: each deletion holds it for a moment."""

log = logging.getLogger("davstore.blobs")


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DiskFull.ERRNOS:
            raise DiskFull("no room for the blob") from error
        raise


def _create_held(file: Path) -> int:
    """Create a file and lock it for as long as its descriptor is open: the end of a process releases all."""
    while True:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # the sweeper came between the two calls


def _is_held(file: Path, *, then_delete: bool = False) -> bool:
    """Tell whether a living process holds a file; if not, delete it on request before any process can.

    One that cannot be opened may be held; the others are not to wait for it.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FILE:
            return False
        log.warning("%s cannot be opened, and is left alone: %s", file, error.strerror)
        return True
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if then_delete:
            file.unlink(missing_ok=True)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _try_lock(descriptor: int, kind: int) -> bool:
    """Lock an open file without waiting; return whether it is locked."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@lru_cache(maxsize=4096)
def _sync_above(directory: Path) -> None:
    """Sync the directories above a blob, once in a process: the process that made them may have died before it did."""
    for above in directory.parents[:3]:  # the store's, that of all blobs, and where that lies
        _sync_directory(above)


class LocalBlobs:
    """Blobs below one directory of the local file system."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staging = directory / "staged"
        self._lost = directory.parent / "lost+found"
        self._retained = directory.with_name("backup.lock")

    def free_bytes(self) -> int:
        """Return the free bytes of the disk beside the reserve."""
        return max(self._room_bytes(), 0)

    def require_room(self, needed_bytes: int = 0) -> None:
        """Raise DiskFull unless more fits beside the reserve."""
        if self._room_bytes() < needed_bytes:
            raise DiskFull("only the reserved space of the disk is left")

    def _room_bytes(self) -> int:
        """Return the free bytes of the disk beside the reserve, below zero when the reserve is used."""
        try:
            disk = os.statvfs(self._directory)
        except FileNotFoundError:
            with _room():
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            disk = os.statvfs(self._directory)
        reserve_bytes = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // 4)
        return disk.f_bavail * disk.f_frsize - reserve_bytes

    def stage(self, store_id: int, name: str) -> LocalStaged:
        """Begin a blob in a file of its own."""
        with _room():
            self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            return LocalStaged(self._staged(store_id, name), self._file(store_id, name))

    def open(self, store_id: int, name: str) -> LocalReader:
        """Open a blob. The file may be deleted while it is read."""
        try:
            return LocalReader(os.open(self._file(store_id, name), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise CorruptBlob(f"blob {store_id}/{name} is missing", blob=name) from error

    def delete(self, store_id: int, name: str) -> None:
        """Delete a blob's file, unless a backup may still be about to copy it."""
        with contextlib.suppress(OSError):
            if not self._are_retained():
                self._file(store_id, name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def retain(self) -> Iterator[None]:
        """Hold the lock that is tried before a blob goes. The kernel ends it with the process, however that ends.

        A deletion that tried before had committed the end of its row, so no snapshot from now on names the blob.
        """
        with _room():
            self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._retained, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + RETAIN_SECONDS
            while not _try_lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise AlreadyRunning(f"another davstore backup or restore uses {self._directory.parent}")
                time.sleep(0.01)  # flock waits for ever or not at all
            yield
        finally:
            os.close(descriptor)

    def _are_retained(self) -> bool:
        try:
            descriptor = os.open(self._retained, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def list_stores(self) -> list[int]:
        """Return the names of the directories that are numbers."""
        return sorted(int(place.name) for place in self._directory.glob("[1-9]*") if place.name.isdecimal())

    def list_blobs(self, store_id: int) -> Iterator[tuple[str, int]]:
        """Yield the files of the store's directory that lie where a blob of that name would."""
        for file in (self._directory / str(store_id)).glob("??/*"):
            if _BLOB.fullmatch(file.name) and file.parent.name == file.name[:2]:
                with contextlib.suppress(OSError):  # it is gone, or cannot be looked at, and then it is left alone
                    yield file.name, file.stat().st_size

    def is_empty(self) -> bool:
        """Tell whether no store has a blob."""
        return not any(True for store_id in self.list_stores() for _ in self.list_blobs(store_id))

    def is_held(self, store_id: int, name: str) -> bool:
        """Look at the staged file first: publishing moves it, and the lock with it."""
        return _is_held(self._staged(store_id, name)) or _is_held(self._file(store_id, name))

    def sweep_staged(self) -> None:
        """Delete the staged files of processes that died."""
        for file in self._staging.glob("*"):
            if _STAGED.fullmatch(file.name):
                _is_held(file, then_delete=True)

    def set_aside(self, store_id: int, names: set[str], *, now_us: int) -> tuple[int, int]:
        """Move blobs to `lost+found`, into a directory for each day; none while they are retained."""
        if self._are_retained():
            return 0, 0
        files = {name: self._file(store_id, name) for name in names}
        return set_aside(files, self._directory / str(store_id), self._lost, store_id=store_id, now_us=now_us)

    def forget_lost(self, *, now_us: int) -> None:
        """Delete the blobs that have been in `lost+found` for a month."""
        forget_lost(self._lost, now_us=now_us)

    def _staged(self, store_id: int, name: str) -> Path:
        return self._staging / f"{store_id}.{name}"

    def _file(self, store_id: int, name: str) -> Path:
        return self._directory / str(store_id) / name[:2] / name


class LocalStaged:
    """A file in the staging directory until it is published."""

    def __init__(self, file: Path, target: Path) -> None:
        self._file = file
        self._target = target
        self._descriptor = _create_held(file)

    def write(self, piece: bytes) -> None:
        """Append to the staged file."""
        view = memoryview(piece)
        with _room():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def publish(self) -> None:
        """fsync, rename, fsync the directories: only then is the name durable."""
        with _room():
            os.fsync(self._descriptor)
            directory = self._target.parent
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync_above(directory)
            self._file.rename(self._target)
            _sync_directory(directory)

    def discard(self) -> None:
        """Delete the file wherever it is by now."""
        self.close()
        for file in (self._file, self._target):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, which releases its lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LocalReader:
    """An open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of [start, stop)."""
        while start < stop:
            piece = os.pread(self._descriptor, min(BLOCK_BYTES, stop - start), start)
            if not piece:
                raise CorruptBlob("a blob is shorter than its row says")
            start += len(piece)
            yield piece

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
