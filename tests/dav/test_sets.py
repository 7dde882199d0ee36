"""A set of members as one multipart POST: docs/protocol.md#sets."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.dav.client import HOME, Answer, Client, D, sync_body
from tests.dav.test_locks import info
from tests.dav.test_sessions import types
from tests.messages import session_info

C = "{urn:davstore:cpm}"
ADD = f"{HOME}/c/?add"
LARGE = b"l" * 300
SHA256 = base64.b64encode(hashlib.sha256(b"x").digest()).decode()


@pytest.fixture
def dav(tmp_path: Path) -> Client:
    """Return a client with an empty collection, and room for 10,000 bytes."""
    client = Client(tmp_path, limits=Limits(inline_bytes=100), quota_bytes=10_000)
    client.mkcol("c")
    return client


def part(content: bytes = b"x", location: str | None = None, **fields: str) -> bytes:
    """Return one part of a body."""
    named = {} if location is None else {"Content-Location": location}
    head = "".join([f"{name.replace('_', '-')}: {value}\r\n" for name, value in (named | fields).items()])
    return b"--b\r\n" + head.encode() + b"\r\n" + content + b"\r\n"


def post(dav: Client, *parts: bytes, end: bytes = b"--b--\r\n", strict: bool = False, **headers: str) -> Answer:
    """Send parts as one body."""
    prefer = {"Prefer": "handling=strict"} if strict else {}
    type_ = "multipart/related; boundary=b"
    return dav("POST", ADD, b"".join(parts) + end, Content_Type=type_, **prefer, **headers)


def told(answer: Answer) -> list[tuple[str, int, str | None, str | None]]:
    """Return of each response the href beneath the collection, the status, the condition, and the id of the part."""
    assert answer.status == 207, answer
    found = []
    for response in answer.xml.iter(f"{D}response"):
        href = str(response.findtext(f"{D}href"))
        status = int(str(next(response.iter(f"{D}status")).text).split()[1])
        names = [str(one.tag) for one in response.iterfind(f"{D}error/*") if one.tag != f"{C}part-id"]
        part_id = next((one.text for one in response.iter(f"{C}part-id")), None)
        found.append((href.removeprefix(f"{HOME}/c/"), status, names[0] if names else None, part_id))
    return found


def test_each_part_is_a_member(dav: Client) -> None:
    """One response for each, with its entity tag and id; bytes and types are those that were sent."""
    answer = post(
        dav,
        part(b"one", "m1.cpim", Content_Type="message/cpim", Content_ID="<1@phone>"),
        part(b"\r\n--bb\r\n", "dir/deep/%C3%A4 b.txt"),
        part(LARGE, Content_Type="image/jpeg", Slug="photo", Content_ID="<2@phone>"),
        part(base64.encodebytes(b"\0\1\2" * 200), "b.bin", Content_Transfer_Encoding="BASE64"),
        part(b"=C3=A4=\r\n", "qp", Content_Transfer_Encoding="quoted-printable"),
        part(b"", "empty"),
        part(b"y"),
    )
    digest = hashlib.sha256(b"y").hexdigest()
    assert told(answer) == [
        ("m1.cpim", 200, None, "1@phone"),
        ("dir/deep/%C3%A4%20b.txt", 200, None, None),
        ("photo.jpg", 200, None, "2@phone"),
        ("b.bin", 200, None, None),
        ("qp", 200, None, None),
        ("empty", 200, None, None),
        (f"file-{digest[:12]}", 200, None, None),
    ]
    bodies = {
        "m1.cpim": b"one",
        "dir/deep/%C3%A4%20b.txt": b"\r\n--bb\r\n",
        "photo.jpg": LARGE,
        "b.bin": b"\0\1\2" * 200,
    }
    for name, body in {**bodies, "qp": "ä".encode(), "empty": b""}.items():
        read = dav("GET", f"c/{name}")
        assert read.body == body
        assert answer.text(f"{HOME}/c/{name}", f"{D}getetag") == read.headers["ETag"]
    assert dav("GET", "c/m1.cpim").headers["Content-Type"] == "message/cpim"
    assert dav("GET", "c/b.bin").headers["Content-Type"] == "application/octet-stream"
    assert types(dav, "c/dir/")[f"{HOME}/c/dir/"] == [f"{D}collection"]


def test_the_sync_token_is_of_the_collection_behind_the_set(dav: Client) -> None:
    """A report with it tells nothing of the set, and what comes later."""
    token = post(dav, part(b"x", "a"), part(b"x", "d/b")).xml.findtext(f"{D}sync-token")
    assert dav("REPORT", "c/", sync_body(token, level="infinite")).hrefs() == []
    dav.put("c/later")
    assert dav("REPORT", "c/", sync_body(token, level="infinite")).hrefs() == [f"{HOME}/c/later"]


def test_a_session_is_made_where_its_info_lies(dav: Client) -> None:
    """Whatever the order of the parts; a second info is refused, and a collection that is there keeps its type."""
    dav.mkcol("c/plain")
    answer = post(
        dav,
        part(b"m", "sess/1.cpim"),
        part(session_info("1"), "sess/info.eml"),
        part(session_info("2"), "sess/second.eml", Content_ID="<2>"),
        part(session_info("3"), "plain/info.eml"),
        part(session_info("4"), "outer/sess/info.eml"),
    )
    assert told(answer)[2] == ("sess/second.eml", 409, f"{C}session-info-unique", "2")
    assert [status for _, status, *_ in told(answer)] == [200, 200, 409, 200, 200]
    made = {
        path: len(types(dav, path)[f"{HOME}/{path}"]) for path in ("c/sess/", "c/plain/", "c/outer/", "c/outer/sess/")
    }
    assert made == {"c/sess/": 2, "c/plain/": 1, "c/outer/": 1, "c/outer/sess/": 2}
    assert dav.names("c/sess") == ["1.cpim", "info.eml"]


OUTSIDE = ["../x", "a/../../x", "%2E%2E/x", "/dav/store/bob/x", f"{HOME}/x", f"{HOME}/c/", "http://other/x", "cid:1"]
UNREADABLE = ["a/" * 32 + "x", "./x", "a//b", "a/", "", "x?add", "x#y", "a%2Fb", "%00", "%zz", "%ff"]


def test_a_name_outside_of_the_collection_is_refused(dav: Client) -> None:
    """403 for that part, whose href is not the name; the others are stored."""
    locations = [*OUTSIDE, *UNREADABLE]
    parts = [part(b"x", location, Content_ID=f"<{at}@x>") for at, location in enumerate(locations)]
    refused = [(f"?add&part={at}@x", 403, f"{D}name-allowed", f"{at}@x") for at in range(len(locations))]
    assert told(post(dav, *parts, part(b"x", "good"))) == [*refused, ("good", 200, None, None)]
    assert dav.names("c") == ["good"]


def test_a_part_is_refused_by_itself(dav: Client) -> None:
    """Each with the status and condition that a PUT of it would have, at the URL that it would have."""
    dav.put("c/there")
    dav.mkcol("c/folder")
    wrong = f"sha-256=:{'A' * 43}=:"
    answer = post(
        dav,
        part(b"x", "there", If_None_Match="*", Content_ID="<1>"),
        part(b"x", "there2", If_Match="*"),
        part(b"x", "digest", Repr_Digest=wrong),
        part(LARGE, "large", Content_Digest=wrong),
        part(b"x", "coded", Content_Encoding="gzip"),
        part(b"x", "uu", Content_Transfer_Encoding="x-uuencode"),
        part(b"a*b", "base64", Content_Transfer_Encoding="base64"),
        part(b"x", "n" * 256, Content_ID="<8>"),
        part(b"x", "made/for/nothing", If_Match="*"),
        part(b"x", "folder"),
        part(b"x", "there/below"),
        part(b"x", "twice"),
        part(b"x", "twice", Content_ID="<12>"),
        part(b"x" * 11_000, Content_ID="<13>"),
        part(b"x", "good", Repr_Digest=f"sha-256=:{SHA256}:"),
    )
    assert told(answer) == [
        ("there", 412, None, "1"),
        ("there2", 412, None, None),
        ("digest", 400, None, None),
        ("large", 400, None, None),
        ("coded", 415, None, None),
        ("uu", 415, None, None),
        ("base64", 400, None, None),
        ("?add&part=8", 403, f"{D}name-allowed", "8"),
        ("made/for/nothing", 412, None, None),
        ("folder", 405, None, None),
        ("there/below", 409, None, None),
        ("twice", 200, None, None),
        ("?add&part=12", 409, None, "12"),
        ("?add&part=13", 507, f"{D}quota-not-exceeded", "13"),
        ("good", 200, None, None),
    ]
    assert dav.names("c") == ["folder/", "good", "there", "twice"]


def test_a_member_that_is_there_is_replaced(dav: Client) -> None:
    """As by PUT, unless the part says otherwise."""
    etag = dav.put("c/a.txt", "old")
    answer = post(dav, part(b"new", "a.txt", If_Match=etag))
    assert told(answer) == [("a.txt", 200, None, None)]
    assert dav("GET", "c/a.txt").body == b"new"


def test_strict_is_all_or_nothing(dav: Client) -> None:
    """RFC 7240 §4.4, RFC 4918 §11.4: one culprit, 424 for the others, and nothing is stored."""
    dav.put("c/there")
    culprits = {
        part(b"x", "there", If_None_Match="*"): 412,
        part(b"x", "d", Repr_Digest=f"sha-256=:{'A' * 43}=:"): 400,
        part(b"x" * 11_000, "large"): 507,
        part(session_info("2"), "sess/2.eml"): 409,
        part(b"x", "../x", Content_ID="<2>"): 403,
    }
    for culprit, status in culprits.items():
        good = [part(session_info("1"), "sess/1.eml"), part(LARGE, "blob"), part(b"x", Content_ID="<9>")]
        answer = post(dav, *good, culprit, strict=True)
        assert answer.headers["Preference-Applied"] == "handling=strict"
        assert [found for _, found, *_ in told(answer)] == [424, 424, 424, status]
        assert told(answer)[2][0] == "?add&part=9"
        assert dav.names("c") == ["there"]
    answer = post(dav, *good, strict=True)
    assert [found for _, found, *_ in told(answer)] == [200, 200, 200]


def test_strict_names_the_first_that_there_is_no_room_for(dav: Client) -> None:
    """Each would fit by itself."""
    answer = post(dav, *[part(b"x" * 90, f"{number:03}") for number in range(120)], strict=True)
    assert [at for at, (_, status, *_) in enumerate(told(answer)) if status == 507] == [111]
    assert dav.names("c") == []
    answer = post(dav, *[part(b"x" * 90, f"{number:03}") for number in range(120)])
    stored = [href for href, status, *_ in told(answer) if status == 200]
    assert len(stored) == 111
    assert dav.names("c") == stored


@pytest.mark.parametrize("strict", [False, True])
def test_a_body_that_cannot_be_read_stores_nothing(dav: Client, strict: bool) -> None:
    """400 for a body without its closing boundary, or cut within a part; 413 for too many parts."""
    good = part(b"x", "a"), part(LARGE, "b")
    assert post(dav, *good, end=b"", strict=strict).status == 400
    assert post(dav, *good, end=b"--b\r\n\r\nxyz", strict=strict).status == 400
    assert post(dav, *good, end=b"--b\r\nno field\r\n\r\n--b--", strict=strict).status == 400
    assert post(dav, *good, strict=strict, Content_Length="5000").status == 400
    assert post(dav, *[part()] * 1_001, strict=strict).status == 413
    assert dav("POST", ADD, b"x", Content_Type="multipart/mixed").status == 400
    assert dav.names("c") == []


def test_the_request_has_conditions_and_locks(dav: Client) -> None:
    """An `If` is of the whole request and its tokens of each member (RFC 6578 §5, RFC 4918 §7.4)."""
    token = dav.find("c/", f"{D}sync-token").text(f"{HOME}/c/", f"{D}sync-token")
    guard = f"<{HOME}/c/> (<{token}>)"
    assert told(post(dav, part(b"x", "a"), part(b"x", "d/b"), If=guard))[1][1] == 200
    assert post(dav, part(b"x", "c"), If=guard).status == 412
    lock = dav("LOCK", "c/d/", info()).headers["Lock-Token"]
    answer = post(dav, part(b"x", "d/c"), part(b"x", "c"))
    assert told(answer) == [("d/c", 423, f"{D}lock-token-submitted", None), ("c", 200, None, None)]
    assert answer.xml.findtext(f".//{D}lock-token-submitted/{D}href") == f"{HOME}/c/d/"
    assert told(post(dav, part(b"x", "d/c"), If=f"<{HOME}/c/d/> ({lock})")) == [("d/c", 200, None, None)]
    assert dav("POST", "missing/?add", part() + b"--b--", Content_Type="multipart/mixed; boundary=b").status == 404


def test_an_empty_set_is_a_set(dav: Client) -> None:
    """No part, no response."""
    assert told(post(dav)) == []
