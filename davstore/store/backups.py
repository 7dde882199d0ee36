"""A backup as it lies in a directory: one SQLite file of all rows, the bodies that are files, and a manifest of both.

The manifest names the database file, whose own name says its digest. So a reader finds the earlier backup whole until
the manifest of the new one is in its place, whatever was written beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from davstore.blobs import Blobs, Reader
from davstore.errors import AlreadyRunning, BadBackup, BadSettings, CorruptBlob, Unprocessable
from davstore.metadata.archive import Archive
from davstore.metadata.integrity import BodyRow
from davstore.metadata.migrate import HEAD, migrate

FORMAT = 1
"""The newest form of a backup; one with a higher number is of a newer davstore."""
MANIFEST = "backup.json"
_LOCK = "in-use.lock"
_BLOCK_BYTES = 1 << 20


class Meter:
    """The progress of a backup or a restore: bodies that were copied or found in their place."""

    def __init__(self) -> None:
        self.copied = self.copied_bytes = self.kept = self.kept_bytes = 0

    def begin(self, total_bytes: int) -> None:
        """Show the number of bytes in all, an estimate: here nowhere."""

    def advance(self, length: int) -> None:
        """Show that more bytes are done: here nowhere."""

    def count(self, length: int, *, kept: bool) -> None:
        """Count a body as done."""
        if kept:
            self.kept, self.kept_bytes = self.kept + 1, self.kept_bytes + length
        else:
            self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + length
        self.advance(length)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of a backup. damaged are blobs, as `store/blob`, kept as damaged as they were found."""

    revision: str
    instance: str | None
    made_at: str
    database_file: str
    database_bytes: int
    database_sha256: str
    rows: dict[str, int]
    bodies: int
    body_bytes: int
    damaged: list[str]
    format: int = FORMAT

    def render(self) -> bytes:
        """Return the file: the fields in order of their names, and a digest of them."""
        digest = hashlib.sha256(_render(asdict(self))).hexdigest()
        return _render({**asdict(self), "sha256": digest})


def _render(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest, every byte of which must be as `Manifest.render` writes it.

    Raises:
        BadBackup: it was cut or altered.
        Unprocessable: it is of a newer davstore.
    """
    try:
        fields = json.loads(content)
        if type(fields["format"]) is int and fields["format"] > FORMAT:
            raise Unprocessable(f"the backup is of a newer davstore: its format is {fields['format']}, not {FORMAT}")
        fields.pop("sha256")
        manifest = Manifest(**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadBackup(f"{MANIFEST} was cut or altered") from error
    if manifest.render() != content:
        raise BadBackup(f"{MANIFEST} was cut or altered")
    if manifest.revision > HEAD:
        raise Unprocessable(f"the backup is of a newer davstore: its tables are {manifest.revision}, not {HEAD}")
    return manifest


def is_backup(directory: Path) -> bool:
    """Tell whether a directory holds a backup, and so is no data directory."""
    return (directory / MANIFEST).exists()


def refuse_backup(directory: Path) -> None:
    """Raise BadSettings when a data directory is a backup: it is to be restored, and never written to."""
    if is_backup(directory):
        raise BadSettings(f"data.path: {directory}: a backup; davstore restore makes a store of it")


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        Unprocessable: there is no backup, or it is of a newer davstore. BadBackup: it was cut or altered.
    """
    try:
        return parse_manifest((directory / MANIFEST).read_bytes())
    except OSError as error:
        raise Unprocessable(f"{directory}: no backup here ({MANIFEST}: {error.strerror})") from error


def digest_file(file: Path, *, copy_to: Path | None = None) -> tuple[int, str]:
    """Return length and digest of a file, and copy it on the way."""
    length, digest = 0, hashlib.sha256()
    with file.open("rb") as source, contextlib.ExitStack() as stack:
        copy = stack.enter_context(copy_to.open("wb")) if copy_to else None
        while piece := source.read(_BLOCK_BYTES):
            length += len(piece)
            digest.update(piece)
            if copy:
                copy.write(piece)
    return length, digest.hexdigest()


class Backup(NamedTuple):
    """A backup with its manifest read, to be checked or restored."""

    directory: Path
    manifest: Manifest
    blobs: Blobs

    @property
    def database_file(self) -> Path:
        """The file of all rows."""
        return self.directory / self.manifest.database_file

    def has_damaged(self, store_id: int, row: BodyRow) -> bool:
        """Tell whether a body was damaged already when the backup was made."""
        return f"{store_id}/{row.blob}" in self.manifest.damaged


def verify_database(backup: Backup) -> None:
    """Read the file of all rows and compare it with the manifest.

    Raises:
        BadBackup: it is not there, cannot be read, or is not as the manifest says.
    """
    try:
        found = digest_file(backup.database_file)
    except OSError as error:
        raise BadBackup(f"{backup.manifest.database_file}: {error.strerror}") from error
    _require_digest(backup, found)


def copy_database(backup: Backup, file: Path) -> None:
    """Copy the file of all rows. Raises BadBackup when it is not as the manifest says."""
    _require_digest(backup, digest_file(backup.database_file, copy_to=file))


def _require_digest(backup: Backup, found: tuple[int, str]) -> None:
    if found != (backup.manifest.database_bytes, backup.manifest.database_sha256):
        raise BadBackup(f"{backup.manifest.database_file} was cut or altered")


@contextlib.contextmanager
def open_rows(backup: Backup) -> Iterator[Archive]:
    """Open the rows of a backup that was verified, with the tables of today: those of an older davstore in a copy."""
    with tempfile.TemporaryDirectory(prefix="davstore-") as directory, contextlib.ExitStack() as stack:
        if backup.manifest.revision == HEAD:
            archive = Archive(backup.database_file)
        else:
            copy = Path(directory) / "davstore.sqlite"
            copy_database(backup, copy)
            archive = Archive(copy, new=True)
            migrate(archive)
        stack.enter_context(contextlib.closing(archive))
        yield archive


@contextlib.contextmanager
def hold_backup(directory: Path, *, writing: bool) -> Iterator[None]:
    """Lock the directory of a backup for one writer or for any number of readers.

    Raises:
        AlreadyRunning: another davstore process writes there, or reads while this one is to write.
        Unprocessable: it cannot be made, or holds something else.
    """
    try:
        if writing:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(directory.iterdir()) and not is_backup(directory) and not (directory / _LOCK).exists():
                raise Unprocessable(f"{directory}: neither empty nor a backup")
        descriptor = _open_lock(directory, writing=writing)
    except OSError as error:
        raise Unprocessable(f"{directory}: {error.strerror}") from error
    if descriptor is None:
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if writing else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another davstore process uses the backup {directory}") from error
        yield
    finally:
        os.close(descriptor)


def _open_lock(directory: Path, *, writing: bool) -> int | None:
    """Open the lock file; None where a reader finds none, as in a copy of a backup: then no backup is written there."""
    try:
        flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
        return os.open(directory / _LOCK, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        if writing:
            raise
        return None


def make_durable(file: Path) -> None:
    """Bring a file, or the entries of a directory, to the disk."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_blob(source: Blobs, target: Blobs, store_id: int, row: BodyRow, *, judge: Callable[[str], object]) -> None:
    """Copy a blob whole, unless judge, which gets the digest of the copy, raises an error.

    Raises:
        CorruptBlob: it is missing, cut or cannot be read; then nothing was made. DiskFull.
    """
    name = row.blob or ""
    digest = hashlib.sha256()
    reader = source.open(store_id, name)
    try:
        staged = target.stage(store_id, name)
        try:
            for piece in read_blob(reader, row.length):
                digest.update(piece)
                staged.write(piece)
            judge(digest.hexdigest())
        except BaseException:
            staged.discard()
            raise
        staged.publish()
        staged.close()
    finally:
        reader.close()


def read_blob(reader: Reader, length: int) -> Iterator[bytes]:
    """Yield the bytes of a blob; a sector that cannot be read is damage like any other. Raises CorruptBlob."""
    try:
        yield from reader.read(0, length)
    except OSError as error:
        raise CorruptBlob(f"a blob cannot be read: {error.strerror}") from error
