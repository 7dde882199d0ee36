"""The storages that the contract is kept in: one store engine on SQLite, one on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from davstore.metadata.database import Database
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.sqlite import SQLite
from tests.contract.entrance import Entrance
from tests.contract.storage import Storage

BACKENDS = ("sqlite", "postgresql")
_names = (f"davstore_test_{os.getpid()}_{count}" for count in itertools.count())


class Backend:
    """Makes empty databases of one kind, each a copy of one that was migrated once."""

    def __init__(self, template: Path | str) -> None:
        self._template = template

    def database(self, directory: Path) -> Database:
        """Return a new database with tables; directory is for what lies in files."""
        if isinstance(self._template, Path):
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._template, directory / "davstore.sqlite")
            return SQLite(directory / "davstore.sqlite")
        server, _, template = self._template.rpartition("/")
        return PostgreSQL(create_database(server, template))


def create_database(server: str, template: str = "template1") -> str:
    """Make a database on a PostgreSQL server and return its URL."""
    name = next(_names)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server}/{name}"


def drop_database(server: str, database: str) -> None:
    """Delete a database, and end the connections to it."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_backend(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """Return SQLite."""
    directory = tmp_path_factory.mktemp("template")
    database = open_database("", directory)
    migrate(database)
    database.close()
    return Backend(directory / "davstore.sqlite")


@pytest.fixture(scope="session")
def postgresql_backend(postgresql_server: str) -> Backend:
    """Return PostgreSQL."""
    url = create_database(postgresql_server)
    database = open_database(url, Path())
    migrate(database)
    database.close()
    return Backend(url)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return each backend in turn; one that cannot be had is a failure."""
    found: Backend = request.getfixturevalue(f"{request.param}_backend")
    return found


Build = Callable[..., Storage]


@pytest.fixture
def build(backend: Backend, tmp_path: Path) -> Iterator[Build]:
    """Return a maker of storages on one backend, each with a database of its own."""
    yield from _builder(backend, tmp_path)


@pytest.fixture
def storage(build: Build) -> Storage:
    """Return an empty storage with one user, `me`."""
    return build()


@pytest.fixture
def sqlite_storage(sqlite_backend: Backend, tmp_path: Path) -> Iterator[Storage]:
    """Return a storage on SQLite, for what only SQLite has, or what the backend cannot change."""
    for build_storage in _builder(sqlite_backend, tmp_path):
        yield build_storage()


@pytest.fixture
def postgresql_storage(postgresql_backend: Backend, tmp_path: Path) -> Iterator[Storage]:
    """Return a storage on PostgreSQL, for what a file cannot suffer."""
    for build_storage in _builder(postgresql_backend, tmp_path):
        yield build_storage()


@pytest.fixture
def entrance(storage: Storage, tmp_path: Path) -> Iterator[Entrance]:
    """Yield where alice signs in."""
    made = Entrance(storage.database, tmp_path)
    yield made
    made.close()


def _builder(backend: Backend, directory: Path) -> Iterator[Build]:
    storages: list[Storage] = []

    def build_storage(**limits: int) -> Storage:
        place = directory / f"storage{len(storages)}"
        storages.append(Storage(backend.database(place), place, exists=False, **limits))
        return storages[-1]

    yield build_storage
    for storage in storages:
        found = storage.check() if storage.is_clean else []
        storage.database.close()
        if isinstance(storage.database, PostgreSQL):
            server, _, name = storage.database._url.rpartition("/")
            drop_database(server, name)
        assert not found, "the test left damage behind"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a directory on a disk of 32 MiB: only a real one runs full as real ones do. Only root mounts one."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
