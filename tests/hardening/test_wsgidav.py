"""The weaknesses of WsgiDAV 4.4.0, one test each: on a real server where they show on the wire.

That a listing has an end is in `tests/dav/test_properties.py`.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from davstore.model.limits import Limits
from tests.client.served import Server
from tests.dav.client import Client
from tests.hardening.bad_requests import LOCKINFO, MOVING, PROPPATCH, XML_TYPE, Case
from tests.hardening.wire import PATIENCE_SECONDS, Answer, Wire
from tests.torture.wire import workers_that_served

XML = dict([XML_TYPE])
LARGE = 300_000
"""Bytes of a body that is a blob, and comes in pieces."""


@contextlib.contextmanager
def half_sent(wire: Wire, path: str, body: bytes) -> Iterator[socket.socket]:
    """Begin a PUT, send half of its body and let the server read it."""
    with socket.create_connection(wire.address, timeout=PATIENCE_SECONDS) as connection:
        expecting = {"Content-Length": str(len(body)), "Expect": "100-continue"}
        connection.sendall(wire.head("PUT", path, expecting))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body[: len(body) // 2])
        yield connection


def body_of(wire: Wire, path: str) -> bytes:
    """Return the body of a resource that is there."""
    answer = wire.send("GET", path)
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("path", ["/..", "/../x", "/dav/../../x", "/dav/store/me/../../../../x", "/%2e%2e/x"])
def test_a_path_above_the_root_is_answered_whole(wire: Wire, path: str) -> None:
    """`exchange` sees that as many bytes come as are announced, and at once."""
    assert wire.send("GET", path).status == 400


@pytest.mark.parametrize("name", ["%ff", "%c3%28", "%ed%a0%80", "%f8%88%80%80%80", "%e4"])
def test_a_path_that_is_not_utf_8_is_400(wire: Wire, name: str) -> None:
    for method in ("GET", "PUT", "MKCOL", "PROPFIND"):
        assert wire.send(method, name).status == 400


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """Yield a server that a test may kill and lock itself out of, and its data directory."""
    directory = tmp_path_factory.mktemp("lone")
    server = Server(directory / "data", directory / "log")
    yield server, directory / "data"
    server.kill()


def test_what_is_overwritten_stays_whole_until_it_is_replaced(lone: tuple[Server, Path]) -> None:
    server, _ = lone
    wire = Wire(server)
    old, new = b"o" * LARGE, b"n" * LARGE
    assert wire.send("PUT", "f", body=old).status == 201
    with half_sent(wire, "f", new):
        assert body_of(wire, "f") == old
        server.kill()
    server.start()
    assert body_of(wire, "f") == old
    with half_sent(wire, "f", new) as connection:
        connection.sendall(new[LARGE // 2 :])
        assert connection.recv(100).startswith(b"HTTP/1.1 204 ")
    assert body_of(wire, "f") == new


def test_a_resource_is_not_there_before_its_body_is(wire: Wire) -> None:
    for path, size in (("w4-small", 1_000), ("w4-large", LARGE)):
        with half_sent(wire, path, b"x" * size):
            assert wire.send("GET", path).status == 404
            assert path.encode() not in wire.send("PROPFIND", "", {"Depth": "1"}).body
        # the client has gone away
        assert wire.send("PUT", path, {"If-Match": "*"}, body="y").status == 412
        assert wire.send("GET", path).status == 404


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)])
def test_a_full_disk_is_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int) -> None:
    """The operating system says so when the body is there; a disk that breaks is a 500, whose body holds no trace."""
    dav = Client(tmp_path)

    def fail(*_: Any) -> None:
        raise OSError(number, "as the disk says")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        answer = dav("PUT", "f", b"x" * LARGE)
    assert answer.status == status
    assert b"disk says" not in answer.body
    assert dav("GET", "f").status == 404
    assert dav("PUT", "f", b"x" * LARGE).status == 201
    dav.close()


@pytest.mark.parametrize(
    ("path", "status"), [("x" * 256, 403), ("%C3%A4" * 128, 403), ("a%00b", 400), ("missing/f", 409), ("a/f", 409)]
)
def test_a_name_that_cannot_be_is_refused(wire: Wire, path: str, status: int) -> None:
    for method in ("PUT", "MKCOL"):
        assert wire.send(method, path).status == status


def test_two_contents_never_share_an_etag(wire: Wire) -> None:
    """Both contents have one length, and are written in one second at one URL."""
    tags = {wire.send("PUT", "w6", body=f"{number:04}").headers["Etag"] for number in range(50)}
    assert len(tags) == 50
    assert not [tag for tag in tags if not re.fullmatch('"[0-9a-f]{64}"', tag)]


@pytest.mark.parametrize("fields", [{"If-Match": '"zzz"'}, {"If-Match": "*"}, {"If": '(["zzz"])'}, {"If": "(<u:x>)"}])
def test_conditions_hold_where_nothing_is(wire: Wire, fields: dict[str, str]) -> None:
    for method in ("PUT", "MKCOL", "LOCK"):
        assert wire.send(method, "w7", fields, body=LOCKINFO if method == "LOCK" else "").status == 412
        assert wire.send("GET", "w7").status == 404


def at_once(works: list[Callable[[], Answer]]) -> list[int]:
    """Run all, begun together, and return their statuses."""
    together = threading.Barrier(len(works))

    def run(work: Callable[[], Answer]) -> int:
        together.wait()
        return work().status

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_condition_has_one_winner(wire: Wire, logged: Callable[[], str], size: int) -> None:
    """Over both workers, and when the bodies have come."""
    for number in range(10):
        new = {"If-None-Match": "*"}
        made = at_once([lambda: wire.send("PUT", f"w8-{size}-{number}", new, body=b"0" * size)] * 8)  # noqa: B023
        assert sorted(made) == [201, *[412] * 7]
    path = f"w8-{size}-0"
    for _ in range(10):
        tag = wire.send("GET", path).headers["Etag"]
        writes = [
            lambda text=text: wire.send("PUT", path, {"If-Match": tag}, body=(tag + text).ljust(size))  # noqa: B023
            for text in "abcdefgh"
        ]
        assert sorted(at_once(writes)) == [204, *[412] * 7]
    assert len(workers_that_served(logged())) == 2


@pytest.mark.parametrize("method", MOVING)
def test_a_move_that_fails_leaves_both_ends(wire: Wire, method: str) -> None:
    assert wire.send("PUT", "w9-from", body="from").status in (201, 204)
    assert wire.send("PUT", "w9-to", body="to").status in (201, 204)
    ends = {"Destination": f"{wire.store}w9-to"}
    for fields in ({"If-Match": '"no"'}, {"If": '(["no"])'}, {"Overwrite": "F"}, {"Depth": "2"}):
        assert wire.send(method, "w9-from", {**ends, **fields}).status in (400, 412)
        assert (body_of(wire, "w9-from"), body_of(wire, "w9-to")) == (b"from", b"to")


@pytest.mark.parametrize("method", MOVING)
def test_a_move_is_seen_whole_or_not_at_all(wire: Wire, method: str) -> None:
    """A reader meanwhile finds one name for the content, and never an empty destination."""
    wire.send("PUT", "w9-a", body="one")
    wire.send("PUT", "w9-b", body="two")
    seen: list[tuple[int, bytes]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            answer = wire.send("GET", "w9-b")
            seen.append((answer.status, answer.body))

    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        for _ in range(30):
            assert wire.send(method, "w9-a", {"Destination": f"{wire.store}w9-b"}).status == 204
            assert wire.send("PUT", "w9-a", body="one").status == (201 if method == "MOVE" else 204)
        done.set()
        for one in looking:
            one.result()
    assert set(seen) <= {(200, b"one"), (200, b"two")}


def test_an_xml_body_has_a_cap_and_may_be_chunked(wire: Wire) -> None:
    begun = time.monotonic()
    assert wire.send("PROPPATCH", "a", XML, body=b"x" * 100_000_000).status == 413
    assert time.monotonic() - begun < PATIENCE_SECONDS
    body = PROPPATCH.format('<x xmlns="urn:w10">v</x>').encode()
    case = Case("PROPPATCH", "a", (XML_TYPE,), body).chunked(7)
    assert wire.send("PROPPATCH", "a", list(case.fields), body=case.body).status == 207
    assert b'<x xmlns="urn:w10"' in wire.send("PROPFIND", "a", {"Depth": "0"}).body


def test_properties_live_and_die_with_their_resource(wire: Wire) -> None:
    many = PROPPATCH.format("".join(f"<p{number}/>" for number in range(20_000)))
    assert wire.send("PROPPATCH", "a", XML, body=many).status == 413
    assert wire.send("PUT", "w11", body="x").status == 201
    assert wire.send("PROPPATCH", "w11", XML, body=PROPPATCH.format("<w11/>")).status == 207
    assert b"<w11" in wire.send("PROPFIND", "w11", {"Depth": "0"}).body
    assert wire.send("DELETE", "w11").status == 204
    assert wire.send("PUT", "w11", body="x").status == 201
    assert b"<w11" not in wire.send("PROPFIND", "w11", {"Depth": "0"}).body


def ask_both(wire: Wire, head: bytes) -> set[bytes]:
    """Send a request on many connections that stay: so both workers get some. Return the statuses."""
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(socket.create_connection(wire.address, timeout=5)) for _ in range(20)]
        for client in clients:
            client.sendall(head)
        return {client.recv(len(b"HTTP/1.1 200")).rpartition(b" ")[2] for client in clients}


def test_all_workers_know_a_lock(wire: Wire, logged: Callable[[], str]) -> None:
    assert wire.send("PUT", "w12", body="x").status == 201
    granted = wire.send("LOCK", "w12", {**XML, "Timeout": "Second-4100000000"}, body=LOCKINFO)
    assert granted.status == 200
    seconds = re.search(rb"<D:timeout>Second-(\d+)</D:timeout>", granted.body)
    assert seconds
    assert 0 < int(seconds[1]) <= 3_600
    token = granted.headers["Lock-Token"]
    empty = {"Content-Length": "0"}
    assert ask_both(wire, wire.head("PUT", "w12", empty)) == {b"423"}
    assert ask_both(
        wire, wire.head("LOCK", "w12", [*XML.items(), ("Content-Length", str(len(LOCKINFO)))]) + LOCKINFO.encode()
    ) == {b"423"}
    assert ask_both(wire, wire.head("PUT", "w12", {**empty, "If": f"({token})"})) == {b"204"}
    assert wire.send("UNLOCK", "w12", {"Lock-Token": token}).status == 204
    assert ask_both(wire, wire.head("PUT", "w12", empty)) == {b"204"}
    assert len(workers_that_served(logged())) == 2


def test_a_user_has_so_many_locks(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(locks_per_user=3))
    taken = [dav("LOCK", f"f{number}", LOCKINFO, Depth="0").status for number in range(5)]
    assert taken == [201, 201, 201, 403, 403]
    dav.close()


def test_there_is_no_digest_authentication(wire: Wire) -> None:
    made_up = (
        'Digest username="me", realm="davstore", nonce="never issued", uri="/dav/store/me/a", qop=auth, nc=00000001, '
        'cnonce="x", response="00000000000000000000000000000000", algorithm=MD5'
    )
    for fields in ({"Authorization": made_up}, {"Authorization": ""}):
        refused = wire.send("GET", "a", fields)
        assert refused.status == 401
        assert "digest" not in str(refused.headers).lower()


@pytest.mark.parametrize(
    "credentials", ["!!!", "bWU", "", "=", base64.b64encode(b"me").decode(), "/////w==", "bQBlOgA="]
)
def test_credentials_that_cannot_be_read_are_401(wire: Wire, credentials: str) -> None:
    for method in ("GET", "PUT", "PROPFIND", "LOCK"):
        assert wire.send(method, "a", {"Authorization": f"Basic {credentials}"}).status == 401


def test_passwords_are_hashed_and_guessing_is_slowed_down(lone: tuple[Server, Path]) -> None:
    server, data = lone
    wire = Wire(server)
    wrong = [base64.b64encode(b"you:wrong %d" % number).decode() for number in range(14)]
    # Dealt out to two workers, counted together
    guesses = [wire.send("GET", "", {"Authorization": f"Basic {credentials}"}) for credentials in wrong]
    assert [guess.status for guess in guesses] == [401] * 10 + [429] * 4
    assert all(0 < int(guess.headers["Retry-After"]) <= 30 for guess in guesses[10:])
    with contextlib.closing(sqlite3.connect(data / "davstore.sqlite")) as database:
        kept = "\n".join(database.iterdump())
    assert "$argon2id$" in kept
    assert wire.password not in kept


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("MOVE", {"Destination": "http://[::1/b"}, 400),
        ("COPY", {"Destination": "http://[/b"}, 400),
        ("MOVE", {"Destination": "http://x:99999999/b"}, 502),
        ("GET", {"If-Modified-Since": "Fri, 31 Dec 99999 23:59:59 GMT"}, 200),
        ("GET", {"If-Modified-Since": "Thu, 99 Foo 0000 99:99:99 GMT"}, 200),
        ("GET", {"If-Modified-Since": "Sat, 31 Feb 2026 00:00:00 GMT"}, 200),
        ("GET", {"Range": f"bytes={'9' * 5_000}-{'9' * 5_000}"}, 416),
        ("PUT", {"Content-Range": f"bytes 0-{'9' * 5_000}/*"}, 400),
        ("PUT", {"X-OC-Mtime": "9" * 5_000}, 204),
        ("PUT", {"X-Expected-Entity-Length": "9" * 5_000}, 413),
        ("LOCK", {"Timeout": f"Second-{'9' * 5_000}"}, 200),
    ],
)
def test_a_field_that_no_number_or_date_is(wire: Wire, method: str, fields: dict[str, str], status: int) -> None:
    answer = wire.send(method, "a", fields, body={"LOCK": LOCKINFO, "PUT": "0123456789"}.get(method, ""))
    assert answer.status == status
    if token := answer.headers.get("Lock-Token"):
        assert wire.send("UNLOCK", "a", {"Lock-Token": token}).status == 204


def test_the_log_holds_no_bodies_and_no_forged_lines(wire: Wire, logged: Callable[[], str]) -> None:
    secret = "a-diary"
    for body in (PROPPATCH.format(f"<x>{secret}</x>"), f"<{secret}", f"<!DOCTYPE x><x>{secret}</x>"):
        wire.send("PROPPATCH", "a", XML, body=body)
    wire.send("PUT", "w18", body=secret)
    wire.send("GET", "w18%0aforged")
    wire.send("GET", "a", {"X-Request-Id": "x forged", "User-Agent": f"{secret} forged"})
    log = logged()
    assert "PROPPATCH" in log
    assert secret not in log
    assert wire.password not in log
    assert not re.search(r"^forged|\bx forged", log, re.MULTILINE)
    assert "Traceback" not in log


@pytest.mark.parametrize("name", ["w19.html", "w19.svg", "w19.xml", "w19.pdf", "w19.js"])
def test_content_of_users_is_inert_and_no_version_is_told(wire: Wire, name: str) -> None:
    assert wire.send("PUT", name, body="<script>alert(1)</script>").status in (201, 204)
    headers = wire.send("GET", name).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["Content-Disposition"].startswith("attachment")
    assert not re.search(r"\d", headers.get("Server", ""))


@pytest.mark.parametrize(
    "name",
    [
        "Remote-User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "Ssl-Client-S-Dn",
        "Davstore-Principal",
    ],
)
def test_no_header_is_an_identity(wire: Wire, name: str) -> None:
    for path in ("a", "a?logout", "a?user=me"):
        assert wire.send("GET", path, {name: "me", "Authorization": ""}).status == 401
    assert wire.send("GET", "a?logout").status == 200


def test_the_whole_tree_is_one(wire: Wire) -> None:
    for path in ("w21/", "w21/from/", "w21/to/"):
        assert wire.send("MKCOL", path).status == 201
    assert wire.send("PUT", "w21/from/f", body="x").status == 201
    assert wire.send("COPY", "w21/from/", {"Destination": f"{wire.store}w21/to/copied/"}).status == 201
    assert wire.send("MOVE", "w21/from/", {"Destination": f"{wire.store}w21/to/moved/"}).status == 201
    assert body_of(wire, "w21/to/copied/f") == body_of(wire, "w21/to/moved/f") == b"x"
    assert wire.send("GET", "w21/from/f").status == 404
    for method in ("COPY", "MOVE"):
        assert wire.send(method, "w21/to/", {"Destination": "/dav/store/you/w21"}).status == 502
