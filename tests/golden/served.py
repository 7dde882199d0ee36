"""A real `davstore serve` with users and devices, made by the installed command: nothing here knows the inside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tests.client.served import Server
from tests.golden.varying import now

POLICY: Final = """
[[rule]]
name = "no-archive"
class = "tablet"
exclude = ["archive", "**/raw"]

[[rule]]
name = "hourly"
device = "watch"
min_interval_seconds = 3600

[[rule]]
name = "by-hand"
device = "hall"
modes = "manual"

[[rule]]
name = "suspended"
device = "lost"
allowed = false
"""
QUOTA: Final = "100000000"


class Account(NamedTuple):
    """A user to be made, and the classes of its devices by name."""

    name: str
    quota: str = QUOTA
    devices: Mapping[str, str] = {}

    @property
    def password(self) -> str:
        """What it signs in with."""
        return f"secret of {self.name}"


class Served(NamedTuple):
    """A server that runs."""

    address: tuple[str, int]
    credentials: dict[str, str]
    began: int
    directory: Path


@contextlib.contextmanager
def serve(directory: Path, accounts: Iterable[Account], settings: Mapping[str, str]) -> Iterator[Served]:
    """Serve a directory's `data` with one worker and a policy, for these users."""
    directory.mkdir(parents=True, exist_ok=True)
    policy = directory / "policy.toml"
    policy.write_text(POLICY)
    given = {"SERVER__WORKERS": "1", "POLICY__FILE": str(policy), **settings}
    began = now()
    server = Server(directory / "data", directory / "log", **given)
    try:
        credentials = _enrol(
            directory / "data", accounts, {f"DAVSTORE_{name}": value for name, value in settings.items()}
        )
        url = urlsplit(server.url)
        yield Served((str(url.hostname), int(url.port or 0)), credentials, began, directory)
    finally:
        server.kill()


def _enrol(data: Path, accounts: Iterable[Account], environ: Mapping[str, str]) -> dict[str, str]:
    """Make users and devices; return what they sign in with."""
    calls: list[tuple[list[str], str]] = []
    credentials: dict[str, str] = {}
    for account in accounts:
        words = ["user", "add", account.name, "--password-stdin", "--quota", account.quota]
        calls.append((words, account.password))
        credentials[account.name] = account.password
        for name, kind in account.devices.items():
            calls.append((["device", "add", account.name, name, "--class", kind], ""))
            credentials[f"{account.name}/{name}"] = ""
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.commands"],
        input=json.dumps(calls),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "DAVSTORE_DATA__PATH": str(data), **environ},
    )
    for who, said in zip(credentials, json.loads(done.stdout), strict=True):
        if "/" in who:
            credentials[who] = said.strip()
    return credentials
