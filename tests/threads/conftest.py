"""A signed-in client on an empty store, of which `davstore check` finds nothing in the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.store.checking import check
from tests.dav.client import Client


class Prepared(Client):
    """A client of a store that has its users already."""

    def _create(self, owner: str, quota_bytes: int | None) -> None:
        """Leave them as they are."""


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty store, made once: tables take longer than most of these tests."""
    directory = tmp_path_factory.mktemp("threads") / "prepared"
    Client(directory).close()
    return directory


@pytest.fixture
def dav(tmp_path: Path, prepared: Path) -> Iterator[Client]:
    """Yield a client of alice."""
    client = Prepared(shutil.copytree(prepared, tmp_path / "store"))
    yield client
    found = check(client.services.database, client.services.blobs, read_data=False)
    client.close()
    assert found == [], "the test left damage behind"
