"""Two devices beside a server that is not davstore: with all its habits they converge and no edit is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.client.script import Script, describe_difference, digest, read_digests

HABITS = {
    "plain": {},
    "pages": {"page": 2},
    "level 1": {"infinite": False, "page": 1},
    "no guards": {"guards": False},
    "no tags on PUT": {"tells_etag": False},
}


def settle(devices: list[Device], rounds: int = 4) -> None:
    for _ in range(rounds):
        for device in devices:
            assert device.sync(force=True) == 0, device.said


def check(script: Script, devices: list[Device], store: Store) -> None:
    server = {path: "" if content is None else digest(content) for path, content in store.tree().items()}
    for device in devices:
        assert describe_difference(read_digests(device.root), server) == [], script.log
    lost = script.must_survive - set(server.values())
    assert not lost, script.log


def two_devices(tmp_path: Path, url: str) -> list[Device]:
    devices = [Device(url, tmp_path / name, tmp_path / f"{name}-state", name) for name in ("phone", "laptop")]
    for device in devices:
        device.root.mkdir()
    return devices


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("habits", HABITS)
def test_alternating_devices_converge(tmp_path: Path, habits: str, seed: int) -> None:
    store, script = Store(**HABITS[habits]), Script(seed)
    with serve(store) as url:
        devices = two_devices(tmp_path, url)
        script.work(devices[0].root, 20)
        for _ in range(4):
            for device in devices:
                script.work(device.root, 8)
                device.sync(force=True)
        settle(devices)
        check(script, devices, store)


@pytest.mark.parametrize("seed", range(3))
def test_devices_that_synchronise_at_the_same_time_converge(tmp_path: Path, seed: int) -> None:
    """Only where collections can be guarded (RFC 6578 §5): nothing else saves a member that just came."""
    store, script = Store(), Script(100 + seed)
    with serve(store) as url:
        devices = two_devices(tmp_path, url)
        script.work(devices[0].root, 20)
        for _ in range(4):
            for device in devices:
                script.work(device.root, 8)
            threads = [threading.Thread(target=device.sync, kwargs={"force": True}) for device in devices]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        settle(devices)
        check(script, devices, store)


def test_a_device_killed_at_any_moment_resumes(tmp_path: Path) -> None:
    store, script, chooser = Store(), Script(200), random.Random(200)
    with serve(store) as url:
        devices = two_devices(tmp_path, url)
        script.work(devices[0].root, 30)
        for _ in range(8):
            for device in devices:
                script.work(device.root, 6)
                process = os.fork()
                if process == 0:
                    device.sync(force=True)
                    os._exit(0)
                time.sleep(chooser.random() * 0.15)
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        settle(devices)
        check(script, devices, store)
        assert not [path for device in devices for path in device.root.rglob(".davstore~*")]


def test_in_step_nothing_is_asked_but_one_report(tmp_path: Path) -> None:
    store, script = Store(), Script(7)
    with serve(store) as url:
        device = two_devices(tmp_path, url)[0]
        script.work(device.root, 30)
        assert device.sync() == 0
        store.requests.clear()
        assert device.sync() == 0
        assert store.requests == [("REPORT", "")]
        assert read_tree(device.root) == store.tree()
