"""A share on the device of the one that it was opened to, and how it leaves again (docs/sharing.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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
from tests.client.served import Server
from tests.samples import SAMPLES

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
    """me has Photos, and bob a device; share and unshare open it to bob and end that."""

    server: Server
    mine: Device
    bobs: Device

    def share(self, path: str = "Photos") -> None:
        run(self.server, "share", "me", path, "--with", "bob", "--may", "write")

    def unshare(self, path: str = "Photos") -> None:
        run(self.server, "unshare", "me", path, "--with", "bob")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    running = Server(place / "data", place / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def secret(server: Server) -> str:
    """Return the secret of a device of bob: to prove a password takes longer."""
    run(server, "user", "add", "bob", "--password-stdin", text="correct horse battery\n")
    return run(server, "device", "add", "bob", "phone").strip()


@pytest.fixture
def two(server: Server, secret: str, tmp_path: Path) -> Iterator[Two]:
    """Both have the photographs, in step."""
    mine = Device(server.url, tmp_path / "mine", tmp_path / "states", credentials=server.credentials)
    url = server.url.replace("/store/me/", "/shared/bob/Photos/")
    two = Two(server, mine, Device(url, tmp_path / "bobs", tmp_path / "states", "phone", ("bob", secret)))
    for name, content in photographs().items():
        mine.write(f"Photos/{name}", content)
        mine.write(f"Photos/2026/{name}", content[::-1])
    assert mine.sync() == 0
    two.share()
    assert two.bobs.sync() == 0
    assert read_tree(two.bobs.root) == read_tree(mine.root / "Photos")
    yield two
    assert mine.sync() == 0
    for path in list(mine.root.iterdir()):
        shutil.rmtree(path)
    assert mine.sync(force=True) == 0


def test_a_share_that_ended_leaves_and_begins_anew(two: Two) -> None:
    two.bobs.write("from bob.jpg", JPEG)
    assert two.bobs.sync() == 0
    assert two.mine.sync() == 0
    owners = read_tree(two.mine.root)
    assert owners["Photos/from bob.jpg"] == JPEG
    two.unshare()
    assert two.bobs.sync() == 0
    assert two.bobs.said == ["the share ended: 11 files removed, 0 kept"]
    assert two.bobs.done == ["DELETE_LOCAL"] * 11
    assert read_tree(two.bobs.root) == {}
    assert two.mine.sync() == 0
    assert read_tree(two.mine.root) == owners
    assert two.bobs.sync() == 2
    assert NOTHING in two.bobs.said[0]
    two.share()
    assert two.bobs.sync() == 0
    assert read_tree(two.bobs.root) == read_tree(two.mine.root / "Photos")


def test_what_was_changed_or_made_stays(two: Two) -> None:
    two.bobs.write("DSCN0021.jpg", b"cropped")
    two.bobs.write("2026/new.jpg", b"new")
    (two.bobs.root / "Nikon_COOLPIX_P1.jpg").rename(two.bobs.root / "moved.jpg")
    kept = {"2026": None, "2026/new.jpg": b"new", "DSCN0021.jpg": b"cropped"}
    kept["moved.jpg"] = photographs()["Nikon_COOLPIX_P1.jpg"]
    two.unshare()
    assert two.bobs.sync() == 1
    assert two.bobs.said == [
        "changed or made here, and kept: 2026/new.jpg, DSCN0021.jpg, moved.jpg",
        "the share ended: 8 files removed, 3 kept",
    ]
    assert read_tree(two.bobs.root) == kept
    two.share()
    assert two.bobs.sync() == 0  # as a new device: nothing is deleted, and both versions of the changed one are there
    assert two.mine.sync() == 0
    there = read_tree(two.mine.root / "Photos")
    assert read_tree(two.bobs.root) == there
    assert {**photographs(), "DSCN0021.jpg": b""}.keys() <= there.keys()
    assert b"cropped" in there.values()
    assert there["DSCN0021.jpg"] == photographs()["DSCN0021.jpg"]


def test_a_dry_run_says_what_would_go(two: Two) -> None:
    two.bobs.write("DSCN0021.jpg", b"cropped")
    before = read_tree(two.bobs.root)
    two.unshare()
    lines = two.bobs.rehearse()
    assert sorted(lines) == sorted(
        f"delete here: {path}" for path, content in before.items() if content not in (None, b"cropped")
    )
    assert read_tree(two.bobs.root) == before


def test_a_folder_that_is_another_is_not_touched(two: Two) -> None:
    two.unshare()
    two.bobs.root.rename(two.bobs.root.with_name("elsewhere"))
    assert two.bobs.sync() == 3
    two.bobs.root.mkdir()
    two.bobs.write("DSCN0021.jpg", photographs()["DSCN0021.jpg"])
    assert two.bobs.sync() == 3
    assert read_tree(two.bobs.root) == {"DSCN0021.jpg": photographs()["DSCN0021.jpg"]}


def test_a_folder_that_went_in_a_share_that_stays_is_not_the_end(two: Two, tmp_path: Path) -> None:
    inner = Device(f"{two.bobs.url}2026/", tmp_path / "inner", tmp_path / "states", credentials=two.bobs.credentials)
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
    url = two.bobs.url.replace("/Photos/", "/Photos%20(me)/")
    second = Device(url, tmp_path / "second", tmp_path / "states", credentials=two.bobs.credentials)
    assert second.sync() == 0
    second.write("b", b"b")
    assert second.sync() == 0
    two.unshare()
    assert second.sync() == 2  # it has the name of the first now
    assert read_tree(second.root) == {"a": b"a", "b": b"b"}


def test_a_server_that_was_restored_removes_nothing(two: Two) -> None:
    before = read_tree(two.bobs.root)
    two.unshare()
    database = wiring.open_storage(load_settings(flags={"data.path": str(two.server.data)})).database
    database.write(stores.renew_epochs)  # as a restore does, here of a time before the share
    database.close()
    assert two.bobs.sync() == 2
    assert NOTHING in two.bobs.said[0]
    assert read_tree(two.bobs.root) == before
    two.share()
    assert two.bobs.sync() == 0
    assert read_tree(two.bobs.root) == before
    two.unshare()
    assert two.bobs.sync() == 0
    assert read_tree(two.bobs.root) == {}


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
    two.bobs.folder = CutOff
    with pytest.raises(KeyboardInterrupt):
        two.bobs.sync()
    two.bobs.folder = Folder
    assert 0 < sum(one is not None for one in read_tree(two.bobs.root).values()) < len(photographs()) * 2
    if again:
        two.share()
    assert two.bobs.sync() == 0
    assert read_tree(two.bobs.root) == (read_tree(two.mine.root / "Photos") if again else {})
    assert two.mine.sync() == 0
    assert read_tree(two.mine.root) == owners
