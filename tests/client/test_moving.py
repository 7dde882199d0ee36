"""Files that move while a run looks, and disks that come and go: nothing in the folder is deleted on the server."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davstore.client.folder import Folder
from davstore.client.walk import Walk, list_inodes
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.client.mover import Mover, judge, live
from tests.client.script import digest

FOLDERS = ["a", "b", "b/c", "b/c/d", "e", "f"]


class Restless(Folder):
    """A folder in which something is moved just before each of the first looks into one of its folders."""

    moves = 0
    chooser = random.Random(0)

    @contextmanager
    def open_names(self, names: list[str], path: str | None = None) -> Iterator[int]:
        if Restless.moves and Restless.chooser.random() < 0.5:
            Restless.moves -= 1
            move_something(self.root, Restless.chooser)
        with super().open_names(names, path) as handle:
            yield handle


def move_something(root: Path, chooser: random.Random) -> None:
    """Give a file or a folder another place, as `mv` does."""
    found = sorted(path for path in root.rglob("*") if not path.name.startswith(".davstore~"))
    source = chooser.choice(found)
    target = chooser.choice([root, *(path for path in found if path.is_dir())]) / source.name
    if not target.exists() and not target.is_relative_to(source):
        source.rename(target)


def contents(tree: dict[str, bytes | None]) -> set[bytes]:
    return {content for content in tree.values() if content is not None}


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("guards", [True, False])
def test_what_is_moved_during_a_run_is_never_deleted(
    tmp_path_factory: pytest.TempPathFactory, guards: bool, seed: int
) -> None:
    place = tmp_path_factory.mktemp("moving")
    store = Store(guards=guards)
    with serve(store) as url:
        device = Device(url, place / "folder", place / "state", folder=Restless)
        for number in range(24):
            device.write(f"{FOLDERS[number % 6]}/{number}", b"%d" % number)
        assert device.sync() == 0
        everything = contents(store.tree())
        Restless.chooser = random.Random(seed)
        for _ in range(3):
            Restless.moves = Restless.chooser.randint(1, 12)
            move_something(device.root, Restless.chooser)
            assert device.sync() in (0, 1)
            assert contents(store.tree()) == everything
        Restless.moves = 0
        for _ in range(3):
            last = device.sync()
        assert last == 0, device.said
        assert read_tree(device.root) == store.tree()
        assert sorted(filter(None, store.tree().values())) == sorted(everything)
    shutil.rmtree(place)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_moved_stays_on_a_server_that_refuses_some_of_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The content stays at its old place until it has arrived at its new one."""
    place, chooser = tmp_path_factory.mktemp("refused"), random.Random(seed)
    store = Store()
    with serve(store) as url:
        device = Device(url, place / "folder", place / "state")
        for number in range(12):
            device.write(f"{FOLDERS[number % 6]}/{number}", b"%d" % number)
        assert device.sync() == 0
        everything, refused = contents(store.tree()), random.Random(seed)

        def refuse(method: str, _path: str) -> tuple[int, dict[str, str], bytes] | None:
            is_refused = method in ("MKCOL", "MOVE", "PUT", "DELETE") and refused.random() < 0.4
            return (refused.choice([403, 423, 500, 501, 502, 507]), {}, b"") if is_refused else None

        store.answer = refuse
        for step in range(4):
            (device.root / f"new{step}").mkdir()
            for _ in range(chooser.randint(1, 3)):
                move_something(device.root, chooser)
            assert device.sync() in (0, 1)
            assert contents(store.tree()) == everything
        store.answer = lambda _method, _path: None
        assert [device.sync() for _ in range(2)][1] == 0
        assert read_tree(device.root) == store.tree()
    shutil.rmtree(place)


def test_a_tree_in_motion_loses_nothing(tmp_path: Path) -> None:
    """The short form of `tests/torture/test_moving_tree.py`."""
    store = Store()
    with serve(store) as url:
        devices = [Device(url, tmp_path / name, tmp_path / f"{name}-state", name) for name in ("phone", "laptop")]
        mover = Mover(devices, tmp_path / "desk", 1)
        mover.fill(200, 20)
        devices[1].root.mkdir()
        assert [device.sync() for device in devices] == [0, 0]
        live(mover, 60)
        assert judge(mover) == sum(content is not None for content in store.tree().values())
        assert read_tree(devices[0].root) == store.tree()


def test_what_one_person_moves_is_not_kept_twice(tmp_path: Path) -> None:
    """Only a file that is moved on two devices at once is kept twice: a second copy of any other would be a fault."""
    store = Store()
    with serve(store) as url:
        phone, laptop = (Device(url, tmp_path / name, tmp_path / f"{name}-state", name) for name in ("phone", "laptop"))
        mover = Mover([phone], tmp_path / "desk", 2)
        mover.fill(200, 20)
        laptop.root.mkdir()
        assert [device.sync() for device in (phone, laptop)] == [0, 0]
        live(mover, 60, [laptop])
        tree = read_tree(phone.root)
        assert tree == read_tree(laptop.root) == store.tree()
        assert sorted(map(digest, filter(None, tree.values()))) == sorted(mover.written)


class Half(Walk):
    """A walk that only counts its listings."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self.taken: list[str] = []

    def open(self, key: str):
        return self._folder.open_names(key.split("/") if key else [])

    def take(self, key: str, handle: int) -> list[str]:
        self.taken.append(key)
        if len(self.taken) == 2:
            (self._folder.root / key / "new").touch()
        return [f"{key}/{name}" if key else name for name in os.listdir(handle) if "." not in name and name != "new"]

    def lose(self, key: str, _error: Exception) -> None:
        self.taken.remove(key)


def test_a_folder_that_changed_while_it_was_listed_is_listed_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, ns=(1, 1))
    half = Half(Folder(tmp_path))
    assert half.go()
    assert half.taken.count(half.taken[1]) >= 2


class Busy(Folder):
    """A folder that gets a new file after each look."""

    @contextmanager
    def open_names(self, names: list[str], path: str | None = None) -> Iterator[int]:
        with super().open_names(names, path) as handle:
            yield handle
        (self.root / uuid4().hex).touch()


def test_a_folder_that_never_rests_is_said_to(tmp_path: Path) -> None:
    assert list_inodes(Busy(tmp_path)) is None
    assert list_inodes(Folder(tmp_path)) is not None


def test_a_file_that_comes_back_before_its_deletion_goes_out_is_kept(tmp_path: Path) -> None:
    """The scan did not see it, for it was elsewhere; it comes back while the server is asked."""
    store = Store()
    with serve(store) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state")
        for path in ("a/x", "a/y", "b/z"):
            device.write(path, path.encode())
        assert device.sync() == 0
        for target in ("a/x", "b/moved"):
            (device.root / "a/x").rename(tmp_path / "away")

            def come_back(method: str, _path: str, target: str = target) -> None:
                if method == "REPORT":
                    (tmp_path / "away").rename(device.root / target)

            store.before = come_back
            assert device.sync() == 1
            store.before = lambda _method, _path: None
            assert contents(store.tree()) == {b"a/x", b"a/y", b"b/z"}
            assert "moved during the run" in " ".join(device.said)
            assert device.sync() == 0
        assert set(store.tree()) == {"a", "a/y", "b", "b/z", "b/moved"}


class Disks(Folder):
    """A folder in which other disks are mounted, by number."""

    mounted: ClassVar[dict[str, int]] = {}

    def device_of(self, path: str, handle: int) -> int:
        found = [disk for top, disk in Disks.mounted.items() if path == top or path.startswith(f"{top}/")]
        return found[0] if found else super().device_of(path, handle)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[Device, Store]]:
    """Yield a device with a disk in its folder, in step."""
    store = Store()
    Disks.mounted = {"on/disk": 99}
    with serve(store) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state", folder=Disks)
        for number in range(4):
            device.write(f"on/disk/deep/{number}", b"%d" % number)
            device.write(f"plain/{number}", b"plain %d" % number)
        assert device.sync() == 0
        yield device, store


def unmount(device: Device, *, keep: bool = True) -> None:
    """Take the disk away; what is beneath its place is an empty folder, or nothing."""
    Disks.mounted = {}
    (device.root / "on/disk").rename(device.root.parent / "disk")
    if keep:
        (device.root / "on/disk").mkdir()


def mount(device: Device) -> None:
    if (device.root / "on/disk").exists():
        (device.root / "on/disk").rmdir()
    (device.root.parent / "disk").rename(device.root / "on/disk")
    Disks.mounted = {"on/disk": 98}


@pytest.mark.parametrize("keep", [True, False])
def test_a_disk_that_is_not_mounted_is_no_deletion(mounted: tuple[Device, Store], keep: bool) -> None:
    device, store = mounted
    before = store.tree()
    unmount(device, keep=keep)
    for _ in range(2):
        assert device.sync() == 1
        assert store.tree() == before
        assert [line for line in device.said if line.startswith("on/disk: left out: another disk")]
    store.write("on/disk/deep/new", b"new")
    store.remove("on/disk/deep/0")
    assert device.sync() == 1
    assert not (device.root / "on/disk/deep").exists()
    mount(device)
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()
    assert "on/disk/deep/new" in store.tree()


def test_a_disk_that_is_gone_for_good_can_be_given_up(mounted: tuple[Device, Store]) -> None:
    device, store = mounted
    unmount(device)
    assert device.sync(force=True) == 0
    assert store.tree() == read_tree(device.root)
    assert set(store.tree()) == {"on", "on/disk", "plain", *(f"plain/{number}" for number in range(4))}


def test_a_disk_that_hides_files_is_no_deletion(mounted: tuple[Device, Store]) -> None:
    device, store = mounted
    before = store.tree()
    (device.root / "plain").rename(device.root.parent / "hidden")
    (device.root / "plain").mkdir()
    Disks.mounted = {**Disks.mounted, "plain": 7}
    assert device.sync() == 1
    assert store.tree() == before
    (device.root / "plain").rmdir()
    (device.root.parent / "hidden").rename(device.root / "plain")
    Disks.mounted.pop("plain")
    assert device.sync() == 0
    assert store.tree() == before


def test_a_disk_that_goes_during_a_run_gets_nothing_written_beneath_it(mounted: tuple[Device, Store]) -> None:
    device, store = mounted
    store.write("on/disk/deep/new", b"new")

    def go(method: str, _path: str) -> None:
        if method == "GET" and Disks.mounted:
            unmount(device)
            (device.root / "on/disk/deep").mkdir()

    store.before = go
    assert device.sync() == 1
    assert list((device.root / "on/disk/deep").iterdir()) == []
    store.before = lambda _method, _path: None
    (device.root / "on/disk/deep").rmdir()
    mount(device)
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()


def test_a_folder_with_a_disk_in_it_may_be_renamed(mounted: tuple[Device, Store]) -> None:
    device, store = mounted
    (device.root / "on").rename(device.root / "under")
    Disks.mounted = {"under/disk": 99}
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()
    assert "under/disk/deep/0" in store.tree()
