"""A device beside another client that holds a lock: it waits, keeps its state, and goes on when the lock has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.client.devices import Device, read_tree
from tests.client.served import Server

LOCKINFO = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype></D:lockinfo>"
)


@pytest.mark.parametrize("change", ["write", "remove", "remove above", "rename above"])
def test_a_locked_file_waits(tmp_path: Path, change: str) -> None:
    server = Server(tmp_path / "data", tmp_path / "log")
    try:
        device = Device(server.url, tmp_path / "here", tmp_path / "state", credentials=server.credentials)
        device.write("d/a", b"one")
        device.write("d/b", b"two")
        assert device.sync(force=True) == 0
        locked = requests.request(
            "LOCK", f"{server.url}d/a", data=LOCKINFO, auth=server.credentials, timeout=30
        ).headers["Lock-Token"]
        _change(device.root, change)
        wanted = read_tree(device.root)
        assert device.sync(force=True) != 0
        assert requests.get(f"{server.url}d/a", auth=server.credentials, timeout=30).content == b"one"
        headers = {"Lock-Token": locked}
        answer = requests.request("UNLOCK", f"{server.url}d/a", headers=headers, auth=server.credentials, timeout=30)
        assert answer.status_code == 204
        assert device.sync(force=True) == 0, device.said
        assert read_tree(device.root) == wanted
        other = Device(server.url, tmp_path / "there", tmp_path / "other", "other", server.credentials)
        other.root.mkdir()
        assert other.sync(force=True) == 0
        assert read_tree(other.root) == wanted
    finally:
        server.kill()


def _change(root: Path, change: str) -> None:
    if change == "write":
        (root / "d/a").write_bytes(b"three")
    elif change == "rename above":
        (root / "d").rename(root / "renamed")
    else:
        (root / "d/a").unlink()
    if change == "remove above":
        (root / "d/b").unlink()
        (root / "d").rmdir()
