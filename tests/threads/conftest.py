"""A signed-in client on an empty store, of which `davstore check` finds nothing in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.store.checking import check
from tests.dav.client import Client


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of alice."""
    client = Client(tmp_path)
    yield client
    found = check(client.services.database, client.services.blobs, read_data=False)
    client.close()
    assert found == [], "the test left damage behind"
