"""A policy with an interval sees one round in a run, whatever comes between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from davstore.client.folder import Folder
from davstore.client.tree import Local
from tests.client.devices import Device, read_tree
from tests.client.served import Server

RULE = """[[rule]]
name = "hourly"
device = "phone"
min_interval_seconds = 3600
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "policy.toml").write_text(RULE)
    server = Server(
        tmp_path / "data", tmp_path / "log", SERVER__WORKERS="1", POLICY__FILE=str(tmp_path / "policy.toml")
    )
    yield server
    server.kill()


@pytest.fixture
def phone(server: Server, tmp_path: Path) -> Device:
    words = ["device", "add", "me", "phone", "--data", str(tmp_path / "data")]
    told = subprocess.run(
        [sys.executable, "-m", "davstore", *words], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    return Device(server.url, tmp_path / "phone", tmp_path / "state", "phone", ("me", told.stdout.strip()))


class Meddled(Folder):
    """A folder that runs a function of the test just before a file of it is sent."""

    meddle: Callable[[], object] = staticmethod(lambda: None)

    @contextmanager
    def read(self, path: str, expected: Local) -> Iterator[Iterator[bytes]]:
        Meddled.meddle()
        with super().read(path, expected) as chunks:
            yield chunks


def test_a_change_during_a_run_costs_no_second_round(server: Server, phone: Device) -> None:
    phone.write("d/mine", b"mine")
    phone.write("both", b"from the phone")
    laptop = requests.Session()
    laptop.auth = server.credentials
    Meddled.meddle = staticmethod(lambda: laptop.put(f"{server.url}both", b"from the laptop"))
    phone.folder = Meddled
    assert phone.sync() == 1, phone.said
    assert "both" in phone.said[-1]
    log = server.log.read_text()
    assert log.count(" REPORT ") == 1
    assert " 429 " not in log
    assert requests.get(f"{server.url}d/mine", auth=server.credentials, timeout=10).content == b"mine"
    assert phone.sync() == 4, "now it comes too early"
    assert "the next run may ask " in phone.said[-1]


def test_in_step_in_one_run_with_an_interval_in_force(server: Server, phone: Device) -> None:
    for number in range(4):
        phone.write(f"d/{number}", b"%d" % number)
    assert phone.sync() == 0, phone.said
    listing = Device(server.url, phone.root.with_name("other"), phone.states.with_name("other-state"))
    listing.credentials = server.credentials
    assert listing.sync() == 0
    assert read_tree(listing.root) == read_tree(phone.root)
