"""The weaknesses of cheroot 11.1.2, one test each, on a real server; slow clients are in `test_slow_clients`."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.served import Server
from tests.hardening.wire import PATIENCE_SECONDS, Wire, parse_answer

CHUNKED = {"Transfer-Encoding": "chunked"}
LINE_BYTES, HEAD_BYTES = 16 * 1024, 32 * 1024


def files_of(server: Server) -> set[Path]:
    """Return the files of all blobs, whole and staged."""
    return {file for file in (server.data / "blobs").rglob("*") if file.is_file()}


@pytest.mark.parametrize(("said", "sent"), [(1_000, 5), (10 * 10**9, 1_000_000), (70_000, 69_999), (1, 0)])
def test_a_body_cut_short_is_never_acknowledged(server: Server, wire: Wire, said: int, sent: int) -> None:
    blobs = files_of(server)
    for path, before in (("a", b"0123456789"), ("c1", None)):
        refused = wire.send("PUT", path, {"Content-Length": str(said)}, body=b"x" * sent)
        assert refused.status in (400, 507)  # the disk may be too small for what is announced
        assert refused.headers["Connection"] == "close"
        after = wire.send("GET", path)
        assert (after.status, after.body) == ((200, before) if before else (404, b"Not Found\n"))
    assert files_of(server) == blobs


@pytest.mark.parametrize(
    "chunks",
    [
        *(
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"5_0\r\nhello\r\n0\r\n\r\n",
            b" 5\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\r\n",
            b"5\r\nhello\r\n0\r\n",
            b"5\r\nhel",
            b"123456789\r\nhello",
            b"5\nhello\n0\n\n",
        ),
        *(
            b"5\r\nhelloXX0\r\n\r\n",
            b"5\r\nhello\r\n-0\r\n\r\n",
            b"5\r\nhello\r\n0\r\nno trailer",
            b"5" + b" " * 9_000 + b"\r\nhello",
        ),
        *(b"000000005\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n"),
    ],
)
def test_a_chunk_that_breaks_the_grammar_is_refused(wire: Wire, chunks: bytes) -> None:
    refused = wire.send("PUT", "c2", CHUNKED, body=chunks)
    assert (refused.status, refused.headers["Connection"]) == (400, "close")
    assert wire.send("GET", "c2").status == 404


@pytest.mark.parametrize(
    "fields",
    [
        [("Content-Length", "+5")],
        [("Content-Length", "0_5")],
        [("Content-Length", "-1")],
        [("Content-Length", "5"), ("Content-Length", "50")],
        [("Content-Length", "5"), ("Content-Length", "5")],
        [("Content-Length", "5, 5")],
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        [("Transfer-Encoding", "xchunked")],
        [("Content-Length ", "5")],
        [("Host", "a"), ("Host", "b")],
    ],
)
def test_framing_that_can_be_read_in_two_ways_is_refused(wire: Wire, fields: list[tuple[str, str]]) -> None:
    """The bytes that follow could be the second request of a smuggler: they are not read."""
    request = wire.head("PUT", "c3", fields) + b"0\r\n\r\n" + wire.head("PUT", "smuggled") + wire.head("GET", "a")
    refused = wire.exchange(request)
    assert refused.status == (501 if fields == [("Transfer-Encoding", "xchunked")] else 400)
    assert refused.headers["Connection"] == "close"
    assert [wire.send("GET", path).status for path in ("c3", "smuggled")] == [404, 404]


def test_heads_and_bodies_have_caps(wire: Wire) -> None:
    assert wire.send("GET", "x" * 100_000).status == 414
    for fields in ([("X-Long", "x" * 100_000)], [(f"X-{number}", "x" * 10) for number in range(10_000)]):
        assert wire.send("GET", "a", fields).status in (413, 431)
    for method, path in (("PROPFIND", ""), ("PROPPATCH", "a"), ("REPORT", ""), ("LOCK", "a")):
        for body in (b"<x>" + b"<y/>" * 400_000 + b"</x>", b"x" * 2_000_000):
            assert wire.send(method, path, {"Content-Type": "text/xml"}, body=body).status == 413
            chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            assert wire.send(method, path, {"Content-Type": "text/xml", **CHUNKED}, body=chunks).status == 413
    assert wire.send("PUT", "c4", {"Content-Length": "9" * 15}).status == 507
    assert wire.send("GET", "c4").status == 404


@pytest.mark.parametrize(("more", "told"), [(0, (404, 200)), (1, (414, 431))])
def test_the_caps_of_a_head_are_16_and_32_kilobytes(wire: Wire, more: int, told: tuple[int, int]) -> None:
    """16 KiB for its request line and 32 for all its lines, without the empty one at its end."""
    line = len(f"GET {wire.store} HTTP/1.1")
    assert wire.send("GET", "x" * (LINE_BYTES - line + more)).status == told[0]
    head = len(wire.head("GET", "a", {"X-Long": ""})) - len(b"\r\n\r\n")
    assert wire.send("GET", "a", {"X-Long": "x" * (HEAD_BYTES - head + more)}).status == told[1]


def test_a_head_without_an_end_is_answered_before_it_ends(wire: Wire) -> None:
    with socket.create_connection(wire.address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + (b"X: " + b"x" * 995 + b"\r\n") * 1_000)
        assert connection.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 431")


def lose_blob(blob: Path, _database: sqlite3.Connection) -> None:
    """Lose the file: an error of ours."""
    blob.unlink()


def break_blob(blob: Path, _database: sqlite3.Connection) -> None:
    """Have a directory where the file was: an error of the operating system."""
    blob.unlink()
    blob.mkdir()


def break_row(_blob: Path, database: sqlite3.Connection) -> None:
    """Have no number where one must be: any error at all."""
    (newest,) = database.execute("SELECT max(id) FROM node").fetchone()
    database.execute("UPDATE node SET modified_us = 'x' WHERE id = ?", (newest,))
    database.commit()


@pytest.mark.parametrize("damage", [lose_blob, break_blob, break_row])
def test_what_fails_inside_is_an_answer_and_the_connection_lives_on(
    tmp_path: Path, damage: Callable[[Path, sqlite3.Connection], None]
) -> None:
    """An error that no handler expects is 500, without its text."""
    server = Server(tmp_path / "data", tmp_path / "log")
    try:
        wire = Wire(server)
        assert wire.send("PUT", "a", body="0123456789").status == 201
        assert wire.send("PUT", "lost", body=b"x" * 100_000).status == 201
        (blob,) = files_of(server)
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "davstore.sqlite")) as database:
            damage(blob, database)
        with socket.create_connection(wire.address, timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(wire.head("GET", "lost"))
            failed = parse_answer(connection.recv(65_536), method="GET")
            assert (failed.status, failed.body) == (500, b"Internal Server Error\n")
            connection.sendall(wire.head("GET", "a"))
            assert parse_answer(connection.recv(65_536), method="GET").body == b"0123456789"
    finally:
        server.kill()
