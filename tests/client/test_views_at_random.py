"""Random work on two devices while the provider's rules change what one of them is shown: no edit is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.client.devices import Device
from tests.client.script import Script, describe_difference, read_digests
from tests.client.test_views import Place, place, secret, server

__all__ = ["place", "secret", "server"]

RULES = (
    "",
    'exclude = ["{top}/a"]',
    'exclude = ["{top}/**/b", "{top}/.hidden"]',
    'include = ["{top}/*/a/**"]',
    "max_body_bytes = 1000",
    'kinds = ["message"]',
)


@pytest.fixture
def devices(place: Place, tmp_path: Path) -> list[Device]:
    """Return a device that rules bind, and one that they do not."""
    phone = place.device
    laptop = Device(place.url, tmp_path / "laptop", tmp_path / "laptop-state", "laptop", place.credentials)
    for device in (phone, laptop):
        device.root.mkdir()
    return [phone, laptop]


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_shown_meanwhile_no_edit_is_lost(place: Place, devices: list[Device], seed: int) -> None:
    script, chooser = Script(seed), random.Random(seed)
    script.work(devices[1].root, 20)
    for _ in range(6):
        place.rule(chooser.choice(RULES))
        for device in chooser.sample(devices, 2):
            script.work(device.root, 6)
            if chooser.random() < 0.3:
                kill(device, chooser.random() * 0.3)
            device.sync(force=True)
        assert devices[0].sync(force=True) in (0, 1), devices[0].said
    place.rule("")
    for _ in range(4):
        for device in devices:
            device.sync(force=True)
    assert [device.sync(force=True) for device in devices] == [0, 0], [device.said for device in devices]
    trees = [read_digests(device.root) for device in devices]
    assert describe_difference(*trees) == [], script.log
    assert script.must_survive - set(trees[0].values()) == set(), script.log


def kill(device: Device, seconds: float) -> None:
    """Run a device and end its process on the way."""
    process = os.fork()
    if process == 0:
        device.sync(force=True)
        os._exit(0)
    time.sleep(seconds)  # it may be anywhere then
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
