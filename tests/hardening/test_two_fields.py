"""Good requests with any two fields, in this process: an answer each, and a refusal changes nothing (promise 6)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dav.client import HOME, Client
from tests.hardening.bad_requests import FIELDS, GOOD, JUNK

FRAMING = {"Content-Length", "Transfer-Encoding", "Authorization", "Bad Name", "X-Long", "X-Control"}
"""What the connection and authentication read, which are not here."""
MEANT = {
    "Depth": ("0", "1", "infinity"),
    "Overwrite": ("T", "F"),
    "Destination": ("/dav/store/me/new", "/dav/store/me/c/d", "http://dav.example/dav/store/me/b"),
    "If": ("(Not <DAV:no-lock>)", '(["no"]) (Not ["no"])', "</dav/store/me/c> (Not <u:x>)"),
    "If-Match": ("*", '"a", *'),
    "If-None-Match": ("*", '"a", W/"b"'),
    "If-Modified-Since": ("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
    "If-Unmodified-Since": ("Fri, 31 Dec 9999 23:59:59 GMT",),
    "Range": ("bytes=0-0,2-3", "bytes=-5"),
    "If-Range": ('"a"',),
    "Timeout": ("Second-1", "Infinite", "Second-" + "9" * 18),
    "Lock-Token": ("<urn:uuid:0>",),
    "Content-Type": ("text/html", "application/xml; charset=utf-8"),
    "Prefer": ("return=minimal", "depth-noroot, return=representation"),
    "X-OC-Mtime": ("0", "1700000000.25"),
    "OC-Checksum": ("MD5:781e5e245d69b566979b86e28d23f2c7", "ADLER32:0"),
    "Want-Repr-Digest": ("sha-256=1",),
    "X-Expected-Entity-Length": ("10",),
    "Sync-Context": ("mode=manual",),
}
VALUES = {
    name: (*MEANT.get(name, ()), *FIELDS.get(name, ((), ()))[1], *JUNK) for name in sorted({*FIELDS, *MEANT} - FRAMING)
}

fields = st.sampled_from(list(VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name])))


@pytest.fixture(scope="module")
def dav() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as directory:
        client = Client(Path(directory))
        yield client
        client.close()


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(method=st.sampled_from(list(GOOD)), two=st.lists(fields, min_size=2, max_size=2))
def test_two_fields(dav: Client, method: str, two: list[tuple[str, str]]) -> None:
    dav("PUT", "a", "0123456789")
    dav("MKCOL", "c")
    before = dav("PROPFIND", "", Depth="infinity").body
    good = GOOD[method]
    given_fields = {
        name.replace("-", "_"): value.replace("/dav/store/me", HOME) for name, value in (*good.fields, *two)
    }
    answer = dav(method, good.path, good.body, **given_fields)
    assert 200 <= answer.status < 500 or answer.status in (501, 502, 507)
    if "Lock-Token" in answer.headers:
        assert dav("UNLOCK", good.path, Lock_Token=answer.headers["Lock-Token"]).status == 204
    if answer.status >= 400:
        assert dav("PROPFIND", "", Depth="infinity").body == before
