"""Responses on their way out: their length is known, and what they are read from is let go of once, read or not."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from davstore.dav.responses import SPOOL_BYTES, Spooled, Stream
from tests.dav.client import HOME, Client

LENGTH = 1 << 20
"""A blob of its own, and too long to be read before the status leaves."""
CASES: dict[str, tuple[str, dict[str, str], str]] = {
    "whole": ("GET", {}, "200"),
    "head": ("HEAD", {}, "200"),
    "a range": ("GET", {"HTTP_RANGE": "bytes=5-600000"}, "206"),
    "a small range": ("GET", {"HTTP_RANGE": "bytes=5-9"}, "206"),
    "ranges": ("GET", {"HTTP_RANGE": "bytes=0-400000,500000-900000"}, "206"),
    "no range": ("GET", {"HTTP_RANGE": f"bytes={LENGTH}-"}, "416"),
    "not modified": ("GET", {"HTTP_IF_NONE_MATCH": "*"}, "304"),
    "failed": ("GET", {"HTTP_IF_MATCH": '"other"'}, "412"),
    "represented": ("PUT", {"HTTP_IF_NONE_MATCH": "*", "HTTP_PREFER": "return=representation"}, "412"),
}


def open_files(beneath: Path) -> list[str]:
    """Return the files in a directory that this process holds open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(fd.readlink()))
        except FileNotFoundError:
            continue
    return [name for name in found if name.startswith(str(beneath))]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("parts_read", [0, 1, None])
def test_no_answer_keeps_a_body_open(tmp_path: Path, case: str, parts_read: int | None) -> None:
    dav = Client(tmp_path)
    dav.put("a", os.urandom(LENGTH))
    method, headers, status = CASES[case]
    begun: list[str] = []
    environ = {"REQUEST_METHOD": method, "REQUEST_URI": f"{HOME}/a", "wsgi.input": io.BytesIO(), **headers}
    answer: Any = dav.application(environ, lambda line, _headers, _=None: begun.append(line))
    for read, _ in enumerate(answer):
        if parts_read is not None and read + 1 >= parts_read:
            break
    if hasattr(answer, "close"):
        answer.close()
    assert begun[-1].startswith(status)
    assert open_files(tmp_path / "blobs") == []
    dav.close()


def test_a_stream_lets_go_once() -> None:
    closed: list[bool] = []
    stream = Stream([b"x"], 1, lambda: closed.append(True))
    assert b"".join(stream) == b"x"
    stream.close()
    stream.close()
    assert closed == [True]


@pytest.mark.parametrize("length_bytes", [0, 1, SPOOL_BYTES, SPOOL_BYTES + 1, 3 * SPOOL_BYTES])
def test_a_spooled_body_is_what_was_written(length_bytes: int) -> None:
    body = os.urandom(length_bytes)
    pieces = [body[start : start + 100_000] for start in range(0, length_bytes, 100_000)]
    stream = Spooled(lambda out: [out(piece) for piece in pieces]).spool()
    assert (stream.length_bytes, b"".join(stream)) == (length_bytes, body)
    stream.close()


def test_a_listing_is_as_long_for_head_as_for_get(dav: Client) -> None:
    dav.put("a")
    got, told = dav("GET", ""), dav("HEAD", "")
    assert (told.status, told.headers, told.body) == (got.status, got.headers, b"")
