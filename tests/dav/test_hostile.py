"""Bad requests through a real socket: each gets a 4xx, at once, and no process minds (RELIABILITY promise 6).

501, 502 and 507 are answers too where the table says so; nothing else of 500 and above is.
"""

from __future__ import annotations

import base64
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.client.served import Server
from tests.dav.client import sync_body

PATIENCE_SECONDS = 5
XML = {"Content-Type": "application/xml"}
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
NAMESPACES = "<x " + " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(200)) + "/>"
DEEP = "<x>" * 5_000 + "</x>" * 5_000
PATCH = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>'


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the server logs."""
    return tmp_path_factory.mktemp("hostile") / "log"


@pytest.fixture(scope="module")
def server(log: Path) -> Iterator[Server]:
    """Yield a running server; its store has a resource `a` and a collection `c`."""
    server = Server(log.parent / "data", log)
    assert send(server, "PUT", "a", body="0123456789")[0] == 201
    assert send(server, "MKCOL", "c")[0] == 201
    yield server
    server.kill()


def send(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None, *, body: str | bytes = b""
) -> tuple[int, bytes]:
    """Write one request as it is given and return status and body of the answer."""
    url = urlsplit(server.url)
    target = path if path[:1] in ("/", "*", "!") or "://" in path else f"{url.path}{path}"
    body = body.encode() if isinstance(body, str) else body
    sent = {
        "Host": url.netloc,
        "Authorization": "Basic " + base64.b64encode(":".join(server.credentials).encode()).decode(),
        **({"Content-Length": str(len(body))} if body and "Transfer-Encoding" not in (headers or {}) else {}),
        **(headers or {}),
    }
    lines = [f"{method} {target.removeprefix('!')} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    begun = time.monotonic()
    with socket.create_connection((url.hostname, url.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)  # nothing more comes: what is announced and not there is missing
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        content = answer.read()
    assert time.monotonic() - begun < PATIENCE_SECONDS
    return answer.status, content


def destination(value: str) -> dict[str, str]:
    """Return the headers of a COPY or MOVE."""
    return {"Destination": value}


TARGETS = [
    ("GET", "/dav/store/me/../me/a"),
    ("GET", "/dav/store/me/%2e%2e/a"),
    ("GET", "/dav/store/me/./a"),
    ("GET", "/dav/store/me//a"),
    ("GET", "/dav/store/me/a%2Fb"),
    ("GET", "/dav/store/me/%00"),
    ("GET", "/dav/store/me/%0a"),
    ("GET", "/dav/store/me/%"),
    ("GET", "/dav/store/me/%fg"),
    ("GET", "/dav/store/me/%ff%fe"),
    ("GET", "/dav/store/me/%c0%ae%c0%ae/"),
    ("GET", "/dav/store/me/%ed%a0%80"),
    ("GET", "/dav/store/me/a#b"),
    ("GET", "/dav/store/me/a?part=1"),
    ("GET", "/dav/store/me/" + "x" * 20_000),
    ("GET", "/dav/store/me/" + "x/" * 4_000),
    ("GET", "/dav/store/me/a/b"),
    ("GET", "/dav/store/root/a"),
    ("GET", "/dav/store/ME/a"),
    ("GET", "/DAV/store/me/a"),
    ("GET", "/..%5c..%5cetc/passwd"),
    ("GET", "*"),
    ("GET", "!a"),
    ("GET", "!http://"),
    ("GET", "ftp://127.0.0.1/dav/store/me/a"),
    ("PUT", "/dav/store/me/%2e%2e%2fx"),
    ("PUT", "x" * 256),
    ("PUT", "c"),
    ("PUT", "a/b/c"),
    ("MKCOL", "%"),
    ("DELETE", "/"),
    ("DELETE", "/dav/store/me/"),
    ("PROPFIND", "/dav/store/me/%00"),
    ("CONNECT", "!127.0.0.1:80"),
    ("TRACE", "a"),
    ("BREW", "a"),
    ("G" * 300, "a"),
    ("G@T", "a"),
]

HEADERS = [
    ("GET", "a", {"Range": "bytes=99-"}),
    ("GET", "a", {"Range": "bytes=" + "9" * 5_000 + "-"}),
    ("GET", "a", {"Range": "bytes=-0"}),
    ("GET", "a", {"If-Match": "x"}),
    ("GET", "a", {"If-Match": '"' + "x" * 5_000 + '"'}),
    ("GET", "a", {"If-None-Match": '"a" "b"'}),
    ("GET", "a", {"If": "(" * 5_000}),
    ("GET", "a", {"If": "(Not" + " Not" * 1_000 + ")"}),
    ("GET", "a", {"If": "<x"}),
    ("GET", "a", {"If": '(["x"]) <u:y> (["z"])'}),
    ("GET", "a", {"Authorization": "Basic !!!"}),
    ("GET", "a", {"Authorization": "Basic bWU6AAA="}),
    ("GET", "a", {"Authorization": "Digest x"}),
    ("GET", "a", {"Authorization": "Bearer dvs_0_0"}),
    ("GET", "a", {"X-Long": "x" * 40_000}),
    ("GET", "a", {"Bad Name": "x"}),
    ("GET", "a", {"Content-Length": "-1"}),
    ("GET", "a", {"Content-Length": "+5"}),
    ("GET", "a", {"Content-Length": "0x5"}),
    ("GET", "a", {"Content-Length": "5", "Transfer-Encoding": "chunked"}),
    ("PROPFIND", "", {"Depth": "2"}),
    ("PROPFIND", "", {"Depth": "-1"}),
    ("PROPFIND", "", {"Depth": "9" * 5_000}),
    ("PROPFIND", "/", {"Depth": "infinity"}),
    ("REPORT", "", {"Depth": "1"}),
    ("DELETE", "c", {"Depth": "0"}),
    ("DELETE", "a", {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    ("DELETE", "a", {"Sec-Fetch-Site": "cross-site"}),
    ("DELETE", "a", {"Origin": "http://evil.example"}),
    ("DELETE", "a", {"If": "(<urn:davstore:sync:1." + "9" * 3_000 + ">)"}),
    ("PUT", "a", {"Content-Range": "bytes 0-1/2"}),
    ("PUT", "a", {"Content-Encoding": "gzip"}),
    ("PUT", "a", {"Content-Type": "x" * 300}),
    ("PUT", "a", {"Content-Length": "9" * 50}),
    ("PUT", "a", {"Content-Length": "100"}),
    ("PUT", "a", {"Transfer-Encoding": "chunked"}),
    ("PUT", "a", {"If-None-Match": "*"}),
    ("COPY", "a", {}),
    ("COPY", "a", {"Depth": "1", "Destination": "/dav/store/me/b"}),
    ("COPY", "a", {"Overwrite": "maybe", "Destination": "/dav/store/me/b"}),
    ("COPY", "a", {"Overwrite": "F", "Destination": "/dav/store/me/c"}),
    ("MOVE", "c", {"Depth": "0", "Destination": "/dav/store/me/b"}),
    ("MOVE", "c", destination("/dav/store/me/c/d")),
    ("MOVE", "a", destination("/dav/store/me/a")),
    ("MOVE", "a", destination("")),
    ("MOVE", "a", destination("b")),
    ("MOVE", "a", destination("/dav/store/me/../b")),
    ("MOVE", "a", destination("/dav/store/me/%2e%2e/b")),
    ("MOVE", "a", destination("/dav/store/me/%ff")),
    ("MOVE", "a", destination("/dav/store/me/b#c")),
    ("MOVE", "a", destination("http://[::1/b")),
    ("MOVE", "a", destination("/dav/store/me/" + "y" * 256)),
    ("MOVE", "a", destination("/dav/store/me")),
]

BODIES = [
    (method, path, body)
    for method, path in (("PROPFIND", ""), ("PROPPATCH", "a"), ("MKCOL", "new"), ("REPORT", ""))
    for body in ("<", "\x00", "<x", "<x/><y/>", "<a:x/>", ENTITIES, NAMESPACES, DEEP, "<x>" + "<y/>" * 20_000 + "</x>")
] + [
    ("PROPPATCH", "a", PATCH.format(f"<x>{'v' * 70_000}</x>")),
    ("PROPPATCH", "a", PATCH.format(f"<{'n' * 300}/>")),
    ("PROPPATCH", "a", PATCH.format("".join(f"<p{number}/>" for number in range(1_100)))),
    ("REPORT", "", sync_body("urn:davstore:sync:1.0.0.0.-.0")),
    ("REPORT", "", sync_body("9" * 9_000)),
    ("REPORT", "", sync_body("urn:davstore:sync:1.1.1.0123456789abcdef.-." + "9" * 19)),
    ("REPORT", "", sync_body(level="9")),
    ("REPORT", "", sync_body(limit=0)),
    ("REPORT", "a", sync_body()),
    ("GET", "a", "x"),
    ("DELETE", "a", "x"),
    ("COPY", "a", "<propertybehavior/>"),
    ("PROPFIND", "", "<x>" + "y" * 1_100_000 + "</x>"),
]


def is_refused(status: int) -> bool:
    """Tell whether a status is one that a bad request may get."""
    return 400 <= status < 500 or status == 501


def test_there_are_enough() -> None:
    assert len(TARGETS) + len(HEADERS) + len(BODIES) >= 80


@pytest.mark.parametrize(("method", "path"), TARGETS, ids=[f"{m[:9]} {p[:40]}" for m, p in TARGETS])
def test_targets(server: Server, method: str, path: str) -> None:
    assert is_refused(send(server, method, path)[0])


@pytest.mark.parametrize(("method", "path", "headers"), HEADERS, ids=[f"{m} {str(h)[:60]}" for m, _, h in HEADERS])
def test_headers(server: Server, method: str, path: str, headers: dict[str, str]) -> None:
    assert is_refused(send(server, method, path, headers)[0])


def test_a_length_that_no_disk_holds_is_refused_before_the_body(server: Server) -> None:
    assert send(server, "PUT", "a", {"Content-Length": "9" * 15})[0] == 507


@pytest.mark.parametrize(("method", "path", "body"), BODIES, ids=[f"{m} {b[:40]!r}" for m, _, b in BODIES])
def test_bodies(server: Server, method: str, path: str, body: str) -> None:
    assert is_refused(send(server, method, path, XML, body=body)[0])


@pytest.mark.parametrize(
    "chunks",
    [
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nx",
        b"5\r\nhelloXX0\r\n\r\n",
        b"FFFFFFFFFF\r\nx",
        b"\r\n",
    ],
)
def test_chunks(server: Server, chunks: bytes) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    assert is_refused(send(server, "PUT", "a", headers, body=chunks)[0])


@pytest.mark.parametrize(
    "value",
    [
        "http://other.example/b",
        "https://127.0.0.1:1/dav/store/me/b",
        "/dav/store/you/b",
        "/elsewhere",
        "ftp://x/y",
        f"http://{'x' * 9_000}",
    ],
)
def test_destinations_that_are_not_here(server: Server, value: str) -> None:
    for method in ("COPY", "MOVE"):
        assert send(server, method, "a", destination(value))[0] == 502


def test_nothing_of_it_left_a_trace(server: Server, log: Path) -> None:
    assert send(server, "GET", "a") == (200, b"0123456789")
    assert send(server, "GET", "") == (200, b"a\nc/\n")
    assert "Traceback" not in log.read_text()
