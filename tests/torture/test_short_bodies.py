"""A body that does not come whole is never acknowledged, and leaves nothing: promise 3 of `docs/reliability.md`."""

from __future__ import annotations

import base64
import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from davstore.settings import load_settings
from davstore.store.checking import check, list_unfinished
from davstore.wiring import open_storage
from tests.client.served import PATIENCE_SECONDS, Server
from tests.torture.wire import Client

SIZES = {"inline": 1_000, "blob": 100_000}
OLD = b"old"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "data", tmp_path / "log", STORAGE__INLINE_BYTES="2000")
    yield found
    found.kill()


def send_cut(server: Server, place: str, body: bytes, cut: float, *, chunked: bool, reset: bool) -> bytes:
    """Send a PUT up to a share of its framed body, end the connection, and return the answer, if there is one."""
    parts = urlsplit(server.url)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    wire = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    me = base64.b64encode(":".join(server.credentials).encode()).decode()
    head = f"PUT {parts.path}{place} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {me}\r\n{framing}\r\n\r\n"
    address = (parts.hostname or "", parts.port or 0)
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode() + wire[: int(cut * len(wire))])
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(4096)


def cut_short(server: Server, data: Path, seed: int, times: int) -> None:
    """Cut bodies at random bytes, of new resources and of one that is there."""
    print(f"seed {seed}")
    choose, client = random.Random(seed), Client(server)
    assert client.ask("PUT", "old", OLD).status == 201
    for number in range(times):
        size = SIZES["inline" if number % 2 else "blob"]
        place, chunked, reset = choose.choice(["new", "old"]), choose.random() < 0.5, choose.random() < 0.2
        answer = send_cut(server, place, b"x" * size, choose.random(), chunked=chunked, reset=reset)
        assert reset or answer.startswith(b"HTTP/1.1 400 "), (number, place, chunked, answer)
        assert {*client.tree()} == {"old"}, (number, place, chunked, reset)
        assert client.ask("GET", "old").body == OLD
    client.close()
    storage = open_storage(load_settings(flags={"data.path": str(data)}, environ={}))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while list_unfinished(storage.database, storage.blobs) or [*(data / "blobs" / "staged").iterdir()]:
        assert time.monotonic() < deadline, "a cut upload leaves something"
        time.sleep(0.02)
    assert check(storage.database, storage.blobs, read_data=True) == []
    storage.database.close()


def test_a_body_cut_short_is_never_acknowledged(server: Server, tmp_path: Path) -> None:
    cut_short(server, tmp_path / "data", 1, 24)


@pytest.mark.torture
def test_no_body_of_1_000_cut_short_is_acknowledged(server: Server, tmp_path: Path) -> None:
    cut_short(server, tmp_path / "data", 2, 1_000)
    print("1,000 bodies cut short, none acknowledged, nothing left")
