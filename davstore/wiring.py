"""The only place where objects are built and joined."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.dav.app import build_dav
from davstore.dav.request import Backend
from davstore.directory import identity
from davstore.directory.numbers import Numbers
from davstore.errors import BadSettings, DavstoreError, Unavailable
from davstore.metadata.engine import Database, open_database
from davstore.metadata.migrate import migrate
from davstore.metadata.throttle import Throttle
from davstore.middleware.access_log import AccessLog
from davstore.middleware.auth import Authentication
from davstore.middleware.boundary import Boundary
from davstore.middleware.health import Health
from davstore.middleware.policy_file import PolicyFile
from davstore.middleware.sync_gate import SyncGate
from davstore.middleware.well_known import WellKnown
from davstore.settings import Policy, Settings
from davstore.store import enrolling, recognising
from davstore.store.admitting import Gate
from davstore.store.authenticating import Authenticator
from davstore.store.context import Limits
from davstore.store.hashing import Passwords
from davstore.store.sweeping import sweep_history, sweep_uploads
from davstore.web.app import Pages

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


FIRST_USER = "me"
WEEK_SECONDS = 7 * 86_400

log = logging.getLogger("davstore.directory")


class House(NamedTuple):
    """Where everything is kept."""

    database: Database
    blobs: Blobs


def open_house(settings: Settings, *, adopts: bool = False) -> House:
    """Open the store, with the tables up to date; make it where there is none.

    What was put back from a copy gets new epochs. adopts: `recognising.recognise`.

    Raises:
        BadSettings: the data directory and the database belong to different stores, or one of them is not there.
    """
    directory = settings.data.path
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    house = _build_house(settings)
    recognising.set_stale_log_aside(house.database, directory)
    recognising.is_made(house.database, directory, house.blobs, adopts=adopts)
    return _enter(house, directory, adopts=adopts)


def enter_house(settings: Settings) -> House:
    """Open the store as `open_house` does, where there is one, for a server that is not ours. Raises BadSettings."""
    house = _enter(_find_made(settings), settings.data.path, adopts=False)
    renew_identity(settings)
    return house


def find_house(settings: Settings) -> House:
    """Open the store for a command that looks, or changes rows: a directory is neither made nor joined to a database.

    Raises:
        BadSettings: there is no store, or the data directory and the database belong to different ones.
    """
    house = _find_made(settings)
    try:
        migrate(house.database)
        recognising.require_match(house.database, settings.data.path, house.blobs)
    except DavstoreError:
        house.database.close()
        raise
    return house


def _build_house(settings: Settings) -> House:
    directory = settings.data.path
    return House(open_database(settings.database.url, directory), LocalBlobs(directory / "blobs"))


def _find_made(settings: Settings) -> House:
    house, directory = _build_house(settings), settings.data.path
    recognising.set_stale_log_aside(house.database, directory)
    if not directory.is_dir() or not recognising.is_made(house.database, directory, house.blobs):
        raise BadSettings(f"data.path: {directory}: no store here; `davstore init` makes one, and so does `serve`")
    return house


def _enter(house: House, directory: Path, *, adopts: bool) -> House:
    with identity.hold(directory):  # gunicorn's workers start all at once
        migrate(house.database)
    numbers = Numbers(directory)
    try:
        recognising.recognise(house.database, directory, numbers, house.blobs, adopts=adopts)
    finally:
        numbers.close()
    return house


def open_policy(settings: Settings) -> PolicyFile:
    """Read the provider's policy; only the default file may be missing.

    Raises:
        BadSettings: it is not there or wrong.
    """
    name = settings.policy.file
    is_left_out = name == Policy().file and not Path(name).exists()
    return PolicyFile(Path(name) if name and not is_left_out else None)


class FirstUser(NamedTuple):
    """The user that the first start makes, with the password that is shown once."""

    name: str
    password: str


def prepare_store(settings: Settings, *, adopts: bool = False) -> FirstUser | None:
    """Open the store as `open_house` does; in an empty one make the first user. Leaves no handle open.

    Raises:
        BadSettings: also when the policy file is wrong, which no worker could say as well.
    """
    open_policy(settings)
    database = open_house(settings, adopts=adopts).database
    try:
        renew_identity(settings)
        if enrolling.list_users(database):
            return None
        first = FirstUser(FIRST_USER, enrolling.new_password())
        enrolling.add_user(database, first.name, first.password, now_us=time.time_ns() // 1000)
        return first
    finally:
        database.close()


def renew_identity(settings: Settings) -> None:
    """Write the identity of the data directory anew: a copy that was made before is told from it then.

    Where that is not possible, as on a full disk, the old one stays.
    """
    file = open_database(settings.database.url, settings.data.path).file
    try:
        identity.renew_identity(settings.data.path, file)
    except (OSError, BadSettings) as error:
        log.warning("the identity of %s was not renewed: %s", settings.data.path, error)


def sweep(settings: Settings) -> None:
    """Take away the history that no device may ask for any more, and what crashed uploads left.

    Raises:
        BadSettings: the data directory and the database do not belong together any more; nothing is taken away.
    """
    house = find_house(settings)
    now_us = time.time_ns() // 1000
    try:
        renew_identity(settings)
        sweep_history(
            house.database,
            now_us=now_us,
            keep_seconds=settings.sync.history_weeks * WEEK_SECONDS,
            keep_changes=settings.sync.history_changes,
        )
        swept = sweep_uploads(house.database, house.blobs, now_us=now_us)
    finally:
        house.database.close()
    if swept.blobs:
        lost = settings.data.path / "lost+found"
        log.warning("%d bytes in %d bodies that no row names were moved to %s", swept.size_bytes, swept.blobs, lost)


def build_application(settings: Settings, *, key: bytes | None = None) -> WSGIApplication:
    """Build the WSGI application of one process. Handles to the database open on first use, after any fork.

    Applications with the same key know of each other whose password was proven.
    """
    directory = settings.data.path
    database = open_database(settings.database.url, directory)
    throttle = Throttle(
        directory / "throttle.sqlite",
        failures_before_delay=settings.auth.failures_before_delay,
        delay_seconds=settings.auth.delay_seconds,
    )
    policy = open_policy(settings)
    drops_litter = settings.storage.finder_litter == "drop"
    blobs, numbers = LocalBlobs(directory / "blobs"), Numbers(directory)
    backend = Backend(database, blobs, _limits(settings), drops_litter, note=numbers.note)
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
