"""The only place where objects are built and joined."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.dav.app import build_dav
from davstore.dav.request import Backend
from davstore.errors import BadSettings, Unavailable
from davstore.metadata.engine import Database, is_missing, open_database
from davstore.metadata.migrate import migrate
from davstore.metadata.throttle import Throttle
from davstore.middleware.access_log import AccessLog
from davstore.middleware.auth import Authentication
from davstore.middleware.boundary import Boundary
from davstore.middleware.health import Health
from davstore.middleware.policy_file import PolicyFile
from davstore.middleware.sync_gate import SyncGate
from davstore.middleware.well_known import WellKnown
from davstore.policy.provider import list_unknown
from davstore.policy.sync_rules import Rule
from davstore.settings import Settings
from davstore.store import enrolling
from davstore.store.admitting import Gate
from davstore.store.authenticating import Authenticator
from davstore.store.context import Limits
from davstore.store.hashing import Passwords
from davstore.store.sweeping import sweep_history, sweep_uploads
from davstore.web.app import Pages

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


log = logging.getLogger("davstore.policy")

FIRST_USER = "me"
WEEK_SECONDS = 7 * 86_400


class House(NamedTuple):
    """Where everything is kept."""

    database: Database
    blobs: Blobs


def open_house(settings: Settings) -> House:
    """Open the database and the blobs, with the tables up to date."""
    directory = settings.data.path
    database = open_database(settings.database.url, directory)
    migrate(database)
    return House(database, LocalBlobs(directory / "blobs"))


def find_house(settings: Settings) -> House:
    """Open what a first start has made: a wrong path is not an empty store that is well.

    Raises:
        BadSettings: there is no database in the data directory.
    """
    if is_missing(settings.database.url, settings.data.path):
        raise BadSettings(f"data.path: {settings.data.path}: no store here")
    return open_house(settings)


def open_policy(settings: Settings) -> PolicyFile:
    """Read the provider's policy. Raises BadSettings: it is not there or wrong."""
    name = settings.policy.file
    return PolicyFile(Path(name) if name else None)


def list_unknown_names(settings: Settings, rules: Sequence[Rule]) -> list[str]:
    """Return what rules say of users and devices that are not there; nothing where there is no store to look at."""
    if not rules or is_missing(settings.database.url, settings.data.path):
        return []
    database = open_database(settings.database.url, settings.data.path)
    try:
        return list_unknown(rules, enrolling.list_names(database))
    except Unavailable as error:
        return [f"users and devices were not looked up: {error}"]
    finally:
        database.close()


def tell_policy(settings: Settings) -> None:
    """Say in the log which policy is in force. Raises BadSettings: it is not there or wrong."""
    rules = open_policy(settings).rules()
    if not settings.policy.file:
        log.warning("no policy file: every device may synchronise everything at any time")
        return
    log.info("%s: %d rules in force", settings.policy.file, len(rules))
    for line in list_unknown_names(settings, rules):
        log.warning("%s: %s", settings.policy.file, line)


class FirstUser(NamedTuple):
    """The user that the first start makes, with the password that is shown once."""

    name: str
    password: str


def prepare_store(settings: Settings) -> FirstUser | None:
    """Bring the tables up to date; in an empty store make the first user. Leaves no handle open.

    Raises:
        BadSettings: the policy file is not there or wrong, which no worker could say as well.
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
    gate = Gate(policy.rules, throttle, database)
    gated = SyncGate(faces, gate, requires_device=settings.policy.require_device)
    inner = Authentication(gated, Authenticator(database, throttle, Passwords(), key=key))

    def check() -> None:
        if not directory.is_dir():
            raise Unavailable(f"no directory {directory}")
        database.read(lambda _unit: None)
        policy.check()

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
