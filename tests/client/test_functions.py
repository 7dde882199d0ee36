"""The device and a server whose operator switched synchronization off: it says so, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from davstore.client.exit_status import IN_STEP, USAGE
from tests.client.devices import Device, read_tree
from tests.client.served import Server


def test_a_device_says_that_the_server_has_no_synchronization_and_goes_on_later(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "log", SERVER__WORKERS="1")
    device = Device(server.url, tmp_path / "folder", tmp_path / "state", credentials=server.credentials)
    try:
        device.write("kept", b"kept")
        device.write("removed", b"removed")
        assert device.sync() == IN_STEP
        server.kill()
        server.start(FUNCTIONS__ENABLED="locking, pages")
        (device.root / "removed").unlink()
        device.write("new", b"new")
        assert device.sync() == USAGE
        assert device.said[-1] == (
            f"{server.url} cannot be synchronised: the server does not offer synchronisation there (403)"
        )
        assert read_tree(device.root) == {"kept": b"kept", "new": b"new"}
        server.kill()
        server.start(FUNCTIONS__ENABLED="synchronization")
        assert device.sync() == IN_STEP
        assert device.done == ["DELETE_REMOTE", "UPLOAD"]
    finally:
        server.kill()
