"""Two devices that went on lose no byte when the server goes back to an earlier state, however it does."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import psycopg
import pytest

from tests.cli.command import run
from tests.client.served import Server
from tests.contract.conftest import create_database, drop_database
from tests.torture.conftest import Serve
from tests.torture.wire import Client
from tests.waiting import until

ROUNDS = 6
PASSED = 60
"""Writes after the server went back: more than were lost, so that their change numbers are given again."""
EDITED = 6

CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"


class Machine:
    """A server with its data, which goes back in time."""

    def __init__(self, server: Server, data: Path, url: str) -> None:
        self.server, self.data, self._url = server, data, url
        self._backup, self._copy, self._copied_url = data.with_name("backup"), data.with_name("copy"), ""

    def keep(self) -> None:
        """Back up while it serves; then stop, copy the directory and the database by hand, and go on."""
        run("backup", self._backup, "--data", self.data, url=self._url)
        self.server.kill()
        shutil.copytree(self.data, self._copy)
        if self._url:
            host, _, name = self._url.rpartition("/")
            with psycopg.connect(f"{host}/postgres", autocommit=True) as connection:  # those that the killed server had
                until(lambda: connection.execute(CONNECTED, (name,)).fetchone() == (0,))
            self._copied_url = create_database(host, name)
        self.server.start()

    def restored(self) -> None:
        """`davstore restore`."""
        run("restore", self._backup, "--data", self.data, "--force", url=self._url)

    def copied_back(self) -> None:
        """The directory and the database are put back by hand."""
        shutil.rmtree(self.data)
        shutil.copytree(self._copy, self.data)
        self._replace_database(self._copied_url)

    def made_anew(self) -> None:
        """Another store at the same address, with another password."""
        shutil.rmtree(self.data)
        self._replace_database("template1")

    def start(self) -> None:
        """Serve again, and learn the password."""
        self.server.start()
        self.server.credentials = ("me", re.findall(r"password: +(\S+)", self.server.log.read_text())[-1])

    def _replace_database(self, by: str) -> None:
        if self._url:
            host, _, name = self._url.rpartition("/")
            drop_database(host, name)
            with psycopg.connect(f"{host}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {by.rpartition('/')[2]}")  # type: ignore[arg-type]


class Device:
    """A folder that the command keeps in step."""

    def __init__(self, server: Server, root: Path) -> None:
        self._server, self.root = server, root
        root.mkdir()

    def sync(self) -> str:
        """Run once; a conflict or a refusal is for the next run."""
        secret = self.root.with_suffix(".secret")
        secret.write_text(self._server.credentials[1])
        words = ("--user", "me", "--password-file", secret, "--device", self.root.name, "--once", "--verbose")
        return run("sync", self._server.url, self.root, *words, statuses=(0, 1))

    def contents(self) -> dict[str, bytes]:
        """Return the files."""
        return {
            file.relative_to(self.root).as_posix(): file.read_bytes() for file in self.root.rglob("*") if file.is_file()
        }

    def work(self, chooser: random.Random, mark: str) -> None:
        """Make, edit, move and delete, as a person does."""
        for number in range(8):
            place = self.root / f"folder{number % 3}" / f"{self.root.name} {mark} {number}"
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(f"{self.root.name} {mark} {number}".encode() * chooser.choice([1, 300]))
        files = sorted(file for file in self.root.rglob("*") if file.is_file())
        edited, moved, deleted = chooser.sample(files, 3)
        edited.write_bytes(edited.read_bytes() + f" edited by {self.root.name} {mark}".encode())
        moved.rename(moved.with_name(f"{moved.name} moved {mark}"))
        deleted.unlink()


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the devices remember in a place of this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.torture
@pytest.mark.parametrize("overtakes", [False, True], ids=["behind", "overtakes"])
@pytest.mark.parametrize("way", ["restored", "copied_back", "made_anew"])
@pytest.mark.usefixtures("state_home")
def test_devices_that_went_on_lose_no_byte(
    serve: Serve, tmp_path: Path, database_url: str, way: str, overtakes: bool
) -> None:
    """All contents that a device had when the server came back are on both devices and the server in the end."""
    chooser = random.Random(1)
    machine = Machine(serve(tmp_path / "data"), tmp_path / "data", database_url)
    devices = [Device(machine.server, tmp_path / name) for name in ("laptop", "phone")]
    for device in devices:
        device.work(chooser, "before")
    _settle(devices)
    machine.keep()
    for device in devices:
        device.work(chooser, "after")
    _settle(devices)
    for device in devices:
        device.work(chooser, "meanwhile")  # while nobody serves
    machine.server.kill()
    getattr(machine, way)()
    machine.start()
    before = [len(device.contents()) for device in devices]
    there = {content for device in devices for content in device.contents().values()}
    if overtakes:
        there |= _overtake(machine.server)
    said = _settle(devices)
    first, second = (device.contents() for device in devices)
    assert first == second, said
    assert there <= set(first.values()), said
    client = Client(machine.server)
    assert {place for place, entry in client.tree().items() if entry.digest} == set(first)
    client.close()
    twice = sum("(conflict " in place for place in first)
    print(f"{before} files on the devices, {len(there)} contents to keep, {len(first)} files then, {twice} kept twice")
    assert "0 findings" in run("check", "--data", machine.data, "--read-data", url=database_url)


def _settle(devices: list[Device]) -> list[str]:
    """Let the devices synchronise in turn until they are in step and have nothing to do; return what they said."""
    said = []
    for _ in range(ROUNDS):
        before = [device.contents() for device in devices]
        said += [device.sync() for device in devices]
        if all(device.contents() == before[0] for device in devices):
            break
    return said


def _overtake(server: Server) -> set[bytes]:
    """Write with another client until the change numbers that the devices know were given again.

    Files that were there are edited too: the devices have other contents of them, and both are to be kept.
    """
    client = Client(server)
    bodies = {f"other {number}".encode(): f"other {number}" for number in range(PASSED)}
    for place in [place for place, entry in client.tree().items() if entry.digest][:EDITED]:
        bodies[f"edit of {place}".encode()] = place
    for body, place in sorted(bodies.items()):
        assert client.ask("PUT", place, body).status in (201, 204)
    client.close()
    return set(bodies)
