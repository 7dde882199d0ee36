"""A real server for real clients, and the table of what they did with it.

A test tells by its mark `peer` which client it is about, by the client's package; by its docstring what the client did.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from tests.client.served import Server
from tests.clients.place import Place

PATIENCE_SECONDS = 120
QUOTA_BYTES = 4 << 30
FAILED = re.compile(r" 5\d\d \d+ [\d.]+ \S+ \S+$| ERROR |Traceback")

Run = Callable[..., str]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data directory of the server."""
    return tmp_path_factory.mktemp("server") / "data"


@pytest.fixture(scope="session")
def server(data: Path) -> Iterator[Server]:
    """Yield a running server with an empty store. Whatever its clients do, it must not fail."""
    log = data.with_name("log")
    server = Server(data, log)
    yield server
    server.kill()
    assert [line for line in log.read_text().splitlines() if FAILED.search(line)] == []


@pytest.fixture(scope="session")
def store(server: Server, data: Path) -> Place:
    """Return a store with a quota."""
    user, password = "anna", "correct horse"
    add = ["user", "add", user, "--quota", str(QUOTA_BYTES), "--password-stdin", "--data", str(data)]
    subprocess.run([sys.executable, "-m", "davstore", *add], input=password, text=True, check=True)
    return Place(server.url.replace("/me/", f"/{user}/"), user, password)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a client in a directory of its own, demands success and returns what it said."""

    def run(*command: str, said: str = "", environ: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8", **(environ or {})},
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    return run


@pytest.fixture
def place(store: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Yield a collection of its own, which must go away as a whole in the end."""
    place = store._replace(url=f"{store.url}{request.node.originalname}/")
    place.ask("MKCOL")
    yield place
    place.ask("DELETE")


@pytest.fixture
def fuse() -> None:
    """Demand that file systems can be mounted here."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")


@pytest.fixture(autouse=True)
def _row(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Record what the table says of a test: the client, its version, what it did, and in which case."""
    marker = request.node.get_closest_marker("peer")
    if marker is not None:
        cases = getattr(request.node, "callspec", None)
        case = next((cases.params[name] for name in ("suite", "vendor") if cases and name in cases.params), "")
        record_property("peer", (*marker.args, _version(*marker.args), request.function.__doc__, case))


def _version(package: str) -> str:
    """Return the version of a client: from PyPI, npm, or else Debian's; "none" where it could not be installed."""
    package_json = Path(sys.prefix) / package / "node_modules" / package / "package.json"
    if package_json.exists():
        return f"{json.loads(package_json.read_text())['version']} (npm)"
    try:
        return f"{metadata.version(package)} (PyPI)"
    except metadata.PackageNotFoundError:
        asked = ["dpkg-query", "--showformat=${Version}", "--show", package]
        version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return f"{version} (Debian)" if version else "none"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, in Markdown: a row for each thing done, with all cases that ended alike."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            for client, version, did, case in (value for name, value in report.user_properties if name == "peer"):
                result = f"not run: {report.longrepr[2].removeprefix('Skipped: ')}" if report.skipped else outcome
                rows.setdefault((client, version, did, result), []).append(case)
    if rows:
        terminalreporter.section("clients")
        terminalreporter.line("| client | version | did | result |\n|---|---|---|---|")
    for (client, version, did, result), cases in sorted(rows.items()):
        which = f" ({', '.join(sorted(cases))})" if all(cases) else ""
        terminalreporter.line(f"| {client} | {version} | {did}{which} | {result} |")
