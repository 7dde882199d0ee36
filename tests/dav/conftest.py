"""A signed-in client on an empty store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.client import Client


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of alice."""
    client = Client(tmp_path)
    yield client
    client.close()
