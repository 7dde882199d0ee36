"""Two devices keep real files in step through two workers, also when the server is killed at random moments."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from davstore.client.local_names import RESERVED
from davstore.model.states import Flag, StateChange
from davstore.settings import load_settings
from davstore.store.checking import Finding, check
from davstore.wiring import open_storage
from tests.client.devices import Device
from tests.client.script import Script, describe_difference, read_digests
from tests.client.served import Server
from tests.samples import fill

FINAL_STATES = {0, 1, 6}
"""What a run may end with while its server dies: in step, something left for the next run, no network."""


class Killer:
    """Kills the server a moment after it is asked to, and starts it again."""

    def __init__(self, server: Server, seed: int) -> None:
        self._server, self._random = server, random.Random(seed)

    def strike(self) -> None:
        """Wait a random moment, kill, start again."""
        time.sleep(self._random.random() * 0.25)
        self._server.kill()
        self._server.start()


def run_together(devices: list[Device], killer: Killer | None) -> None:
    """Let all devices synchronise at the same time, under the killer's eyes."""
    threads = [threading.Thread(target=device.sync, kwargs={"force": True}) for device in devices]
    for thread in threads:
        thread.start()
    if killer is not None:
        killer.strike()
    for thread in threads:
        thread.join()


def mark_some(device: Device, script: Script) -> None:
    """Set and clear states of some files that are in the folder now."""
    chooser = random.Random(f"{script.seed} {device.name} {len(script.log)}")
    files = [str(path.relative_to(device.root)) for path in sorted(device.root.rglob("*")) if path.is_file()]
    files = [path for path in files if not RESERVED.fullmatch(Path(path).name)]
    for _ in range(2):
        flags, word = 1 << chooser.randrange(len(Flag)), frozenset({chooser.choice("abc")})
        is_set = chooser.random() < 0.6
        change = StateChange(set=flags, added=word) if is_set else StateChange(clear=flags, dropped=word)
        device.mark(change, *chooser.sample(files, min(4, len(files))))


def live(tmp_path: Path, seed: int, *, rounds: int, kills: int) -> None:
    server = Server(tmp_path / "data", tmp_path / "server.log")
    script, killer = Script(seed), Killer(server, seed)
    names = ["phone", "laptop", "witness"]
    phone, laptop, witness = [
        Device(server.url, tmp_path / name, tmp_path / f"{name}-state", name, server.credentials, time.sleep)
        for name in names
    ]
    try:
        fill(phone.root)
        laptop.root.mkdir()
        script.written.update(filter(None, read_digests(phone.root).values()))
        for number in range(rounds):
            run_together([phone, laptop], killer if number < kills else None)
            for device in (phone, laptop):
                mark_some(device, script)
                script.work(device.root, 12)
                mark_some(device, script)
                if number % 2:
                    assert device.sync(force=True) in FINAL_STATES, device.said
        for _ in range(3):
            for device in (phone, laptop):
                assert device.sync(force=True) == 0, device.said
        assert witness.sync() == 0, witness.said
        store = read_digests(witness.root)
        for device in (phone, laptop):
            assert describe_difference(read_digests(device.root), store) == [], script.log
        assert script.must_survive <= {*store.values()}, script.log
        assert phone.words() == laptop.words() == witness.words() != {}
    finally:
        server.kill()
    assert _damage(tmp_path / "data") == []


def _damage(data: Path) -> list[Finding]:
    storage = open_storage(load_settings(flags={"data.path": str(data)}, environ={}))
    found = check(storage.database, storage.blobs, read_data=True)
    storage.database.close()
    return found


def test_devices_converge(tmp_path: Path) -> None:
    live(tmp_path, 1, rounds=6, kills=0)


def test_devices_converge_while_the_server_is_killed(tmp_path: Path) -> None:
    live(tmp_path, 2, rounds=4, kills=3)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(3, 8))
def test_devices_converge_while_the_server_is_killed_often(tmp_path: Path, seed: int) -> None:
    live(tmp_path, seed, rounds=12, kills=10)
