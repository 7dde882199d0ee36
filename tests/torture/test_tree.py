"""The largest tree that one request may touch, and what others wait for meanwhile (docs/adr/0013)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.client.served import Server
from tests.torture.conftest import Serve
from tests.torture.wire import Client

MEMBERS = 999
FOLDERS = Limits().tree_nodes // (MEMBERS + 1) - 1
WAIT_SECONDS = 2.0


class Bystander:
    """Another user, who writes small files one after the other and notes the longest time that one took."""

    def __init__(self, server: Server) -> None:
        self._client = Client(server)
        self._client.root = "/dav/store/alice/"
        self._client._authorization = "Basic YWxpY2U6Z2VoZWlt"  # alice:geheim
        self._ended = threading.Event()
        self.longest_seconds = 0.0
        self.writes = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write meanwhile."""
        self.longest_seconds, self.writes = 0.0, 0
        self._ended.clear()
        thread = threading.Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self._client.close()

    def _write(self) -> None:
        while not self._ended.is_set():
            started = time.monotonic()
            assert self._client.ask("PUT", f"small{self.writes % 10}", b"small").status in (201, 204)
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - started)
            self.writes += 1


@pytest.mark.torture
def test_others_write_while_the_largest_tree_is_copied_moved_over_and_deleted(
    serve: Serve, database_url: str, tmp_path: Path
) -> None:
    server = serve()
    client = Client(server)
    try:
        waits = measure(server, client, database_url, tmp_path / "data")
    finally:
        client.close()
    assert max(waits) < WAIT_SECONDS


def measure(server: Server, client: Client, database_url: str, data: Path) -> list[float]:
    """Do what touches the largest tree, and return the longest wait of another user's write in each."""
    add = [
        sys.executable,
        "-m",
        "davstore",
        "user",
        "add",
        "alice",
        "--password-stdin",
        "--data",
        str(data),
    ]
    subprocess.run(add, env=os.environ | {"DAVSTORE_DATABASE__URL": database_url}, input=b"geheim", check=True)
    bystander = Bystander(server)
    for place in ("tree", "tree/0", "small"):
        assert client.ask("MKCOL", place).status == 201
    for number in range(MEMBERS):
        assert client.ask("PUT", f"tree/0/{number}", b"%d" % number).status == 201
    for folder in range(1, FOLDERS):
        assert client.ask("COPY", "tree/0", Destination=client.href(f"tree/{folder}")).status == 201

    def carry(method: str, source: str, target: str) -> Callable[[], int]:
        return lambda: client.ask(method, source, Destination=client.href(target)).status

    acts = [
        ("COPY", carry("COPY", "tree", "copy"), 201),
        ("MOVE over it", carry("MOVE", "small", "copy"), 204),
        ("COPY", carry("COPY", "tree", "copy2"), 201),
        ("DELETE", lambda: client.ask("DELETE", "copy2").status, 204),
        ("DELETE, the last with these bodies", lambda: client.ask("DELETE", "tree").status, 204),
    ]
    waits = []
    for name, act, status in acts:
        with bystander.writing():
            started = time.monotonic()
            assert act() == status
            seconds = time.monotonic() - started
        waits.append(bystander.longest_seconds)
        print(
            f"{name} of {FOLDERS * (MEMBERS + 1) + 1} nodes: {seconds:.2f} s; another user's longest of"
            f" {bystander.writes} writes {bystander.longest_seconds:.2f} s"
        )
    return waits
