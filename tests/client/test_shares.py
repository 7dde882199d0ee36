"""A share on the device of the one that it was opened to, and how it leaves again (docs/sharing.md)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from davstore import wiring
from davstore.cli import main
from davstore.client.folder import Folder
from davstore.client.tree import Local
from davstore.metadata import stores
from davstore.settings import load_settings
from tests.client.devices import Device, read_tree
from tests.client.evening import JPEG, PHOTOGRAPHS
from tests.client.page import Command, Shell, read_sections
from tests.client.served import Server
from tests.samples import SAMPLES

PAGE = Path(__file__).parents[2] / "docs/sharing.md"
NOTHING = "cannot be synchronised: there is nothing of that name on the server (404)"


def photographs() -> dict[str, bytes]:
    """Return the photographs of the samples, or made ones of their sizes."""
    photos = SAMPLES / "photos"
    return {
        name: (photos / name).read_bytes() if photos.is_dir() else JPEG.ljust(size, name[:1].encode())
        for name, size in PHOTOGRAPHS.items()
    }


def run(server: Server, *words: str, text: str | None = None) -> str:
    """Return what a command of the operator prints, beside the server."""
    done = CliRunner().invoke(main, [*words, "--data", str(server.data)], input=text)
    assert done.exit_code == 0, done.output
    return done.output


@dataclass
class Two:
    """me has Photos, and ben a device; share and unshare open it to ben and end that."""

    server: Server
    mine: Device
    bens: Device

    def share(self, path: str = "Photos") -> None:
        run(self.server, "share", "me", path, "--with", "ben", "--may", "write")

    def unshare(self, path: str = "Photos") -> None:
        run(self.server, "unshare", "me", path, "--with", "ben")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    running = Server(place / "data", place / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def secret(server: Server) -> str:
    """Return the secret of a device of ben: to prove a password takes longer."""
    run(server, "user", "add", "ben", "--password-stdin", text="correct horse battery\n")
    return run(server, "device", "add", "ben", "phone").strip()


@pytest.fixture
def two(server: Server, secret: str, tmp_path: Path) -> Iterator[Two]:
    """Both have the photographs, in step."""
    mine = Device(server.url, tmp_path / "mine", tmp_path / "states", credentials=server.credentials)
    url = server.url.replace("/store/me/", "/shared/ben/Photos/")
    two = Two(server, mine, Device(url, tmp_path / "bens", tmp_path / "states", "phone", ("ben", secret)))
    for name, content in photographs().items():
        mine.write(f"Photos/{name}", content)
        mine.write(f"Photos/2026/{name}", content[::-1])
    assert mine.sync() == 0
    two.share()
    assert two.bens.sync() == 0
    assert read_tree(two.bens.root) == read_tree(mine.root / "Photos")
    yield two
    assert mine.sync() == 0
    for path in list(mine.root.iterdir()):
        shutil.rmtree(path)
    assert mine.sync(force=True) == 0


def test_a_share_that_ended_leaves_and_begins_anew(two: Two) -> None:
    two.bens.write("from ben.jpg", JPEG)
    assert two.bens.sync() == 0
    assert two.mine.sync() == 0
    owners = read_tree(two.mine.root)
    assert owners["Photos/from ben.jpg"] == JPEG
    two.unshare()
    assert two.bens.sync() == 0
    assert two.bens.said == ["the share ended: 11 files removed, 0 kept"]
    assert two.bens.done == ["DELETE_LOCAL"] * 11
    assert read_tree(two.bens.root) == {}
    assert two.mine.sync() == 0
    assert read_tree(two.mine.root) == owners
    assert two.bens.sync() == 2
    assert NOTHING in two.bens.said[0]
    two.share()
    assert two.bens.sync() == 0
    assert read_tree(two.bens.root) == read_tree(two.mine.root / "Photos")


def test_what_was_changed_or_made_stays(two: Two) -> None:
    two.bens.write("DSCN0021.jpg", b"cropped")
    two.bens.write("2026/new.jpg", b"new")
    (two.bens.root / "Nikon_COOLPIX_P1.jpg").rename(two.bens.root / "moved.jpg")
    kept = {"2026": None, "2026/new.jpg": b"new", "DSCN0021.jpg": b"cropped"}
    kept["moved.jpg"] = photographs()["Nikon_COOLPIX_P1.jpg"]
    two.unshare()
    assert two.bens.sync() == 1
    assert two.bens.said == [
        "changed or made here, and kept: 2026/new.jpg, DSCN0021.jpg, moved.jpg",
        "the share ended: 8 files removed, 3 kept",
    ]
    assert read_tree(two.bens.root) == kept
    two.share()
    assert two.bens.sync() == 0  # as a new device: nothing is deleted, and both versions of the changed one are there
    assert two.mine.sync() == 0
    there = read_tree(two.mine.root / "Photos")
    assert read_tree(two.bens.root) == there
    assert {**photographs(), "DSCN0021.jpg": b""}.keys() <= there.keys()
    assert b"cropped" in there.values()
    assert there["DSCN0021.jpg"] == photographs()["DSCN0021.jpg"]


def test_a_dry_run_says_what_would_go(two: Two) -> None:
    two.bens.write("DSCN0021.jpg", b"cropped")
    before = read_tree(two.bens.root)
    two.unshare()
    lines = two.bens.rehearse()
    assert sorted(lines) == sorted(
        f"delete here: {path}" for path, content in before.items() if content not in (None, b"cropped")
    )
    assert read_tree(two.bens.root) == before


def test_a_folder_that_is_another_is_not_touched(two: Two) -> None:
    two.unshare()
    two.bens.root.rename(two.bens.root.with_name("elsewhere"))
    assert two.bens.sync() == 3
    two.bens.root.mkdir()
    two.bens.write("DSCN0021.jpg", photographs()["DSCN0021.jpg"])
    assert two.bens.sync() == 3
    assert read_tree(two.bens.root) == {"DSCN0021.jpg": photographs()["DSCN0021.jpg"]}


def test_a_folder_that_went_in_a_share_that_stays_is_not_the_end(two: Two, tmp_path: Path) -> None:
    inner = Device(f"{two.bens.url}2026/", tmp_path / "inner", tmp_path / "states", credentials=two.bens.credentials)
    assert inner.sync() == 0
    before = read_tree(inner.root)
    shutil.rmtree(two.mine.root / "Photos/2026")
    assert two.mine.sync() == 0
    assert inner.sync() == 2
    assert NOTHING in inner.said[0]
    assert read_tree(inner.root) == before
    two.unshare()
    assert inner.sync() == 0
    assert inner.said == ["the share ended: 5 files removed, 0 kept"]


def test_a_share_that_is_listed_by_another_name_is_not_over(two: Two, tmp_path: Path) -> None:
    two.mine.write("Work/Photos/a", b"a")
    assert two.mine.sync() == 0
    two.share("Work/Photos")
    url = two.bens.url.replace("/Photos/", "/Photos%20(me)/")
    second = Device(url, tmp_path / "second", tmp_path / "states", credentials=two.bens.credentials)
    assert second.sync() == 0
    second.write("b", b"b")
    assert second.sync() == 0
    two.unshare()
    assert second.sync() == 2  # it has the name of the first now
    assert read_tree(second.root) == {"a": b"a", "b": b"b"}


def test_a_server_that_was_restored_removes_nothing(two: Two) -> None:
    before = read_tree(two.bens.root)
    two.unshare()
    database = wiring.open_storage(load_settings(flags={"data.path": str(two.server.data)})).database
    database.write(stores.renew_epochs)  # as a restore does, here of a time before the share
    database.close()
    assert two.bens.sync() == 2
    assert NOTHING in two.bens.said[0]
    assert read_tree(two.bens.root) == before
    two.share()
    assert two.bens.sync() == 0
    assert read_tree(two.bens.root) == before
    two.unshare()
    assert two.bens.sync() == 0
    assert read_tree(two.bens.root) == {}


class CutOff(Folder):
    """A folder whose device dies at its third removal."""

    left = 2

    def remove(self, path: str, expected: Local) -> None:
        if not CutOff.left:
            raise KeyboardInterrupt
        CutOff.left -= 1
        super().remove(path, expected)


@pytest.mark.parametrize("again", [False, True], ids=["over", "shared again"])
def test_a_run_that_is_cut_off_deletes_nothing_of_the_owner(two: Two, again: bool) -> None:
    owners = read_tree(two.mine.root)
    two.unshare()
    CutOff.left = 2
    two.bens.folder = CutOff
    with pytest.raises(KeyboardInterrupt):
        two.bens.sync()
    two.bens.folder = Folder
    assert 0 < sum(one is not None for one in read_tree(two.bens.root).values()) < len(photographs()) * 2
    if again:
        two.share()
    assert two.bens.sync() == 0
    assert read_tree(two.bens.root) == (read_tree(two.mine.root / "Photos") if again else {})
    assert two.mine.sync() == 0
    assert read_tree(two.mine.root) == owners


def test_an_hour_of_photographs(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAVSTORE_DATA__PATH", str(server.data))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "bob"):
        run(server, "user", "add", name, "--password-stdin", text="correct horse battery\n")
        run(server, "device", "add", name, "laptop", "--secret-file", f"{name}.secret")
    (tmp_path / "Alice/Photos").mkdir(parents=True)
    for name in ("Canon_PowerShot_S40.jpg", "DSCN0021.jpg", "Nikon_COOLPIX_P1.jpg"):
        (tmp_path / "Alice/Photos" / name).write_bytes(photographs()[name])
    hour = datetime.now().astimezone() + timedelta(hours=1)
    variables = {"H": server.url.partition("/dav/")[0], "HOUR": hour.isoformat(timespec="minutes"), "LC_ALL": "C"}
    shell = Shell(tmp_path, {**os.environ, **variables})
    steps = read_sections(PAGE)["An hour of photographs"]
    assert len(steps) == 11
    for step in steps:
        assert isinstance(step, Command)
        if step.line.startswith("echo cropped"):
            end_the_hour(server)
        assert shell.run(step.line) == step.printed, step.line


def end_the_hour(server: Server) -> None:
    """Let every grant that ends have ended a moment ago."""
    with closing(sqlite3.connect(server.data / "davstore.sqlite")) as database, database:
        ended = database.execute(
            "UPDATE ace SET expires_us = ? WHERE expires_us IS NOT NULL", (int(time.time() * 1_000_000) - 1,)
        )
        assert ended.rowcount > 0
