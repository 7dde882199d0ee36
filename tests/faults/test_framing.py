"""The strict connection on real sockets: bytes in, bytes out."""

import re
import resource
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from davstore.errors import Malformed
from davstore.server.limits import Limits
from davstore.server.loop import Server

Exchange = Callable[..., bytes]


def application(environ, start_response):
    """Say what arrived; refuse `/no` without a look at the body; answer 400 to a body that breaks."""
    status, said = "200 OK", b""
    if environ["PATH_INFO"] == "/no":
        status = "401 Unauthorized"
    else:
        try:
            parts = list(iter(lambda: environ["wsgi.input"].read(7), b""))
            said = b"%d:" % sum(map(len, parts)) + b"".join(parts)[:20] + environ["REQUEST_URI"].encode()
        except Malformed:
            status = "400 Bad Request"
    start_response(status, [("Content-Length", str(len(said)))])
    return [said]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    limits = Limits(idle_seconds=5, body_seconds=1, head_bytes=4096)
    server = Server(("127.0.0.1", 0), application, limits=limits, numthreads=3, server_name="davstore")
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.bind_addr[1]
    server.stop()
    thread.join()


def exchange(port: int, *parts: bytes, end: bool = False) -> bytes:
    """Send the parts and return all that comes back until the server closes; end: close our side first."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for part in parts:
            client.sendall(part)
        if end:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "said"),
    [
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", b"3:abc/a"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\n\r\n", b"0:/a"),
        (
            (
                b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:Chunked\r\n\r\n3\r\nabc\r\n"
                b'A ; a; b=c ;d = "e;\\"f"\r\n0123456789\r\n0;last\r\n\r\n'
            ),
            b"13:abc0123456789/a",
        ),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\nE:\r\n\r\n", b"0:/a"),
        (b"PUT /a%2Fb/%252F?p=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"0:/a%2Fb/%252F?p=%20"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent_Length: 1\r\n\r\nabc", b"3:abc/a"),
    ],
)
def test_a_sound_body_arrives_and_the_connection_lives_on(port: int, request_bytes: bytes, said: bytes):
    answer = exchange(port, request_bytes, LAST)
    assert statuses(answer) == [200, 200]
    assert said in answer
    assert b"0:/last" in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: +3",
        b"Content-Length: -3",
        b"Content-Length: 0_3",
        b"Content-Length: 0x3",
        b"Content-Length: ",
        b"Content-Length: 3\r\nContent-Length: 3",
        b"Content-Length: 3, 3",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Host: other",
        b"Content-Length : 3",
        b" folded: 3",
        b"no colon",
        b": no name",
        b"A: b\0c",
        b"A: b\rc",
        b"A: b\nContent-Length: 3",
    ],
)
def test_doubtful_framing_is_refused_and_the_connection_closed(port: int, head: bytes):
    answer = exchange(port, b"PUT /a HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n\r\nabc", LAST)
    assert statuses(answer) == [400]
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "line",
    [
        b"GET /a b HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET /",
        b"G\x1bT / HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET / HTTP/+1.1",
        b"GET / HTTP/1.1.1",
        b"GET /#f HTTP/1.1",
    ],
)
def test_a_request_line_that_breaks_the_grammar_is_400(port: int, line: bytes):
    assert statuses(exchange(port, line + b"\r\nHost: h\r\n\r\n", end=True)) == [400]


def test_what_is_no_http_is_told_at_once(port: int):
    """A browser that was sent to `https:` by mistake: the head of a TLS record has no line to wait for."""
    assert statuses(exchange(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")) == [400]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 5000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 1000 + b"\r\n", 431),
    ],
)
def test_other_heads_that_cannot_be_served(port: int, head: bytes, status: int):
    assert statuses(exchange(port, head)) == [status]


@pytest.mark.parametrize(
    "chunks",
    [
        b"-5\r\n",
        b"0x5\r\nabcde\r\n0\r\n\r\n",
        b"5_0\r\n",
        b"\r\n",
        b"g\r\n",
        b"3\nabc\n0\n\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"123456789\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\t\r\nabc\r\n0\r\n\r\n",
        b"3;\r\nabc\r\n0\r\n\r\n",
        b"3;a=\r\nabc\r\n0\r\n\r\n",
        b"3;a=b c\r\nabc\r\n0\r\n\r\n",
        b'3;a="b\r\nabc\r\n0\r\n\r\n',
        b"3;a\x01\r\nabc\r\n0\r\n\r\n",
        b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n: no name\r\n\r\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\n folded: b\r\n\r\n",
        b"0\r\nA: b\x01\r\n\r\n",
        b"0\r\nA: b\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 50 + b"\r\n",
    ],
)
def test_a_misframed_chunk_is_400_and_the_connection_closed(port: int, chunks: bytes):
    head = b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(port, head + chunks, LAST)
    assert statuses(answer) == [400]
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabcde",
        b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
@pytest.mark.parametrize("end", [True, False])
def test_a_body_cut_short_or_stalled_is_never_whole(port: int, request_bytes: bytes, end: bool):
    is_held = b"Content-Length" in request_bytes
    assert statuses(exchange(port, request_bytes, end=end)) == [408 if is_held and not end else 400]


EXPECTING = b"PUT %b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"


def test_an_expected_body_is_invited_by_the_first_read(port: int):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(EXPECTING % b"/a")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc" + LAST)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert statuses(answer) == [200, 200]


def test_a_refused_body_is_not_invited(port: int):
    answer = exchange(port, EXPECTING % b"/no")
    assert statuses(answer) == [401]
    assert b"Connection: close" in answer


def test_a_small_refused_body_is_read_away_and_the_connection_lives_on(port: int):
    counted = b"PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536
    chunked = (
        b"PUT /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n" + b"x" * 32768 + b"\r\n0\r\n\r\n"
    )
    assert statuses(exchange(port, counted, chunked, LAST)) == [401, 401, 200]


def test_a_large_refused_body_is_answered_without_being_kept(port: int):
    size = 64_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    block = b"x" * 1_000_000
    head = b"PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size
    answer = exchange(port, head, *[block] * (size // len(block)))
    assert statuses(answer) == [401]
    assert b"Connection: close" in answer
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_a_refused_head_request_has_no_body(port: int):
    answer = exchange(port, b"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n")
    assert statuses(answer) == [400]
    assert answer.endswith(b"\r\n\r\n")


def test_no_version_is_told(port: int):
    assert b"Server: davstore\r\n" in exchange(port, LAST)
