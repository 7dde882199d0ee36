"""Backups of storages, and storages made of backups, as the commands make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.metadata.database import Database
from davstore.metadata.tables import metadata
from davstore.store import backing_up, restoring
from davstore.store.backing_up import BackedUp
from davstore.store.backups import Backup, Meter, read_manifest
from davstore.store.restoring import Restored
from tests.contract.storage import Storage

MADE_AT = "2026-11-30T12:00:00+00:00"


def back_up(
    storage: Storage,
    directory: Path,
    target: Blobs | None = None,
    *,
    meter: Meter | None = None,
    instance: str | None = None,
) -> BackedUp:
    """Back a storage up."""
    return backing_up.back_up(
        storage.database,
        storage.blobs,
        directory,
        target or LocalBlobs(directory / "blobs"),
        made_at=MADE_AT,
        instance=instance,
        meter=meter or Meter(),
    )


def open_backup(directory: Path) -> Backup:
    """Return a backup, its manifest read."""
    return Backup(directory, read_manifest(directory), LocalBlobs(directory / "blobs"))


def restore(directory: Path, database: Database, place: Path, meter: Meter | None = None) -> Restored:
    """Verify a backup and restore it into a database and the data directory beside it."""
    place.mkdir(exist_ok=True)
    backup, meter = open_backup(directory), meter or Meter()
    restoring.verify(backup, meter)
    return restoring.restore(backup, database, LocalBlobs(place / "blobs"), place, meter=meter)


def list_rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row, but those of uploads and without the epochs of stores."""
    with database.engine().connect() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(select(*(c for c in table.c if c.name != "epoch")))), key=repr
            )
            for table in metadata.sorted_tables
            if table.name != "upload"
        }


def list_files(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory that are of a store or a backup, but for the databases and locks."""
    return {
        file.relative_to(directory).as_posix(): file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file() and not file.name.endswith(("-wal", "-shm", ".lock", ".sqlite"))
    }
