"""The only place where objects are built and joined."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.errors import NotFound, Unavailable
from davstore.metadata.engine import Database, open_database
from davstore.metadata.migrate import migrate
from davstore.middleware.access_log import AccessLog
from davstore.middleware.health import Health
from davstore.settings import Settings
from davstore.store import enrolling

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


FIRST_USER = "me"


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


class FirstUser(NamedTuple):
    """The user that the first start makes, with the password that is shown once."""

    name: str
    password: str


def prepare_store(settings: Settings) -> FirstUser | None:
    """Bring the tables up to date; in an empty store make the first user. Leaves no handle open."""
    database = open_house(settings).database
    try:
        if enrolling.list_users(database):
            return None
        first = FirstUser(FIRST_USER, enrolling.new_password())
        enrolling.add_user(database, first.name, first.password, now_us=time.time_ns() // 1000)
        return first
    finally:
        database.close()


def build_application(settings: Settings) -> WSGIApplication:
    """Build the WSGI application of one process. Handles to the database open on first use, after any fork."""

    def check() -> None:
        if not settings.data.path.is_dir():
            raise Unavailable(f"no directory {settings.data.path}")

    return AccessLog(Health(_nothing, check))


def _nothing(_environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
    raise NotFound
