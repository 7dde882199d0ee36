"""POST to the place where members are added: RFC 5995, with the Slug of RFC 5023 §9.7."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from davstore.model.limits import Limits
from tests.dav.client import BOB, HOME, Answer, Client
from tests.dav.test_locks import info
from tests.dav.test_sessions import make
from tests.messages import group_state, session_info

ADD = f"{HOME}/c/?add"
MAIL = b"From: a@x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nbody"


@pytest.fixture
def dav(tmp_path: Path) -> Client:
    """Return a client with an empty collection."""
    client = Client(tmp_path, limits=Limits(inline_bytes=100), quota_bytes=1_000_000)
    client.mkcol("c")
    return client


def add(dav: Client, body: bytes = b"x", slug: str | None = None, **headers: str | None) -> Answer:
    """Add a member."""
    return dav("POST", ADD, body, Slug=slug, **headers)


def name(answer: Answer) -> str:
    """Return the name that the server gave."""
    assert answer.status == 201, answer
    return unquote(answer.headers["Location"].removeprefix(f"{HOME}/c/"))


def test_a_collection_says_where_members_are_added(dav: Client) -> None:
    """RFC 5995 §3.2.1: `add-member`, protected, not in allprop, on collections alone."""
    property_ = "{DAV:}add-member"
    assert dav.find("c", property_).prop(f"{HOME}/c/", property_)[0].text == ADD
    dav.put("c/file")
    assert dav.find("c/file", property_).prop(f"{HOME}/c/file", property_) is None
    assert "add-member" not in dav("PROPFIND", "c/", Depth="0").body.decode()
    change = "<D:set><D:prop><D:add-member/></D:prop></D:set>"
    assert dav.patch("c/", change).props(f"{HOME}/c/", 403)


def test_a_member_is_made_and_its_url_told(dav: Client) -> None:
    """RFC 5995 §3.2: 201 with Location; the bytes, type and entity tag are those that were sent."""
    for body in (b"small", b"l" * 300):
        answer = add(dav, body, "note", Content_Type="text/plain;charset=utf-8")
        read = dav("GET", answer.headers["Location"])
        assert (read.body, read.headers["Content-Type"]) == (body, "text/plain;charset=utf-8")
        assert answer.headers["ETag"] == read.headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    assert dav.names("c") == ["note-2.txt", "note.txt"]
    answer = add(dav, b"shown", "shown", Prefer="return=representation")
    assert (answer.status, answer.body, name(answer)) == (201, b"shown", "shown")
    assert dav("POST", ADD, b"c" * 300, chunked=True, Slug="chunked.bin").status == 201
    assert dav("GET", "c/chunked.bin").body == b"c" * 300


NAMES = (
    ("The Beach at S%C3%A8te", "image/jpeg", "The Beach at Sète.jpg"),
    ("S\xc3\xa8te.png", "image/jpeg", "Sète.png"),
    ("S\xe8te", "message/cpim", "Sète.cpim"),
    ("../../etc/passwd", None, "etc-passwd"),
    ("a%2Fb%5Cc%00%0D%0Ad.txt", None, "a-b-c d.txt"),
    ("..", "text/plain", "file-2d711642b726.txt"),
    ("%E2%80%AEgnp.exe", None, "gnp.exe"),
    (quote("ä" * 300) + ".jpg", None, "ä" * 88 + ".jpg"),
    ("no%zzescape", "application/xml", "no%zzescape.xml"),
    (None, "image/png", "image-2d711642b726.png"),
    (None, None, "file-2d711642b726"),
)
"""A Slug, a Content-Type, and the name: 2d711642b726 begins the digest of x."""


def test_the_name_is_the_slug_made_safe(dav: Client) -> None:
    """RFC 5023 §9.7: percent-decoded UTF-8, of which a server may use what it can."""
    for slug, type_, expected in NAMES:
        headers = {} if type_ is None else {"Content_Type": type_}
        assert name(add(dav, b"x", slug, **headers)) == expected


def test_without_a_slug_the_name_is_what_the_body_is(dav: Client) -> None:
    """An extension is that of the type, or of what was recognised."""
    assert name(add(dav, session_info("c"))) == "session-info.eml"
    assert name(add(dav, group_state("2012-06-14T00:00:00Z"))).startswith("group-state-")
    assert name(add(dav, MAIL)) == f"message-{hashlib.sha256(MAIL).hexdigest()[:12]}.eml"
    assert name(add(dav, MAIL, "hello")) == "hello.eml"
    answer = dav("GET", "c/hello.eml")
    assert answer.headers["Content-Type"] == "message/rfc822"


def test_nothing_is_overwritten(dav: Client) -> None:
    """However many want one name."""
    names = [name(add(dav, b"%d" % number, "photo.jpg")) for number in range(25)]
    assert names[:3] == ["photo.jpg", "photo-2.jpg", "photo-3.jpg"]
    assert len({*names}) == len(dav.names("c")) == 25


def test_what_a_put_refuses_is_refused(dav: Client) -> None:
    """Digests, codings, quota, and conditions about what is not there; nothing is stored."""
    digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert add(dav, Repr_Digest=f"sha-256=:{digest}:").status == 400
    assert add(dav, Content_Encoding="gzip").status == 415
    assert add(dav, Content_Range="bytes 0-0/1").status == 400
    assert add(dav, Content_Length="5").status == 400
    assert add(dav, If_Match="*").status == add(dav, If_Match='"x"').status == 412
    assert add(dav, b"x" * 1_100_000).condition == "{DAV:}quota-not-exceeded"
    assert dav.names("c") == []
    assert add(dav, If_None_Match="*").status == 201


def test_a_lock_and_a_condition_on_the_collection(dav: Client) -> None:
    """RFC 4918 §7.4: a new member needs the token; an untagged list is about the collection."""
    answer = dav("LOCK", "c/", info(), Depth="0")
    token = answer.headers["Lock-Token"]
    assert add(dav).status == 423
    assert add(dav, If=f"({token})").status == 201
    assert add(dav, If=f'({token} ["x"])').status == 412


def test_a_second_session_info_is_refused(dav: Client) -> None:
    """As by PUT."""
    make(dav, "s/")
    assert dav("POST", "s/?add", session_info("c")).status == 201
    answer = dav("POST", "s/?add", session_info("c"), Slug="other")
    assert (answer.status, answer.condition) == (409, "{urn:davstore:cpm}session-info-unique")


def test_the_place_has_no_other_method(dav: Client) -> None:
    """405 with Allow; OPTIONS tells them. It is no member: no listing has it."""
    dav.put("file")
    for query in ("?add", "?add=", "?v=2&add"):
        answer = dav("OPTIONS", f"c/{query}")
        assert (answer.status, answer.headers["Allow"]) == (200, "OPTIONS, POST")
        for method in ("GET", "HEAD", "PUT", "DELETE", "PROPFIND", "LOCK", "MKCOL", "REPORT", "PATCH"):
            answer = dav(method, f"c/{query}")
            assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST"), method
    assert dav("SEARCH", "c/?add").status == 501
    assert dav("COPY", "file", Destination=ADD).status == 400
    for path in ("missing/?add", "file?add", "c/?add=x", "c/?add&part=1", "/dav/store/?add", "/dav/?add"):
        assert dav("POST", path, b"x").status == dav("OPTIONS", path).status == 404
    assert dav("POST", "?add", b"x", Slug="at the root").status == 201
    dav.principal = BOB
    assert dav("POST", ADD, b"x").status == dav("GET", ADD).status == 404
