"""Connections that do as they like: none of them holds up others. On real sockets, with few threads."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from davstore.errors import Malformed, Unavailable
from davstore.server.connection import GRACE_SECONDS
from davstore.server.limits import Limits
from davstore.server.loop import MAX_OWING, Server
from davstore.server.phases import QUEUE_SECONDS, Phase
from tests.waiting import until

PATIENCE_SECONDS = 10
LARGE_BYTES = 32 << 20
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
UPLOAD = b"PUT /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
BEGUN = UPLOAD + b"x" * 70_000
"""As much as it takes to be given a thread."""


class Application:
    """Answers by the path; keeps count of what it was asked and of what was closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.gate = threading.Event()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/unread":
            start_response("401 Unauthorized", [("Content-Length", "0")])
            return []
        try:
            length = sum(map(len, iter(lambda: environ["wsgi.input"].read(8192), b"")))
        except Malformed as error:
            start_response("400 Bad Request", [("Content-Length", "0"), ("X-Error", type(error).__name__)])
            return []
        except Unavailable:
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.gate.wait(PATIENCE_SECONDS)
        if path == "/broken":
            raise RuntimeError
        parts = {"/large": [b"x" * (1 << 20)] * 32, "/short": [b"abc"], "/breaks": _breaks()}.get(path)
        if parts is not None:
            start_response("200 OK", [("Content-Length", str(LARGE_BYTES))])
            return Parts(parts, self)
        said = f"{path} {length} {environ['HTTP_HOST']} {environ['REQUEST_URI']}".encode()
        start_response("200 OK", [("Content-Length", str(len(said)))])
        return [said]


def _breaks():
    yield b"begun"
    raise RuntimeError


class Parts:
    def __init__(self, parts, application: Application) -> None:
        self._parts, self._application = parts, application

    def __iter__(self):
        return iter(self._parts)

    def close(self) -> None:
        self._application.closed += 1


class Storage:
    """A server with few threads, and its application."""

    def __init__(self, *, max_connections: int = 1_000, shutdown_timeout: float = 1, **bounds: float) -> None:
        self.application = Application()
        self.server = Server(
            ("127.0.0.1", 0),
            self.application,
            limits=Limits(**{"idle_seconds": PATIENCE_SECONDS, **bounds}),
            max_connections=max_connections,
            shutdown_timeout=shutdown_timeout,
            numthreads=2,
            request_queue_size=128,
        )
        self.server.prepare()
        self._thread = threading.Thread(target=self.server.serve)
        self._thread.start()
        self._clients: list[socket.socket] = []

    def connect(self, sent: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.server.bind_addr[1]), timeout=PATIENCE_SECONDS)
        self._clients.append(client)
        client.sendall(sent)
        return client

    def ask(self, sent: bytes = LAST) -> bytes:
        return rest(self.connect(sent))

    def is_idle(self, connections: int) -> bool:
        """Tell whether so many connections are there, all between two requests."""
        found = list(self.server._waiting.values())
        return [one.phase for one in found] == [Phase.IDLE] * connections

    def stop(self) -> None:
        self.application.gate.set()
        for client in self._clients:
            client.close()
        self.server.stop()
        self._thread.join()


@pytest.fixture
def build() -> Iterator[Callable[..., Storage]]:
    storages: list[Storage] = []

    def start(**bounds: float) -> Storage:
        storages.append(Storage(**bounds))
        return storages[-1]

    yield start
    for storage in storages:
        storage.stop()


def rest(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (b"http://other:81/p/a?q", b"/p/a 0 other:81 /p/a?q"),
        (b"HTTPS://other", b"/ 0 other /"),
        (b"http://other?q", b"/ 0 other /?q"),
        (b"http://alice:secret@other:81/p@a", b"/p@a 0 other:81 /p@a"),
        (b"http://al@ice@other", b"/ 0 other /"),
    ],
)
def test_an_absolute_target_is_taken_apart(build, target: bytes, said: bytes):
    """RFC 9112 §3.2.2: its authority takes the place of Host."""
    answer = build().ask(b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % target)
    assert answer.endswith(b"\r\n\r\n" + said)


@pytest.mark.parametrize(
    "head",
    [
        b"GET ftp://h/ HTTP/1.1\r\nHost: h",
        b"GET http://u@/ HTTP/1.1\r\nHost: h",
        b"GET http:///a HTTP/1.1\r\nHost: h",
        b"GET * HTTP/1.1\r\nHost: h",
        b"GET / HTTP/1.1\r\nHost: a b",
        b"GET / HTTP/1.1\r\nHost: a/b",
        b"GET / HTTP/1.1\r\nHost: h\r\nA: \x01",
        b"GET / HTTP/1.1\nHost: h",
    ],
)
def test_a_target_or_host_that_breaks_the_grammar_is_400(build, head: bytes):
    assert statuses(build().ask(head + b"\r\n\r\n")) == [400]


def test_connect_is_for_proxies(build):
    assert statuses(build().ask(b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n")) == [501]


def test_pipelined_requests_are_answered_in_order_and_others_in_between(build):
    storage = build()
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(200))
    answer = storage.ask(many + LAST)
    assert re.findall(rb"/(\d+) 0 ", answer) == [b"%d" % number for number in range(200)]


def test_silent_and_dripping_heads_take_no_thread(build):
    storage = build()
    slow = [storage.connect(b"GET /" if number % 2 else b"") for number in range(15)]
    for _ in range(3):
        for client in slow[1::2]:
            client.sendall(b"a")
        assert statuses(storage.ask()) == [200]


def test_small_bodies_that_drip_take_no_thread(build):
    storage = build()
    slow = [storage.connect(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1234") for _ in range(15)]
    assert statuses(storage.ask()) == [200]
    slow[0].sendall(b"56789" + LAST)
    assert b"/a 9 " in rest(slow[0])


def test_clients_that_do_not_take_their_answers_take_no_thread(build):
    storage = build()
    slow = [storage.connect(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") for _ in range(5)]
    for client in slow:
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert statuses(storage.ask()) == [200]
    assert len(rest(slow[0])) > LARGE_BYTES
    for client in slow:
        client.close()
    until(lambda: storage.application.closed == 5)


def test_half_of_the_threads_are_left_when_uploads_stall_and_the_next_upload_gets_its_turn(build):
    storage = build()
    first, second = storage.connect(BEGUN), storage.connect(BEGUN)
    assert statuses(storage.ask()) == [200]
    assert statuses(
        storage.ask(b"PUT /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
    ) == [200]
    for client in (first, second):  # whichever came first
        client.sendall(b"x" * 30_000)
    for client in (first, second):
        assert b"/a 100000 " in rest(client)


def test_an_upload_whose_turn_does_not_come_is_told_to_come_again(build, monkeypatch):
    storage = build()
    monkeypatch.setattr("davstore.server.phases.QUEUE_SECONDS", 0.5)
    assert QUEUE_SECONDS <= 30
    slow, waiting = storage.connect(BEGUN), storage.connect(BEGUN)
    until(lambda: any(_said(client) for client in (slow, waiting)))
    refused = next(client for client in (slow, waiting) if _said(client))
    answer = rest(refused)
    assert statuses(answer) == [503]
    assert b"\r\nRetry-After: " in answer


def _said(client: socket.socket) -> bytes:
    client.settimeout(0)
    try:
        return client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
    finally:
        client.settimeout(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "begun", [b"GET /a HTTP/1.1\r\nHo", b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1"]
)
def test_a_request_that_does_not_come_is_408(build, begun: bytes):
    storage = build(head_seconds=0.5, body_seconds=0.5)
    answer = storage.ask(begun)
    assert statuses(answer) == [408]
    assert b"Connection: close" in answer


def test_a_large_body_that_does_not_come_is_an_error_to_the_application(build):
    answer = build(body_seconds=0.5).ask(UPLOAD + b"x" * 90_000)
    assert statuses(answer) == [400]
    assert b"X-Error: TooSlow" in answer


def test_a_body_that_keeps_the_pace_may_take_many_windows(build):
    storage = build(body_seconds=0.3)
    for length in (2_000, 100_000):
        head = b"PUT /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length
        client = storage.connect(head)
        for _ in range(10):
            client.sendall(b"x" * (length // 10))
            time.sleep(0.1)  # the pace is what is tested
        assert b"/a %d " % length in rest(client)


def test_a_client_that_takes_nothing_is_cut_and_its_answer_closed(build):
    storage = build(body_seconds=0.5)
    client = storage.connect(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: storage.application.closed == 1)
    assert len(rest(client)) < LARGE_BYTES


def test_a_silent_connection_is_closed_without_a_word(build):
    assert build(head_seconds=0.5).ask(b"") == b""


def test_many_idle_connections_stay(build):
    storage = build()
    idle = [storage.connect(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n") for _ in range(100)]
    for client in idle:
        assert b"/a 0 h /a" in client.recv(1000)
    for client in idle:
        client.sendall(LAST)
        assert statuses(rest(client)) == [200]


def test_the_longest_idle_connection_gives_way_to_a_new_one(build):
    storage = build(max_connections=2)
    first = storage.connect(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: storage.is_idle(1))
    second = storage.connect(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: storage.is_idle(2))
    for client in (first, second):
        assert b"/a 0 h /a" in client.recv(1000)
    assert statuses(storage.ask()) == [200]
    assert rest(first) == b""
    second.sendall(LAST)
    assert statuses(rest(second)) == [200]


def test_when_all_are_at_work_a_new_connection_is_told_to_come_again(build):
    storage = build(max_connections=2)
    busy = [storage.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") for _ in range(2)]
    until(lambda: len(storage.server._open) == 2 and not storage.server._waiting)
    answer = storage.ask(b"")
    assert statuses(answer) == [503]
    assert b"\r\nRetry-After: " in answer
    storage.application.gate.set()
    for client in busy:
        assert statuses(rest(client)) == [200]
    assert statuses(storage.ask()) == [200]


def test_a_request_that_waits_for_a_thread_in_vain_is_told_to_come_again(build):
    storage = build(head_seconds=0.5)
    for _ in range(2):
        storage.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: len(storage.server._open) == 2 and not storage.server._waiting)
    answer = storage.ask()
    assert statuses(answer) == [503]
    assert b"\r\nRetry-After: " in answer


def test_a_connection_at_work_is_not_idle_since_its_first_request(build):
    storage = build(idle_seconds=1)
    client = storage.connect()
    for _ in range(8):
        client.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"/a 0 h /a" in client.recv(1000)
        time.sleep(0.3)  # the idle time is what is tested


def test_one_address_owes_a_bounded_number_of_requests(build):
    storage = build()
    owing = [storage.connect(b"GET /") for _ in range(MAX_OWING)]
    until(lambda: len(storage.server._open) == MAX_OWING)
    newest = max(one.since for one in storage.server._open.values())
    until(lambda: time.monotonic() - newest > GRACE_SECONDS)
    new = storage.connect(b"GET /")
    assert rest(owing[0]).startswith(b"HTTP/1.1 408 ")
    assert statuses(storage.ask()) == [200]
    for client in (*owing[2:], new):
        assert not _said(client)


def test_an_application_that_breaks_is_500_and_later_a_broken_connection(build):
    storage = build()
    assert statuses(storage.ask(b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\n")) == [500]
    assert storage.ask(b"GET /breaks HTTP/1.1\r\nHost: h\r\n\r\n").endswith(b"\r\n\r\nbegun")
    assert statuses(storage.ask()) == [200]


def test_an_answer_shorter_than_it_says_ends_the_connection(build):
    assert build().ask(b"GET /short HTTP/1.1\r\nHost: h\r\n\r\n").endswith(b"\r\n\r\nabc")


def test_stopping_lets_requests_finish_and_breaks_what_stalls(build):
    storage = build()
    idle = storage.connect(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"/a 0 h /a" in idle.recv(1000)
    working = storage.connect(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    stalled = storage.connect(BEGUN)
    until(lambda: len(storage.server._open) == 3 and len(storage.server._waiting) == 1)
    stopping = threading.Thread(target=storage.server.stop)
    stopping.start()
    assert rest(idle) == b""
    storage.application.gate.set()
    answer = rest(working)
    assert statuses(answer) == [200]
    assert b"Connection: close" in answer
    assert statuses(rest(stalled)) == [503]
    stopping.join()


@pytest.mark.parametrize("begun", [b"PUT /a HT", b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"])
def test_stopping_does_not_call_slow_what_it_cuts(build, begun: bytes):
    storage = build()
    client = storage.connect(begun)
    until(lambda: any(one.wire.received_bytes for one in storage.server._waiting.values()))
    stopping = threading.Thread(target=storage.server.stop)
    stopping.start()
    answer = rest(client)
    assert statuses(answer) == [503]
    assert b"Retry-After: " in answer
    stopping.join()


def test_of_requests_sent_in_advance_little_is_held(build):
    storage = build(body_seconds=60)
    client = storage.connect()
    client.settimeout(0.5)
    requests = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n" * 1_000_000
    with pytest.raises(TimeoutError):  # nothing is read, so that both sides fill up
        client.sendall(requests)
    assert max(len(one.wire.held) for one in storage.server._open.values()) < 200_000


def test_what_is_over_gives_way_to_a_new_connection(build):
    storage = build(max_connections=4)
    for _ in range(4):
        storage.connect(b"BAD\r\n\r\n")  # told 400, and left open by the client
    until(lambda: [one.phase for one in storage.server._open.values()] == [Phase.LINGER] * 4)
    assert statuses(storage.ask()) == [200]


def test_who_takes_no_answer_gives_way_to_a_new_connection(build):
    storage = build(max_connections=4)
    for _ in range(4):
        storage.connect(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: [one.phase for one in storage.server._waiting.values()] == [Phase.ANSWER] * 4)
    until(lambda: min(one.age_seconds() for one in storage.server._open.values()) > GRACE_SECONDS)
    assert statuses(storage.ask()) == [200]


def test_an_answer_to_head_is_a_head(build):
    answer = build().ask(b"HEAD /short HTTP/1.1\r\nHost: h\r\n\r\n" + LAST)
    assert statuses(answer) == [200, 200]
    assert b"abc" not in answer


def test_a_refused_upload_in_chunks_holds_up_no_other(build):
    storage = build()
    for _ in range(4):
        storage.connect(b"PUT /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    started = time.monotonic()
    assert b"/a 100000 " in storage.ask(UPLOAD + b"x" * 100_000)
    assert time.monotonic() - started < 2


def test_threads_survive_a_storm_of_cuts(build):
    storage = build(max_connections=3, idle_seconds=0.2)
    deadline = time.monotonic() + 1

    def ask() -> None:
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", storage.server.bind_addr[1]), timeout=5) as client:
                    for _ in range(3):
                        client.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
                        if not client.recv(1000):
                            break
            except OSError:
                pass

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert all(thread.is_alive() for thread in storage.server._threads)
    assert statuses(storage.ask()) == [200]
