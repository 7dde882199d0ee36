"""Backups joined together: the store of the settings with a backup beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from davstore.blobs.local import LocalBlobs
from davstore.directory import identity
from davstore.errors import Unprocessable
from davstore.metadata import instance, stores
from davstore.metadata.database import Database
from davstore.metadata.migrate import find_revision, migrate
from davstore.metadata.opening import open_database
from davstore.settings import Settings
from davstore.store import backing_up, backups, recognising, restoring
from davstore.store.backing_up import BackedUp
from davstore.store.backups import Backup, Meter
from davstore.store.restoring import Restored
from davstore.wiring import find_storage


@contextlib.contextmanager
def open_backup(directory: Path) -> Iterator[Backup]:
    """Hold a backup against processes that write one there, and read its manifest.

    Raises:
        Unprocessable: there is no backup, or it is of a newer davstore. BadBackup: it was cut or altered.
        AlreadyRunning: a backup is being written there.
    """
    with backups.hold_backup(directory, writing=False):
        yield Backup(directory, backups.read_manifest(directory), LocalBlobs(directory / "blobs"))


def back_up(settings: Settings, directory: Path, meter: Meter) -> BackedUp:
    """Back up the store of the settings into a directory.

    Raises:
        Unprocessable: the directory is the data directory, or inside it. Others: as `backing_up.back_up`.
    """
    data = settings.data.path.resolve()
    if directory.resolve().is_relative_to(data):
        raise Unprocessable(f"{directory}: a backup inside the data directory would be lost with it")
    storage = find_storage(settings)
    try:
        return backing_up.back_up(
            storage.database,
            storage.blobs,
            directory,
            LocalBlobs(directory / "blobs"),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            instance=storage.database.read(instance.get).id,
            meter=meter,
        )
    finally:
        storage.database.close()


def verify_backup(settings: Settings, backup: Backup, meter: Meter) -> None:
    """Check that a backup can be restored into the data directory of the settings; nothing is changed.

    Raises:
        BadBackup: it was cut or altered. Unprocessable: the data directory would be in it.
    """
    if backup.directory.resolve() in settings.data.path.resolve().parents:
        raise Unprocessable(f"data.path: {settings.data.path}: a store inside a backup would be lost with it")
    restoring.verify(backup, meter)


_AS_GOOD_AS_NONE = frozenset({"serve.lock", "identity.lock", "backup.lock", "blobs", "lost+found"})
"""The files that a failed restore leaves in a directory, and that a new file system has."""


def restore(settings: Settings, backup: Backup, meter: Meter, *, force: bool) -> Restored:
    """Put a verified backup in the place of the store of the settings, which no process may serve meanwhile.

    Raises:
        Unprocessable: there is a store, or something else, and force was not given. Others: as `restoring.restore`.
    """
    directory, url = settings.data.path, settings.database.url
    database, blobs = open_database(url, directory), LocalBlobs(directory / "blobs")
    try:
        is_again = (directory / restoring.STAGED).exists()
        if not force and (_has_stores(database) or (blobs.list_stores() and not is_again)):
            raise Unprocessable(f"{directory}: there is a store already; --force puts the backup in its place")
        if not force and not is_again and (names := {file.name for file in directory.iterdir()} - _AS_GOOD_AS_NONE):
            raise Unprocessable(f"{directory}: not empty, there is {min(names)}; --force restores into it all the same")
        if url:
            migrate(database)
        known = identity.find_identity(directory)
        restored = restoring.restore(
            backup, database, blobs, directory, join=partial(recognising.join_rows, known=known), meter=meter
        )
        recognising.join_directory(database, directory)
        for suffix in ("", "-wal", "-shm"):  # its rounds and guesses are of another store
            (directory / f"throttle.sqlite{suffix}").unlink(missing_ok=True)
        return restored
    finally:
        database.close()


def _has_stores(database: Database) -> bool:
    """Tell whether a restore would replace a store; a file that cannot be read may be one."""
    if database.file is not None:
        return database.is_there
    return find_revision(database) is not None and bool(database.read(stores.list_owners))
