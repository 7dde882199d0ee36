"""A real server for real clients."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.client.served import Server

PATIENCE_SECONDS = 120

Run = Callable[..., str]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a running server with an empty store."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory / "data", directory / "log")
    yield server
    server.kill()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a client in a directory of its own, demands success and returns what it said."""

    def run(*command: str, said: str = "", environ: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", **(environ or {})},
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run
