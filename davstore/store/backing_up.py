"""Backing a store up while it is served: the rows of one instant, and the bodies that they name."""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import CorruptBlob, Unprocessable
from davstore.metadata import dump, integrity, uploads
from davstore.metadata.archive import Archive
from davstore.metadata.database import Database
from davstore.metadata.integrity import BodyRow
from davstore.metadata.migrate import HEAD, migrate
from davstore.metadata.unit import Unit
from davstore.store.backups import (
    MANIFEST,
    Manifest,
    Meter,
    copy_blob,
    digest_file,
    hold_backup,
    is_backup,
    make_durable,
    read_manifest,
)
from davstore.store.checking import Finding

_NEW = "new.sqlite"
_ROWS = re.compile(r"davstore-[0-9a-f]{16}\.sqlite")


class BackedUp(NamedTuple):
    """The result: the manifest, how many bodies in files were copied and kept, and the damage found in the store."""

    manifest: Manifest
    meter: Meter
    damaged: list[Finding]


def back_up(
    database: Database,
    blobs: Blobs,
    directory: Path,
    backup_blobs: Blobs,
    *,
    made_at: str,
    instance: str | None,
    meter: Meter,
) -> BackedUp:
    """Make the directory a backup of this instant. Bodies that an earlier backup brought there are not copied again.

    The earlier backup stays whole until the new manifest is in its place. Damaged bodies are copied as they are, and
    reported.

    Raises:
        Unprocessable: the directory holds something else, or the backup of another instance.
        AlreadyRunning: another process uses the directory, or backs up the same store.
        BadBackup: the manifest in the directory was altered. DiskFull, Unavailable.
    """
    with hold_backup(directory, writing=True), blobs.retain():
        earlier = read_manifest(directory) if is_backup(directory) else None
        if earlier and instance != earlier.instance:
            raise Unprocessable(f"{directory}: a backup of another instance of davstore")
        _sweep_files(directory, earlier)
        backup_blobs.sweep_staged()
        rows = _write_rows(database, directory / _NEW, meter)
        archive = Archive(directory / _NEW)
        try:
            bodies = _Bodies(blobs, backup_blobs, set(earlier.damaged if earlier else ()), meter)
            archive.read(bodies.copy)
            manifest = _publish(directory, bodies, rows=rows, made_at=made_at, instance=instance)
            _sweep_files(directory, manifest)
            _sweep_blobs(archive, backup_blobs)
        finally:
            archive.close()
        return BackedUp(manifest, meter, bodies.damaged)


def _write_rows(database: Database, file: Path, meter: Meter) -> dict[str, int]:
    """Copy the rows of one snapshot into a new file."""
    archive = Archive(file, new=True)
    try:
        migrate(archive)

        def copy(source: Unit) -> dict[str, int]:
            meter.begin(dump.sum_bytes(source))
            return archive.write(lambda target: dump.copy_rows(source, target, copied=meter.advance))

        return database.read(copy)
    finally:
        archive.close()


class _Bodies:
    """The bodies of a snapshot on their way: those in the database are digested, those in files copied."""

    def __init__(self, source: Blobs, target: Blobs, distrusted: set[str], meter: Meter) -> None:
        self._source, self._target, self._meter = source, target, meter
        self._distrusted = distrusted
        self.count = self.bytes = 0
        self.damaged: list[Finding] = []
        self.damaged_blobs: list[str] = []

    def copy(self, unit: Unit) -> None:
        """Copy the missing bodies of all stores."""
        for store_id, owner in integrity.list_stores(unit):
            there = dict(self._target.list_blobs(store_id))
            for row in integrity.each_body(unit, store_id):
                if row.blob is None:
                    if hashlib.sha256(row.inline or b"").hexdigest() != row.sha256:
                        self.damaged.append(Finding(owner, "body does not match its digest", str(row.id)))
                    continue
                self.count += 1
                self.bytes += row.length
                is_there = there.get(row.blob) == row.length and f"{store_id}/{row.blob}" not in self._distrusted
                kind = None if is_there else self._copy_damaged(store_id, row)
                if kind:
                    self.damaged.append(Finding(owner, kind, row.blob))
                    self.damaged_blobs.append(f"{store_id}/{row.blob}")
                self._meter.count(row.length, kept=is_there)

    def _copy_damaged(self, store_id: int, row: BodyRow) -> str | None:
        """Copy a body and return its damage, if there is any."""
        found: list[str] = []
        try:
            copy_blob(self._source, self._target, store_id, row, judge=found.append)
        except CorruptBlob:
            return "blob is missing, cut or cannot be read"
        return None if found == [row.sha256] else "body does not match its digest"


def _publish(directory: Path, bodies: _Bodies, *, rows: dict[str, int], made_at: str, instance: str | None) -> Manifest:
    """Name the database file for its digest, and put the manifest that names it in the place of the earlier one."""
    length, sha256 = digest_file(directory / _NEW)
    manifest = Manifest(
        revision=HEAD,
        instance=instance,
        made_at=made_at,
        database_file=f"davstore-{sha256[:16]}.sqlite",
        database_bytes=length,
        database_sha256=sha256,
        rows=rows,
        bodies=bodies.count,
        body_bytes=bodies.bytes,
        damaged=sorted(bodies.damaged_blobs),
    )
    make_durable(directory / _NEW)
    (directory / _NEW).rename(directory / manifest.database_file)
    make_durable(directory)
    new = directory / f"{MANIFEST}.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(manifest.render())
        file.flush()
        os.fsync(file.fileno())
    new.rename(directory / MANIFEST)
    make_durable(directory)
    return manifest


def _sweep_files(directory: Path, manifest: Manifest | None) -> None:
    """Delete the files of backups that did not end, or were followed by another."""
    for file in directory.glob("*.sqlite"):
        if file.name == _NEW or (_ROWS.fullmatch(file.name) and file.name != (manifest and manifest.database_file)):
            file.unlink()


def _sweep_blobs(archive: Archive, blobs: Blobs) -> None:
    """Delete the blobs that the rows of this backup do not name."""
    for store_id in blobs.list_stores():
        named = archive.read(partial(uploads.list_named_blobs, store_id=store_id))
        for name, _ in blobs.list_blobs(store_id):
            if name not in named:
                blobs.delete(store_id, name)
