"""A real server of two workers for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.served import Server
from tests.hardening.wire import Wire

FAILURES_BEFORE_DELAY = "1000"
"""Where wrong credentials are judged they are not counted."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the `data` and the `log` of the server are."""
    return tmp_path_factory.mktemp("hardening")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    """Yield the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAVSTORE_AUTH__FAILURES_BEFORE_DELAY", FAILURES_BEFORE_DELAY)
        server = Server(directory / "data", directory / "log")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def wire(server: Server) -> Wire:
    """Return the way to the server; its store has a resource `a` and the collections `c` and `odd`."""
    wire = Wire(server)
    assert wire.send("PUT", "a", body="0123456789").status == 201
    assert wire.send("MKCOL", "c").status == 201
    assert wire.send("MKCOL", "odd").status == 201
    return wire
