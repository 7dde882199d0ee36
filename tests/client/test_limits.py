"""A device beside a server that bounds what one request may touch."""

from __future__ import annotations

import shutil
from pathlib import Path

import requests

from tests.client.devices import Device
from tests.client.served import Server


def test_a_folder_too_large_for_one_request_goes_in_parts(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "log", LIMITS__TREE_NODES="3")
    try:
        device = Device(server.url, tmp_path / "here", tmp_path / "state", credentials=server.credentials)
        for name in ("d/a", "d/b", "d/e/c", "kept"):
            device.write(name, name.encode())
        assert device.sync(force=True) == 0
        shutil.rmtree(device.root / "d")
        assert device.sync(force=True) == 0, device.said
        left = requests.get(server.url, auth=server.credentials, headers={"Accept": "text/plain"}, timeout=30)
        assert left.text.split() == ["kept"]
        assert device.sync() == 0
        assert device.done == []
    finally:
        server.kill()
