"""OPTIONS, GET and HEAD: RFC 4918 §9.4, §10.1, RFC 9110 §9.3, §13, §14; RFC 6266."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.dav.client import BOB, HOME, PHONE, Client

HTTP_DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
"""The date of 1,800,000,000 seconds since the epoch, the clock of these tests."""
EARLIER, LATER = "Fri, 15 Jan 2027 07:59:59 GMT", "Fri, 15 Jan 2027 08:00:01 GMT"


SECOND_US = 1_000_000


def test_options_tells_class_and_methods(dav: Client) -> None:
    dav.put("a.txt")
    dav.mkcol("c")
    reading = {"OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT"}
    everything = reading | {"PUT", "DELETE", "COPY", "MOVE", "PROPPATCH", "ACL", "LOCK", "UNLOCK"}
    expected = {
        f"{HOME}/a.txt": everything,
        f"{HOME}/c/": everything - {"PUT"} | {"POST"},
        f"{HOME}/": everything - {"PUT", "DELETE", "MOVE"} | {"POST"},
        f"{HOME}/new": {"OPTIONS", "PUT", "MKCOL", "LOCK"},
        "/": reading,
        "*": reading,
    }
    for path, methods in expected.items():
        answer = dav("OPTIONS", path)
        assert answer.status == 200
        assert set(answer.headers["Allow"].split(", ")) == methods
        assert answer.headers["DAV"] == "1, 2, 3, access-control, extended-mkcol"
        assert answer.headers["MS-Author-Via"] == "DAV"
        assert answer.headers["Accept-Ranges"] == "bytes"


def test_get_gives_what_was_put(dav: Client) -> None:
    etag = dav.put("a.txt", b"hello", Content_Type="text/plain; charset=utf-8")
    answer = dav("GET", "a.txt")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["ETag"] == etag
    assert answer.headers["Last-Modified"] == HTTP_DATE
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_head_is_get_without_the_body(dav: Client) -> None:
    dav.put("a.txt", b"hello")
    dav.mkcol("c")
    for path in ("a.txt", "/dav/store/alice/", "/dav/"):
        got, head = dav("GET", path), dav("HEAD", path)
        assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")
    missing = dav("HEAD", "missing")
    assert (missing.status, missing.body) == (404, b"")


def test_a_large_body_comes_back_whole_and_in_ranges(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(inline_bytes=16))
    body = bytes(range(256)) * 4_000
    dav.put("big", body)
    assert dav("GET", "big").body == body
    assert dav("GET", "big", Range="bytes=1000-600999").body == body[1000:601000]
    dav.close()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.txt", "text/plain"), ("a.jpg", "image/jpeg"), ("a.eml", "message/rfc822"), ("a.cpim", "message/cpim")],
)
def test_the_type_is_guessed_from_the_name_when_none_is_sent(dav: Client, name: str, content_type: str) -> None:
    dav.put(name)
    assert dav("GET", name).headers["Content-Type"] == content_type


def test_a_name_without_an_extension_is_bytes(dav: Client) -> None:
    dav.put("README")
    assert dav("GET", "README").headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "application/atom+xml",
        "video/x+xml",
        "image/png, text/html",
        "image/png;a=b, text/html",
        "text/plain,text/html",
        "application/pdf",
        "application/javascript",
        "multipart/related",
        "message/rfc822",
        "text/css",
        "application/octet-stream",
        "image/png text/html",
        "nonsense",
        " text/html",
    ],
)
def test_active_content_is_inert(dav: Client, content_type: str) -> None:
    dav.put("x%22y%C3%A9.html", b"<script>1</script>", Content_Type=content_type)
    headers = dav("GET", "x%22y%C3%A9.html").headers
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert headers["Content-Disposition"] == "attachment; filename=\"x_y_.html\"; filename*=UTF-8''x%22y%C3%A9.html"


@pytest.mark.parametrize(
    "content_type",
    ["image/jpeg", "IMAGE/PNG", "image/webp;q=1", "video/mp4", "audio/ogg ; codecs=opus", "text/plain; charset=utf-8"],
)
def test_other_content_is_shown_in_place(dav: Client, content_type: str) -> None:
    dav.put("a", b"0123", Content_Type=content_type)
    for sent in ({}, {"Range": "bytes=0-0"}, {"Range": "bytes=0-0,3-3"}):
        headers = dav("GET", "a", **sent).headers
        assert "Content-Disposition" not in headers
        policy = headers["Content-Security-Policy"].split("; ")
        assert {"sandbox allow-same-origin", "default-src 'none'"} <= set(policy)
        assert "script" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_browser_asks_whether_its_copy_is_right(dav: Client) -> None:
    etag = dav.put("a.jpg")
    assert dav("GET", "a.jpg").headers["Cache-Control"] == "no-cache"
    assert dav("GET", "a.jpg", If_None_Match=etag).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("value", "status", "content_range", "body"),
    [
        ("bytes=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes=2-", 206, "bytes 2-9/10", b"23456789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-30", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=5-500", 206, "bytes 5-9/10", b"56789"),
        ("bytes=10-", 416, "bytes */10", None),
        ("bytes=-0", 416, "bytes */10", None),
        ("bytes=3-2", 200, None, b"0123456789"),
        ("bytes=a-b", 200, None, b"0123456789"),
        ("lines=0-1", 200, None, b"0123456789"),
        ("bytes=0-1,2-5", 206, "bytes 0-5/10", b"012345"),
        ("bytes=20-,-1", 206, "bytes 9-9/10", b"9"),
        ("bytes=20-,30-", 416, "bytes */10", None),
        ("bytes=" + "0-1,4-5," * 9, 200, None, b"0123456789"),
    ],
)
def test_ranges(dav: Client, value: str, status: int, content_range: str | None, body: bytes | None) -> None:
    dav.put("a", b"0123456789")
    answer = dav("GET", "a", Range=value)
    assert (answer.status, answer.headers.get("Content-Range")) == (status, content_range)
    assert body is None or answer.body == body


def test_rfc9110_14_6_several_ranges(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(inline_bytes=100))
    for body in (b"0123456789", bytes(range(256)) * 4_000):
        dav.put("a", body, Content_Type="text/x-digits")
        answer = dav("GET", "a", Range="bytes=-2,0-2,4-5,1-3")
        assert answer.status == 206
        assert "Content-Range" not in answer.headers
        assert answer.headers["Accept-Ranges"] == "bytes"
        kind = answer.headers["Content-Type"]
        assert kind.startswith("multipart/byteranges; boundary=")
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.body)
        length = len(body)
        found = [
            (part["Content-Type"], part["Content-Range"], part.get_payload(decode=True)) for part in message.walk()
        ]
        assert found[1:] == [
            ("text/x-digits", f"bytes {length - 2}-{length - 1}/{length}", body[-2:]),
            ("text/x-digits", f"bytes 0-5/{length}", body[:6]),
        ]
    dav.close()


def test_a_range_of_another_version_is_not_given(dav: Client) -> None:
    etag = dav.put("a", b"0123456789")
    assert dav("GET", "a", Range="bytes=0-1", If_Range=etag).status == 206
    assert dav("GET", "a", Range="bytes=0-1", If_Range='"old"').status == 200
    assert dav("GET", "a", Range="bytes=0-1", If_Range=f"W/{etag}").status == 200


def test_rfc9110_13_1_5_a_date_in_if_range_counts_when_it_is_strong(dav: Client) -> None:
    dav.put("a", b"0123456789")
    assert dav("GET", "a", Range="bytes=0-1", If_Range=HTTP_DATE).status == 200  # the second is not over
    dav.now_us += SECOND_US
    for date, status in ((HTTP_DATE, 206), (EARLIER, 200), (LATER, 200), ("yesterday", 200), ("", 200), ("a", 200)):
        assert dav("GET", "a", Range="bytes=0-1", If_Range=date).status == status, date
    dav.put("b", b"0", X_OC_Mtime="784111777")
    assert dav("GET", "b", Range="bytes=0-0", If_Range="Sun, 06 Nov 1994 08:49:37 GMT").status == 200


@pytest.mark.parametrize("change", ["PUT", "DELETE", "MOVE", "COPY"])
def test_rfc9110_8_8_2_2_two_bodies_of_one_second(dav: Client, change: str) -> None:
    """A date does not distinguish them: no 304, no part, no lost update; an entity tag does."""
    to = {"Destination": f"{HOME}/a"}
    old = dav.put("a", b"0123456789")
    dav.put("b", b"9876543210")
    if change == "DELETE":
        dav("DELETE", "a")
    new = {"MOVE": "b", "COPY": "b"}.get(change)
    assert (dav(change, new, **to) if new else dav("PUT", "a", b"9876543210")).status in (201, 204)
    dav.now_us += 60 * SECOND_US
    assert dav("HEAD", "a").headers["Last-Modified"] == HTTP_DATE
    etag = dav("HEAD", "a").headers["ETag"]
    assert dav("GET", "a", If_Modified_Since=HTTP_DATE).body == b"9876543210"
    assert dav("GET", "a", Range="bytes=0-1", If_Range=HTTP_DATE).status == 200
    for method in ("PUT", "DELETE", "MOVE", "COPY", "GET"):
        answer = dav(
            method, "a", b"lost" if method == "PUT" else b"", If_Unmodified_Since=HTTP_DATE, Destination=f"{HOME}/x"
        )
        assert answer.status == 412, method
    assert dav("GET", "a", If_None_Match=etag, If_Modified_Since=HTTP_DATE).status == 304
    assert dav("PUT", "a", b"2", If_Match=old, If_Unmodified_Since=HTTP_DATE).status == 412
    assert dav("PUT", "a", b"2", If_Match=etag, If_Unmodified_Since=HTTP_DATE).status == 204
    dav.now_us += SECOND_US
    assert dav("GET", "a", If_Modified_Since=dav("HEAD", "a").headers["Last-Modified"]).status == 304


def test_head_knows_no_range(dav: Client) -> None:
    dav.put("a", b"0123456789")
    for value in ("bytes=0-1", "bytes=0-1,4-5", "bytes=10-"):
        answer = dav("HEAD", "a", Range=value)
        assert (answer.status, answer.headers["Content-Length"]) == (200, "10")


def test_not_modified(dav: Client) -> None:
    etag = dav.put("a", b"0123456789")
    dav.now_us += SECOND_US
    for headers in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"x", W/{etag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": HTTP_DATE},
        {"If_None_Match": etag, "If_Modified_Since": EARLIER},
    ):
        answer = dav("GET", "a", **headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert dav("HEAD", "a", **headers).status == 304


def test_get_whose_conditions_hold(dav: Client) -> None:
    etag = dav.put("a")
    dav.now_us += SECOND_US
    for headers in (
        {"If_Match": etag},
        {"If_Match": "*"},
        {"If_None_Match": '"other"'},
        {"If_None_Match": '"other"', "If_Modified_Since": LATER},
        {"If_Modified_Since": EARLIER},
        {"If_Unmodified_Since": HTTP_DATE},
        {"If_Modified_Since": "yesterday"},
    ):
        assert dav("GET", "a", **headers).status == 200


def test_get_whose_conditions_fail(dav: Client) -> None:
    etag = dav.put("a")
    for headers in (
        {"If_Match": '"other"'},
        {"If_Match": f"W/{etag}"},
        {"If_Unmodified_Since": EARLIER},
        {"If": '(["other"])'},
        {"If_Match": '"other"', "If_None_Match": etag},
    ):
        assert dav("GET", "a", **headers).status == 412


def test_a_collection_lists_its_members_as_text(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("%3Cscript%3E.html")
    answer = dav("GET", "", Accept="text/plain")
    assert answer.body.decode() == "<script>.html\nc/\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_way_to_the_store(dav: Client) -> None:
    dav.principal = PHONE
    tree = {
        "/": ["dav/"],
        "/dav/": ["store/", "threads/", "drop/", "shared/", "principals/"],
        "/dav/shared/": ["alice/"],
        "/dav/shared/alice/": [],
        "/dav/store/": ["alice/"],
        "/dav/drop/": ["alice/"],
        "/dav/drop/alice/": [],
        "/dav/threads/": ["alice/"],
        "/dav/threads/alice/": [],
        "/dav/principals/": ["users/", "devices/", "groups/", "lists/"],
        "/dav/principals/groups/": [],
        "/dav/principals/lists/": ["alice/"],
        "/dav/principals/lists/alice/": [],
        "/dav/principals/users/": ["alice/"],
        "/dav/principals/users/alice/": [],
        "/dav/principals/devices/": ["alice/"],
        "/dav/principals/devices/alice/": ["phone/"],
        "/dav/principals/devices/alice/phone/": [],
    }
    for path, members in tree.items():
        assert dav.names(path) == members
        assert dav("PROPFIND", path, Depth="1").hrefs() == [path, *(path + member for member in members)]
        others = () if path.endswith("phone/") else ("DELETE", "MOVE")  # a device may be renamed and revoked
        for method in ("PUT", "MKCOL", "PROPPATCH", "COPY", "LOCK", "UNLOCK", *others):
            answer = dav(method, path, b"<x/>" if method == "PROPPATCH" else b"")
            assert answer.status in (400, 405) or (path.endswith("threads/alice/") and answer.status in (207, 403))


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT", "PUT", "DELETE", "MKCOL", "LOCK"])
@pytest.mark.parametrize(
    "path",
    [
        "/dav/store/bob/",
        "/dav/store/bob/a",
        "/dav/store/nobody/",
        "/dav/principals/users/bob/",
        "/dav/principals/devices/bob/",
        "/dav/principals/devices/alice/laptop/",
        "/elsewhere",
        "/dav/store/alice/a?part=2",
    ],
)
def test_what_is_others_is_not_there(dav: Client, method: str, path: str) -> None:
    dav.principal = BOB
    dav.put("/dav/store/bob/a")
    dav.principal = PHONE
    dav.put("a")
    body = b"<sync/>" if method == "REPORT" else b""
    assert dav(method, path, body).status in ((404, 400) if method == "REPORT" else (404,))


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PUT", "BREW"])
def test_the_well_known_url_leads_to_the_tree(dav: Client, method: str) -> None:
    """RFC 6764 §5: for PROPFIND too, and without credentials."""
    answer = dav(method, "/.well-known/davstore")
    assert (answer.status, answer.headers["Location"]) == (307, "/dav/")


def test_methods_that_nothing_has(dav: Client) -> None:
    dav.put("a")
    answer = dav("PATCH", "a")
    assert answer.status == 405
    assert "PROPFIND" in answer.headers["Allow"]
    for method in ("BREW", "get", "MERGE", "CONNECT"):
        assert dav(method, "a").status == 501
