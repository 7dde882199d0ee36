"""Slow clients harm no other client (promise 7 of `docs/reliability.md`), on a real server of two workers.

The bounds behind it, of threads, places and connections of one address, are in `tests/faults/test_connections.py`.
"""

from __future__ import annotations

import contextlib
import re
import select
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.served import Server
from tests.hardening.wire import Wire

SLOW = 200
SERVED_SECONDS = 2
"""How long a normal client may wait while they drip."""
CUT_SECONDS = 30
SETTINGS = {
    "SERVER__THREADS": "4",
    "SERVER__BODY_TIMEOUT_SECONDS": "3",
    "SERVER__IDLE_TIMEOUT_SECONDS": "5",
}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Yield the way to a server of few threads; its store has a resource `a`."""
    directory = tmp_path_factory.mktemp("slow")
    server = Server(directory / "data", directory / "log", **SETTINGS)
    wire = Wire(server)
    assert wire.send("PUT", "a", body="0123456789").status == 201
    yield wire
    server.kill()


class Drippers:
    """Connections that each send a byte a second, without an end, and keep their answers."""

    def __init__(self, wire: Wire, begin: Callable[[int], bytes], *, addresses: int) -> None:
        self.said: dict[int, bytes] = {}
        """What each got, once the server closed it."""
        self.ended_at: dict[int, float] = {}
        self.begun_at = time.monotonic()
        self._sockets: dict[int, socket.socket] = {}
        for number in range(SLOW):
            source = (f"127.0.{number % addresses}.{1 + number % addresses}", 0)
            self._sockets[number] = socket.create_connection(wire.address, timeout=5, source_address=source)
            with contextlib.suppress(OSError):
                self._sockets[number].sendall(begin(number))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()

    def _drip(self) -> None:
        selector = selectors.DefaultSelector()
        heard: dict[int, bytes] = {}
        for number, connection in self._sockets.items():
            connection.settimeout(0)
            selector.register(connection, selectors.EVENT_READ, number)
            heard[number] = b""
        next_drip = time.monotonic()
        while len(self.said) < SLOW and not self._stop.is_set():
            for key, _ in selector.select(max(0.0, next_drip - time.monotonic())):
                number = key.data
                try:
                    block = self._sockets[number].recv(65_536)
                except OSError:
                    block = b""
                heard[number] += block
                if not block:
                    selector.unregister(self._sockets[number])
                    self.said[number], self.ended_at[number] = heard[number], time.monotonic()
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + 1
                for number in heard.keys() - self.said.keys():
                    with contextlib.suppress(OSError):
                        self._sockets[number].send(b"x")

    def wait(self) -> None:
        """Wait until all are cut."""
        self._thread.join(max(0.1, self.begun_at + CUT_SECONDS - time.monotonic()))

    def close(self) -> None:
        """End what is left."""
        self._stop.set()
        self._thread.join()
        for connection in self._sockets.values():
            connection.close()


def stay_served(wire: Wire, seconds: float) -> None:
    """Ask and write as a normal client for a while: each time served soon."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        begun = time.monotonic()
        answers = [wire.send("GET", "a").status, wire.send("PUT", "normal", body=f"{number}").status]
        assert answers in ([200, 201], [200, 204])
        assert time.monotonic() - begun < 2 * SERVED_SECONDS


def assert_all_were_told_and_cut(slow: Drippers) -> None:
    """Each got an answer that says why, and was closed in time."""
    assert len(slow.said) == SLOW, f"{SLOW - len(slow.said)} are still open"
    assert max(slow.ended_at.values()) - slow.begun_at < CUT_SECONDS
    for said in slow.said.values():
        told = said.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
        assert re.match(rb"HTTP/1\.1 (408|503) ", told), told[:200]
        assert b"Connection: close\r\n" in told
        assert b"HTTP/1.1 503 " not in told or re.search(rb"\r\nRetry-After: [1-9][0-9]*\r\n", told), told


@pytest.mark.parametrize("addresses", [1, pytest.param(100, marks=pytest.mark.torture)])
def test_heads_that_drip_keep_nobody_waiting(wire: Wire, addresses: int) -> None:
    slow = Drippers(wire, lambda number: b"GET /%d HTTP/1.1\r\nHost: h\r\nX-Slow: " % number, addresses=addresses)
    try:
        stay_served(wire, 4)
        slow.wait()
        assert_all_were_told_and_cut(slow)
    finally:
        slow.close()


@pytest.mark.parametrize("addresses", [1, pytest.param(100, marks=pytest.mark.torture)])
def test_bodies_that_drip_keep_nobody_waiting_and_store_nothing(wire: Wire, addresses: int) -> None:
    def begin(number: int) -> bytes:
        return wire.head("PUT", f"slow-{number}", {"Content-Length": "100000"})

    slow = Drippers(wire, begin, addresses=addresses)
    try:
        stay_served(wire, 4)
        slow.wait()
        assert_all_were_told_and_cut(slow)
    finally:
        slow.close()
    assert b"slow-" not in wire.send("GET", "").body


def test_a_body_that_stalls_is_408_and_nothing_is_stored(wire: Wire) -> None:
    for fields, part in (
        ({"Content-Length": "300000"}, b"x" * 150_000),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n"),
        ({"Content-Length": "1000"}, b""),
    ):
        with socket.create_connection(wire.address, timeout=CUT_SECONDS) as connection:
            connection.sendall(wire.head("PUT", "stalled", fields) + part)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close\r\n" in answer
        assert wire.send("GET", "stalled").status == 404


def test_a_body_that_comes_slowly_but_steadily_is_taken(wire: Wire) -> None:
    """Above the least rate an upload may take longer than the timeout."""
    with socket.create_connection(wire.address, timeout=CUT_SECONDS) as connection:
        connection.sendall(wire.head("PUT", "steady", {"Content-Length": "10000"}))
        for _ in range(10):
            time.sleep(0.5)
            connection.sendall(b"x" * 1_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 201 ")


def test_more_work_than_there_is_room_for_is_503_and_never_a_hang(wire: Wire) -> None:
    """64 uploads pause in the middle for as long as they may: those that have no place get their 503 at once."""

    def upload(number: int) -> bytes:
        with socket.create_connection(wire.address, timeout=CUT_SECONDS) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(wire.head("PUT", f"much-{number}", {"Content-Length": "100000"}) + b"x" * 50_000)
                time.sleep(1)
                connection.sendall(b"x" * 50_000)
            return b"".join(iter(lambda: connection.recv(65_536), b"")) if number % 2 else connection.recv(65_536)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(upload, range(64)))
        stay_served(wire, 0.5)
    for number, answer in enumerate(answers):
        assert re.match(rb"HTTP/1\.1 (201|408|503) ", answer), answer[:200]
        if answer.startswith(b"HTTP/1.1 503 "):
            assert re.search(rb"\r\nRetry-After: [1-9][0-9]*\r\n", answer)
        stored = wire.send("GET", f"much-{number}").status
        assert stored == (200 if answer.startswith(b"HTTP/1.1 201 ") else 404)
    assert any(answer.startswith(b"HTTP/1.1 201 ") for answer in answers)


def test_what_has_no_place_is_told_so_at_once(tmp_path: Path) -> None:
    """Of 20 uploads that all pause, a server of 8 places holds 8, long before any of them comes too slowly."""
    places = {"SERVER__WORKERS": "1", "SERVER__THREADS": "2", "SERVER__MAX_CONNECTIONS": "8"}
    server = Server(tmp_path / "data", tmp_path / "log", SERVER__BODY_TIMEOUT_SECONDS="60", **places)
    wire = Wire(server)
    try:
        with contextlib.ExitStack() as held:
            uploads = [held.enter_context(socket.create_connection(wire.address, timeout=5)) for _ in range(20)]
            for upload in uploads:
                with contextlib.suppress(OSError):  # it was told already
                    upload.sendall(wire.head("PUT", "paused", {"Content-Length": "100000"}) + b"x" * 70_000)
            deadline = time.monotonic() + 5
            told: list[socket.socket] = []
            while len(told) < 12:
                assert time.monotonic() < deadline, f"{len(told)} of 12"
                told = select.select(uploads, [], [], 0.1)[0]
            for upload in told:
                answer = upload.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 503 "), answer
                assert re.search(rb"\r\nRetry-After: [1-9][0-9]*\r\n", answer)
    finally:
        server.kill()


def test_many_devices_stay_connected(wire: Wire) -> None:
    request = wire.head("GET", "a")

    def ask(connection: socket.socket) -> bytes:
        connection.sendall(request)
        received = b""
        while not received.endswith(b"\r\n\r\n0123456789"):
            block = connection.recv(65_536)
            assert block, "the connection was closed"
            received += block
        return received

    with contextlib.ExitStack() as held:
        devices = [held.enter_context(socket.create_connection(wire.address, timeout=5)) for _ in range(200)]
        for _ in range(3):
            for device in devices:
                answer = ask(device)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert b"Connection: close" not in answer


def test_an_idle_connection_is_closed_without_a_word(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "log", SERVER__IDLE_TIMEOUT_SECONDS="1")
    wire = Wire(server)
    try:
        with socket.create_connection(wire.address, timeout=CUT_SECONDS) as connection:
            connection.sendall(wire.head("GET", "/healthz"))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
            assert connection.recv(65_536) == b""
    finally:
        server.kill()
