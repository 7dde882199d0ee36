"""The fixture of all tests: a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.samples import SAMPLES

hypothesis.settings.register_profile("davstore", deadline=None)  # no test asserts how long something takes
hypothesis.settings.load_profile("davstore")

SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""Nobody pulls the plug of a test: what is promised about power is promised by PostgreSQL's own defaults."""


def pytest_report_header() -> str:
    """Say which corpus the devices keep in step."""
    return f"corpus: {SAMPLES if SAMPLES.is_dir() else f'a small generated one, there is no {SAMPLES}'}"


class PostgreSQLServer:
    """A server of its own in a temporary directory, run by a user who may (PostgreSQL refuses root)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(directory, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self) -> None:
        """Make the cluster and start it."""
        self._run("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = [f"-p {self.port}", f"-k {self._directory}", "-c listen_addresses=127.0.0.1"]
        options += [f"-c {name}={value}" for name, value in SETTINGS.items()]
        self._run("pg_ctl", "-w", "-l", str(self._directory / "log"), "-o", " ".join(options), "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as_user, _find(program), "-D", str(self._directory / "data"), *words]
        done = subprocess.run(
            command, cwd=self._directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode == 0, done.stdout.decode()


def _find(program: str) -> str:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *os.get_exec_path()]
    found = shutil.which(program, path=os.pathsep.join(map(str, places)))
    assert found, f"{program} is missing: apt-get install postgresql, or name a server in DAVSTORE_TEST_POSTGRESQL"
    return found


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Yield the URL of a server, without a database's name; one that is given in the environment must work."""
    given = os.environ.get("DAVSTORE_TEST_POSTGRESQL")
    if given:
        yield given.rstrip("/")
        return
    with tempfile.TemporaryDirectory(prefix="davstore-postgresql-", ignore_cleanup_errors=True) as directory:
        server = PostgreSQLServer(Path(directory))
        server.start()
        try:
            yield f"postgresql://postgres@127.0.0.1:{server.port}"
        finally:
            server.stop()
