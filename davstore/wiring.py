"""The only place where objects are built and joined."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.dav.app import build_dav
from davstore.dav.request import Backend
from davstore.errors import BadSettings, Unavailable, Unprocessable
from davstore.metadata import stores
from davstore.metadata.engine import Database, is_missing, open_database
from davstore.metadata.migrate import find_revision, migrate
from davstore.metadata.throttle import Throttle
from davstore.middleware.access_log import AccessLog
from davstore.middleware.auth import Authentication
from davstore.middleware.boundary import Boundary
from davstore.middleware.health import Health
from davstore.middleware.policy_file import PolicyFile
from davstore.middleware.sync_gate import SyncGate
from davstore.middleware.well_known import WellKnown
from davstore.settings import Policy, Settings
from davstore.store import backing_up, backups, enrolling, restoring
from davstore.store.admitting import Gate
from davstore.store.authenticating import Authenticator
from davstore.store.backing_up import BackedUp
from davstore.store.backups import Backup, Meter
from davstore.store.context import Limits
from davstore.store.hashing import Passwords
from davstore.store.restoring import Restored
from davstore.store.sweeping import sweep_history, sweep_uploads
from davstore.web.app import Pages

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


FIRST_USER = "me"
WEEK_SECONDS = 7 * 86_400


class House(NamedTuple):
    """Where everything is kept."""

    database: Database
    blobs: Blobs


def open_house(settings: Settings) -> House:
    """Open the database and the blobs, with the tables up to date."""
    directory = settings.data.path
    _require_data_directory(directory)
    database = open_database(settings.database.url, directory)
    migrate(database)
    return House(database, LocalBlobs(directory / "blobs"))


def find_house(settings: Settings) -> House:
    """Open what a first start has made: a wrong path is not an empty store that is well.

    Raises:
        BadSettings: there is no database in the data directory.
    """
    _require_data_directory(settings.data.path)
    if is_missing(settings.database.url, settings.data.path):
        raise BadSettings(f"data.path: {settings.data.path}: no store here")
    return open_house(settings)


def open_policy(settings: Settings) -> PolicyFile:
    """Read the provider's policy; only the default file may be missing.

    Raises:
        BadSettings: it is not there or wrong.
    """
    name = settings.policy.file
    is_left_out = name == Policy().file and not Path(name).exists()
    return PolicyFile(Path(name) if name and not is_left_out else None)


@contextlib.contextmanager
def open_backup(directory: Path) -> Iterator[Backup]:
    """Hold a backup against those that write one there, and read its manifest.

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
    house = find_house(settings)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return backing_up.back_up(
            house.database,
            house.blobs,
            directory,
            LocalBlobs(directory / "blobs"),
            made_at=made_at,
            instance=None,  # identity: the id that directory and database bear
            meter=meter,
        )
    finally:
        house.database.close()


def restore(settings: Settings, backup: Backup, meter: Meter, *, force: bool) -> Restored:
    """Verify a backup, and put it in the place of the store of the settings, which nobody serves meanwhile.

    Raises:
        Unprocessable: there is a store, and force was not given. Others: as `restoring.restore`.
    """
    directory, url = settings.data.path, settings.database.url
    restoring.verify(backup)
    database, blobs = open_database(url, directory), LocalBlobs(directory / "blobs")
    try:
        is_again = (directory / restoring.STAGED).exists()
        if not force and (_has_stores(settings, database) or (blobs.list_stores() and not is_again)):
            raise Unprocessable(f"{directory}: there is a store already; --force puts the backup in its place")
        if url:
            migrate(database)
        # identity: join gives the rows the id of the directory, or the directory that of the rows
        restored = restoring.restore(backup, database, blobs, directory, meter=meter)
        for file in directory.glob("throttle.sqlite*"):  # what it knows of devices and passwords is of another store
            file.unlink()
        return restored
    finally:
        database.close()


def _has_stores(settings: Settings, database: Database) -> bool:
    """Tell whether a restore would be the end of a store."""
    if not settings.database.url:
        return not is_missing("", settings.data.path)
    return find_revision(database) is not None and bool(database.read(stores.list_owners))


def _require_data_directory(directory: Path) -> None:
    """Raise BadSettings when a directory holds a backup, or a restore that did not come to its end."""
    backups.refuse_backup(directory)
    if (directory / restoring.STAGED).exists():
        raise BadSettings(
            f"data.path: {directory}: a restore did not come to its end; run davstore restore again, or remove"
            f" {restoring.STAGED} there to go on with what was before"
        )


class FirstUser(NamedTuple):
    """The user that the first start makes, with the password that is shown once."""

    name: str
    password: str


def prepare_store(settings: Settings) -> FirstUser | None:
    """Bring the tables up to date; in an empty store make the first user. Leaves no handle open.

    Raises:
        BadSettings: the policy file is wrong, which no worker could say as well.
    """
    open_policy(settings)
    database = open_house(settings).database
    try:
        if enrolling.list_users(database):
            return None
        first = FirstUser(FIRST_USER, enrolling.new_password())
        enrolling.add_user(database, first.name, first.password, now_us=time.time_ns() // 1000)
        return first
    finally:
        database.close()


def sweep(settings: Settings) -> None:
    """Take away the history that no device may ask for any more, and what crashed uploads left."""
    house = open_house(settings)
    now_us = time.time_ns() // 1000
    try:
        sweep_history(
            house.database,
            now_us=now_us,
            keep_seconds=settings.sync.history_weeks * WEEK_SECONDS,
            keep_changes=settings.sync.history_changes,
        )
        sweep_uploads(house.database, house.blobs)
    finally:
        house.database.close()


def build_application(settings: Settings, *, key: bytes | None = None) -> WSGIApplication:
    """Build the WSGI application of one process. Handles to the database open on first use, after any fork.

    Applications with the same key know of each other whose password was proven.
    """
    directory = settings.data.path
    _require_data_directory(directory)
    database = open_database(settings.database.url, directory)
    throttle = Throttle(
        directory / "throttle.sqlite",
        failures_before_delay=settings.auth.failures_before_delay,
        delay_seconds=settings.auth.delay_seconds,
    )
    policy = open_policy(settings)
    drops_litter = settings.storage.finder_litter == "drop"
    backend = Backend(database, LocalBlobs(directory / "blobs"), _limits(settings), drops_litter)
    faces = Pages(build_dav(backend), backend.context)
    gated = SyncGate(faces, Gate(policy.rules, throttle, database))
    inner = Authentication(gated, Authenticator(database, throttle, Passwords(), key=key))

    def check() -> None:
        if not directory.is_dir():
            raise Unavailable(f"no directory {directory}")
        database.read(lambda _unit: None)

    health = Health(WellKnown(inner), check)
    return AccessLog(Boundary(health, realm=settings.auth.realm, proxies=settings.server.proxies))


def _limits(settings: Settings) -> Limits:
    return Limits(
        inline_bytes=settings.storage.inline_bytes,
        propfind_members=settings.limits.propfind_members,
        sync_rows=settings.sync.rows_per_page,
        properties_per_node=settings.limits.properties_per_node,
        upload_seconds=settings.limits.upload_seconds,
        locks_per_user=settings.limits.locks_per_user,
        locks_per_resource=settings.limits.locks_per_resource,
        lock_seconds=settings.limits.lock_seconds,
    )
