"""Moves, edits and unmounts during the runs of two devices on a tree of 20,000 files: nothing is lost anywhere.

Only root can mount a disk. The short form of this is in `tests/client/test_moving.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.settings import load_settings
from davstore.store.checking import check
from davstore.wiring import open_storage
from tests.client.devices import Device
from tests.client.mover import DISK, Mover, judge, live
from tests.client.served import Server

pytestmark = pytest.mark.torture

FILES = 20_000
FOLDERS = 400
ON_DISK = 200
STEPS = 1_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of its own."""
    place = tmp_path / "spare"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("seed", [1])
def test_a_tree_in_motion(tmp_path: Path, disk: Path, seed: int) -> None:
    server = Server(tmp_path / "data", tmp_path / "log")
    phone, laptop = (
        Device(server.url, tmp_path / name, tmp_path / f"{name}-state", name, server.credentials, time.sleep)
        for name in ("phone", "laptop")
    )
    place = phone.root / DISK

    def mount(*, there: bool) -> None:
        subprocess.run(["mount", "--bind", disk, place] if there else ["umount", "-l", place], check=True)

    mover = Mover([phone, laptop], tmp_path / "desk", seed, mount)
    place.mkdir(parents=True)
    mount(there=True)
    try:
        mover.fill(FILES, FOLDERS)
        for number in range(ON_DISK):
            phone.write(f"{DISK}/{number % 5}/{number}", mover.content())
        started = time.monotonic()
        assert phone.sync() == 0, phone.said
        print(f"first run of {FILES + ON_DISK} files: {time.monotonic() - started:.0f} s")
        shutil.copytree(phone.root, laptop.root)
        assert laptop.sync() == 0, laptop.said
        started = time.monotonic()
        statuses = live(mover, STEPS)
        files = judge(mover)
        print(f"{dict(mover.done)} during {statuses.total()} runs {dict(statuses)}, {time.monotonic() - started:.0f} s")
        print(f"{files} files on both devices, of {len(mover.written)} contents none lost; others were moved on both")
    finally:
        if mover.mounted:
            mount(there=False)
        server.kill()
    storage = open_storage(load_settings(flags={"data.path": str(tmp_path / "data")}, environ={}))
    assert check(storage.database, storage.blobs, read_data=True) == []
    storage.database.close()
