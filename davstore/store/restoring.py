"""Restoring a backup. All of it is copied beside the present files, then one step puts the new rows in their place.

A blob is never changed, and its name is never given again: those of the backup lie beside the present ones, and until
the rows are replaced no row names them. So a restore that ends anywhere leaves the store as it was before, or as the
backup has it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import BadBackup, CorruptBlob, Unavailable
from davstore.metadata import integrity, stores
from davstore.metadata.archive import Archive
from davstore.metadata.database import Database
from davstore.metadata.integrity import BodyRow
from davstore.metadata.migrate import migrate
from davstore.metadata.unit import Unit
from davstore.store.backups import (
    Backup,
    Meter,
    copy_blob,
    copy_database,
    make_durable,
    open_rows,
    read_blob,
    verify_database,
)

STAGED = "restoring.sqlite"
"""The file of the new rows, in the data directory. While it is there a restore has not come to its end."""


class Restored(NamedTuple):
    """The number of stores, and the blobs that had been damaged already when the backup was made."""

    stores: int
    damaged: list[str]


def verify(backup: Backup, meter: Meter) -> None:
    """Read a whole backup, so that one that is damaged is refused before anything is touched.

    Raises:
        BadBackup: it was cut or altered.
    """
    meter.begin(2 * backup.manifest.body_bytes)  # read now, and again by `restore`
    verify_database(backup)
    with open_rows(backup) as archive:
        archive.read(lambda unit: _require_blobs(unit, backup, meter))


def restore(
    backup: Backup,
    database: Database,
    blobs: Blobs,
    directory: Path,
    *,
    join: Callable[[Unit], None] = lambda _: None,
    meter: Meter,
) -> Restored:
    """Put a backup that was verified in the place of all rows of a database; directory is its data directory.

    Every store gets a new epoch, so that no sync token from before fits. join may change the rows before they count.

    Raises:
        BadBackup: a body was altered since; then nothing is changed. AlreadyRunning: another program uses the database.
        DiskFull, Unavailable.
    """
    staged = directory / STAGED
    bodies, adopts = _Bodies(backup, blobs, meter), False
    try:
        with blobs.retain():
            count = _stage_rows(backup, staged, join)
            with contextlib.closing(Archive(staged)) as archive:
                archive.read(bodies.copy)
        make_durable(directory)
        adopts = True
        database.adopt(staged)
    except BaseException as error:
        if not (adopts and isinstance(error, Unavailable)):  # PostgreSQL did not answer its COMMIT: rows may be there
            bodies.discard()
            staged.unlink(missing_ok=True)
        raise
    staged.unlink(missing_ok=True)
    return Restored(count, bodies.damaged)


def _stage_rows(backup: Backup, staged: Path, join: Callable[[Unit], None]) -> int:
    """Make the file of the new rows: with today's tables, and new epochs."""
    staged.unlink(missing_ok=True)
    archive = Archive(staged, new=True)
    try:
        copy_database(backup, staged)
        migrate(archive)

        def renew(unit: Unit) -> int:
            join(unit)
            return stores.renew_epochs(unit)

        return archive.write(renew)
    finally:
        archive.close()
        make_durable(staged)


def _require_blobs(unit: Unit, backup: Backup, meter: Meter) -> None:
    for store_id, rows in _each_blob(unit):
        there = dict(backup.blobs.list_blobs(store_id))
        for row in rows:
            if backup.has_damaged(store_id, row):
                continue
            if there.get(row.blob or "") != row.length:
                raise BadBackup(f"blob {store_id}/{row.blob} is missing or was cut")
            if not _is_right(backup.blobs, store_id, row):
                raise BadBackup(f"blob {store_id}/{row.blob} was altered")
            meter.advance(row.length)


def _is_right(blobs: Blobs, store_id: int, row: BodyRow) -> bool:
    """Tell whether a body is there as its row says."""
    digest = hashlib.sha256()
    try:
        reader = blobs.open(store_id, row.blob or "")
        try:
            for piece in read_blob(reader, row.length):
                digest.update(piece)
        finally:
            reader.close()
    except CorruptBlob:
        return False
    return digest.hexdigest() == row.sha256


def _each_blob(unit: Unit) -> Iterator[tuple[int, Iterator[BodyRow]]]:
    """Yield the id of each store, and its bodies that are files."""
    for store_id, _ in integrity.list_stores(unit):
        yield store_id, (row for row in integrity.each_body(unit, store_id) if row.blob is not None)


class _Bodies:
    """The bodies of a backup on their way into a store, where some may be already."""

    def __init__(self, backup: Backup, target: Blobs, meter: Meter) -> None:
        self._backup, self._target, self._meter = backup, target, meter
        self._made: list[tuple[int, str]] = []
        self.damaged: list[str] = []

    def copy(self, unit: Unit) -> None:
        """Copy the missing bodies. Raises BadBackup."""
        for store_id, rows in _each_blob(unit):
            there = dict(self._target.list_blobs(store_id))
            for row in rows:
                is_there = there.get(row.blob or "") == row.length and _is_right(self._target, store_id, row)
                if not is_there:
                    self._copy(store_id, row, is_new=row.blob not in there)
                self._meter.count(row.length, kept=is_there)

    def discard(self) -> None:
        """Delete the copies: no row will name them."""
        for store_id, name in self._made:
            self._target.delete(store_id, name)

    def _copy(self, store_id: int, row: BodyRow, *, is_new: bool) -> None:
        """Copy a body, and take one that was damaged before as it is."""
        is_damaged = self._backup.has_damaged(store_id, row)

        def judge(sha256: str) -> None:
            if sha256 != row.sha256 and not is_damaged:
                raise BadBackup(f"blob {store_id}/{row.blob} was altered")

        if is_new:
            self._made.append((store_id, row.blob or ""))
        if is_damaged:
            self.damaged.append(f"{store_id}/{row.blob}")
        try:
            copy_blob(self._backup.blobs, self._target, store_id, row, judge=judge)
        except CorruptBlob as error:
            if not is_damaged:
                raise BadBackup(f"blob {store_id}/{row.blob} cannot be read") from error
