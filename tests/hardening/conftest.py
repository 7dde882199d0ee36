"""One real server of two workers for all tests here: to start one takes longer than they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.served import Server
from tests.hardening.wire import Wire

FAILURES_BEFORE_DELAY = "1000"
"""Where wrong credentials are judged they are not counted."""


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the `data` and the `log` of the server are."""
    return tmp_path_factory.mktemp("hardening")


@pytest.fixture(scope="session")
def server(directory: Path) -> Iterator[Server]:
    """Yield the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAVSTORE_AUTH__FAILURES_BEFORE_DELAY", FAILURES_BEFORE_DELAY)
        server = Server(directory / "data", directory / "log")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def wire(server: Server) -> Wire:
    """Return the way to the server; its store has a resource `a` and the collections `c` and `odd`."""
    wire = Wire(server)
    assert wire.send("PUT", "a", body="0123456789").status == 201
    assert wire.send("MKCOL", "c").status == 201
    assert wire.send("MKCOL", "odd").status == 201
    return wire


@pytest.fixture
def logged(directory: Path, wire: Wire) -> Callable[[], str]:
    """Return a function that reads what was logged since the test began."""
    begun = (directory / "log").stat().st_size
    return lambda: (directory / "log").read_bytes()[begun:].decode()
