"""Real servers on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.client.served import Server
from tests.contract.conftest import create_database, drop_database

Serve = Callable[..., Server]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield '' for SQLite, then the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgresql_server")
    url = create_database(server)
    yield url
    drop_database(server, url.rpartition("/")[2])


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Return what starts a server on a database; small bodies are blobs, so that blobs are many."""
    running: list[Server] = []

    def start(data: Path | None = None, **settings: str) -> Server:
        given = {"DATABASE__URL": database_url, "STORAGE__INLINE_BYTES": "2000", **settings}
        running.append(Server(data or tmp_path / "data", tmp_path / "log", **given))
        return running[-1]

    yield start
    for server in running:
        server.kill()


@pytest.fixture
def settled(database_url: str) -> Callable[[], bool]:
    """Return what tells whether the database is done with what killed servers had asked of it."""
    others = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
    """

    def is_settled() -> bool:
        if not database_url:
            return True
        with psycopg.connect(database_url, autocommit=True) as connection:
            return connection.execute(others).fetchone() == (0,)

    return is_settled
