"""Parts of messages as resources: `?part=N[.M]`. The expected bytes are those of Python's `email`."""

from __future__ import annotations

import base64
import email
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davstore.blobs.local import LocalBlobs
from davstore.engine.parts import PartBody
from davstore.model.messages import Part
from tests.dav.client import HOME, MESSAGE, Client, D, prop_body, setting
from tests.dav.test_locks import info

C = "{urn:davstore:cpm}"
NESTED = b"""From: a@x
Subject: nested
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

gr=C3=BC=C3=9Fe and a line that =
goes on
--outer
Content-Type: multipart/alternative; boundary=inner

--inner

plain
--inner
Content-Type: text/html
Content-Transfer-Encoding: base64

PGI+aHRtbDwvYj4=
--inner--

--outer
Content-Type: message/rfc822

Subject: inside
Content-Type: multipart/mixed; boundary=deep

--deep
Content-Type: application/x-thing; name="deep.bin"
Content-Transfer-Encoding: base64

AAEC
--deep--
--outer--
"""
LARGE = b"0123456789" * 20_000
"""Longer than a body that is kept in a row."""


@pytest.fixture
def mail(dav: Client) -> Client:
    """Return a client with a message in `m`."""
    dav.put("m", MESSAGE, Content_Type="message/rfc822")
    return dav


def large_message(encoding: bytes, content: bytes) -> bytes:
    """Return a message with one part after a short one."""
    return (
        b"Subject: large\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nshort\n--b\n"
        b"Content-Type: application/x-large\nContent-Transfer-Encoding: %b\n\n%b\n--b--\n" % (encoding, content)
    )


def test_the_parts_of_a_nested_message(dav: Client) -> None:
    dav.put("m", NESTED)
    whole: Any = email.message_from_bytes(NESTED)
    text, alternative, attached = whole.get_payload()
    plain, html = alternative.get_payload()
    (inside,) = attached.get_payload()
    (deep,) = inside.get_payload()
    for number, part in (("1", text), ("2.1", plain), ("2.2", html), ("3.1", deep)):
        answer = dav("GET", f"m?part={number}")
        assert (answer.status, answer.body) == (200, part.get_payload(decode=True))
        assert answer.headers["Content-Type"].startswith(part.get_content_type())
    start = NESTED.index(b"--inner\n\nplain")
    assert dav("GET", "m?part=2").body == NESTED[start : NESTED.index(b"\n--outer", start)]
    start = NESTED.index(b"Subject: inside")
    message = dav("GET", "m?part=3")
    assert message.body == NESTED[start : NESTED.index(b"\n--outer--")]
    assert message.headers["Content-Type"] == "message/rfc822"
    parts = dav.find("m", f"{C}parts").prop(f"{HOME}/m", f"{C}parts")
    hrefs = [f"{HOME}/m?part={number}" for number in ("1", "2", "2.1", "2.2", "3", "3.1")]
    assert [href.text for href in parts.iterfind(f"{D}href")] == hrefs
    assert [dav("HEAD", href).status for href in hrefs] == [200] * 6


def test_the_body_of_a_message_without_parts_is_part_1(dav: Client) -> None:
    dav.put("m", b"From: a@x\nSubject: x\n\nall of it\n")
    assert dav("GET", "m?part=1").body == b"all of it\n"
    assert dav("GET", "m?part=2").status == 404


@pytest.mark.parametrize(
    "number",
    [
        *("0", "3", "1.1", "2.", ".2", "02", "2..1", "-1", "+2", "2%20", "%D9%A2", "2%00", ""),
        *("9" * 10_000, "1." * 5_000 + "1"),
    ],
    ids=lambda number: number[:9],
)
def test_what_is_no_part_is_not_there(mail: Client, number: str) -> None:
    for method in ("GET", "PROPFIND", "PUT", "PROPPATCH"):
        assert mail(method, f"m?part={number}").status == 404
    assert mail("GET", f"m?x=1&part=2&part={number or 1}").status == 404


def test_what_is_no_message_has_no_parts(mail: Client) -> None:
    mail.put("media", b"\x89PNG")
    mail.mkcol("c")
    for path in ("media?part=1", "c/?part=1", "c?part=1", "?part=1", "missing?part=1", "/dav/?part=1"):
        for method in ("OPTIONS", "GET", "HEAD", "PROPFIND", "COPY", "DELETE", "LOCK"):
            assert mail(method, path, Destination=f"{HOME}/x").status == 404, (method, path)
    assert mail.names() == ["c/", "m", "media"]


def test_the_headers_of_a_part(mail: Client) -> None:
    answer = mail("GET", "m?part=2")
    assert answer.body == bytes(range(10))
    etag = mail("HEAD", "m").headers["ETag"]
    assert answer.headers["ETag"] == f'{etag[:-1]}.2"'
    assert answer.headers["Last-Modified"] == mail("HEAD", "m").headers["Last-Modified"]
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Repr-Digest" not in mail("GET", "m?part=2", Want_Repr_Digest="sha-256=1").headers
    head = mail("HEAD", "m?part=2")
    assert (head.status, head.headers, head.body) == (200, answer.headers, b"")
    assert mail("GET", "m?v=1&%70art=2").body == answer.body
    assert mail("GET", "m/?part=2").body == answer.body


def test_a_part_that_could_hold_code_is_inert(dav: Client) -> None:
    dav.put("m", NESTED)
    headers = dav("GET", "m?part=2.2").headers
    assert headers["Content-Type"] == "text/html"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"


def test_a_file_name_has_no_directory(dav: Client) -> None:
    dav.put("m", MESSAGE.replace(b"a b.png", b"C:\\\\x\\\\..\\\\evil/a.png"))
    assert 'filename="a.png"' in dav("GET", "m?part=2").headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (large_message(b"base64", base64.encodebytes(LARGE)), LARGE),
        (large_message(b"8bit", LARGE), LARGE),
        (MESSAGE, bytes(range(10))),
    ],
    ids=["base64", "8bit", "short"],
)
def test_ranges_of_a_part_are_slices_of_its_bytes(dav: Client, body: bytes, expected: bytes) -> None:
    dav.put("m", body)
    assert dav("GET", "m?part=2").body == expected
    places = st.tuples(st.integers(0, len(expected) - 1), st.integers(0, len(expected) // 2))

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(places, min_size=1, max_size=3))
    def check(asked: list[tuple[int, int]]) -> None:
        value = ",".join(f"{start}-{start + length}" for start, length in asked)
        answer = dav("GET", "m?part=2", Range=f"bytes={value}")
        assert answer.status == 206
        for start, stop, piece in sent_ranges(answer.headers, answer.body):
            assert piece == expected[start:stop]

    check()
    assert (
        dav("GET", "m?part=2", Range=f"bytes={len(expected)}-").headers["Content-Range"] == f"bytes */{len(expected)}"
    )


def sent_ranges(headers: dict[str, str], body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, stop and bytes of each range of an answer."""
    if "Content-Range" in headers:
        start, last = re.findall(r"\d+", headers["Content-Range"])[:2]
        yield int(start), int(last) + 1, body
        return
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    for piece in body.split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        start, last = re.findall(rb"bytes (\d+)-(\d+)", head)[0]
        yield int(start), int(last) + 1, content


def test_conditions_are_of_the_part(mail: Client) -> None:
    etag, own = mail("HEAD", "m").headers["ETag"], mail("HEAD", "m?part=2").headers["ETag"]
    for value, status in ((own, 304), (etag, 200), (mail("HEAD", "m?part=1").headers["ETag"], 200)):
        assert mail("GET", "m?part=2", If_None_Match=value).status == status
    for value, status in ((own, 200), (etag, 412), ("*", 200)):
        assert mail("GET", "m?part=2", If_Match=value).status == status
    assert mail("GET", "m?part=2", If_Range=own, Range="bytes=0-1").status == 206
    assert mail("GET", "m?part=2", If_Range=etag, Range="bytes=0-1").status == 200
    for method in ("GET", "PROPFIND", "OPTIONS", "COPY", "DELETE", "LOCK"):
        assert mail(method, "m?part=2", If=f"([{etag}])", Destination=f"{HOME}/x").status == 412
    assert mail("PROPFIND", "m?part=2", If=f"([{own}])").status == 207
    mail.put("m", MESSAGE.replace(b"hello", b"other"))
    assert mail("GET", "m?part=2", If_None_Match=own).status == 200


def test_an_if_list_may_be_tagged_with_a_part(mail: Client) -> None:
    own = mail("HEAD", "m?part=2").headers["ETag"]
    missing = own.replace('.2"', '.7"')
    for tagged, status in (
        (f"<{HOME}/m?part=2> ([{own}])", 207),
        (f"<{HOME}/m?part=1> ([{own}])", 412),
        (f"<{HOME}/m> ([{own}])", 412),
        (f"<{HOME}/m?part=7> ([{missing}])", 412),
        (f"<{HOME}/m?part=7> (Not [{missing}])", 207),
        (f"<{HOME}/m?part=2.> (Not [{own}])", 207),
    ):
        assert mail("PROPFIND", "", If=tagged, Depth="0").status == status, tagged


def test_properties_of_a_part(mail: Client) -> None:
    mail("MOVE", "m", Destination=f"{HOME}/m%20%26.eml")
    answer = mail("PROPFIND", "m%20&.eml?v=1&part=2")
    href = f"{HOME}/m%20&.eml?part=2"
    found = {name: element.text for name, element in answer.props(href).items()}
    assert found[f"{D}getetag"] == mail("HEAD", href).headers["ETag"]
    assert found[f"{D}getcontentlength"] == "10"
    assert found[f"{D}getcontenttype"] == "image/png"
    assert found.keys() == {f"{D}{name}" for name in (
        "getetag", "getcontentlength", "getcontenttype", "getlastmodified", "creationdate", "resourcetype",
    )}  # fmt: skip
    more = [f"{C}filename", f"{C}content-id", f"{C}disposition", f"{D}owner", f"{C}parts", f"{D}lockdiscovery"]
    answer = mail.find(href, *more)
    assert [answer.text(href, name) for name in more[:3]] == ["a b.png", "one@x", "attachment"]
    assert answer.prop(href, more[3])[0].text == "/dav/principals/users/alice/"
    assert answer.props(href, 404).keys() == set(more[4:])
    for depth in ("0", "1", "infinity"):
        assert mail("PROPFIND", href, prop_body(*more), Depth=depth).body == answer.body
    assert mail("PROPFIND", href, Depth="2").status == 400
    assert mail("PROPFIND", href, "<").status == 400


def test_the_parts_of_a_message_are_a_protected_property(mail: Client) -> None:
    assert f"{C}parts" not in mail("PROPFIND", "m", Depth="0").props(f"{HOME}/m")
    assert b"C:parts/" in mail("PROPFIND", "m", '<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>').body
    refused = mail.patch("m", setting('<C:parts xmlns:C="urn:davstore:cpm"/>'))
    assert b"cannot-modify-protected-property" in refused.body
    mail.put("media", b"\x89PNG")
    listed = mail.find("", f"{C}parts", depth="1")
    assert len(listed.prop(f"{HOME}/m", f"{C}parts")) == 2
    assert listed.props(f"{HOME}/media", 404).keys() == {f"{C}parts"}


def test_parts_are_immutable(mail: Client) -> None:
    before = mail("GET", "m").body
    for method in ("PUT", "DELETE", "MOVE"):
        answer = mail(method, "m?part=2", "x" if method == "PUT" else "", Destination=f"{HOME}/x")
        assert (answer.status, answer.condition) == (403, f"{C}part-is-immutable")
    mail.put("a")
    for method in ("COPY", "MOVE"):
        for number in ("2", "9"):
            answer = mail(method, "a", Destination=f"{HOME}/m?part={number}")
            assert (answer.status, answer.condition) == (403, f"{C}part-is-immutable")
    assert mail("COPY", "a", Destination=f"{HOME}/m?part=2.").status == 400
    for method in ("PROPPATCH", "LOCK", "UNLOCK", "REPORT", "MKCOL", "POST", "PATCH"):
        answer = mail(method, "m?part=2")
        assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, GET, HEAD, COPY, PROPFIND")
    assert mail("BREW", "m?part=2").status == 501
    assert (mail("GET", "m").body, mail.names()) == (before, ["a", "m"])


# COPY (RFC 4918 §9.8)


def test_a_copy_of_a_part_is_a_resource_of_its_own(mail: Client) -> None:
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/x.png", Depth="0").status == 201
    copy = mail("GET", "x.png")
    assert (copy.body, copy.headers["Content-Type"]) == (bytes(range(10)), "image/png")
    assert mail("COPY", "m?part=1", Destination=f"{HOME}/x.png", Overwrite="F").status == 412
    mail.mkcol("c", "c/d")
    assert mail("COPY", "m?part=1", Destination=f"{HOME}/x.png").status == 204
    assert mail("COPY", "m?part=1", Destination=f"{HOME}/c").status == 204
    assert mail("GET", "c").body == mail("GET", "x.png").body == b"hello"
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/no/x").status == 409
    assert mail("COPY", "m?part=2", Destination="/dav/store/bob/x").status == 502
    assert (
        mail("COPY", "m?part=2", Destination=f"{HOME}/y", X_OC_Mtime="1000000000").headers["X-OC-Mtime"] == "accepted"
    )
    assert mail("HEAD", "y").headers["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    answer = mail("COPY", "m?part=2", Destination=f"{HOME}/z", Prefer="return=representation")
    assert (answer.status, answer.body) == (201, bytes(range(10)))
    assert mail.names() == ["c", "m", "x.png", "y", "z"]


def test_a_message_in_a_message_is_copied_as_a_message(dav: Client) -> None:
    dav.put("m", NESTED)
    dav("COPY", "m?part=3", Destination=f"{HOME}/inside.eml")
    found = dav.find("inside.eml", f"{C}kind", f"{C}subject")
    assert found.text(f"{HOME}/inside.eml", f"{C}kind") == "message"
    assert found.text(f"{HOME}/inside.eml", f"{C}subject") == "inside"
    assert dav("GET", "inside.eml?part=1").body == b"\x00\x01\x02"


def test_a_copy_that_may_not_be_done_changes_nothing(mail: Client) -> None:
    mail.mkcol("c")
    mail("COPY", "m", Destination=f"{HOME}/c/m")
    own = mail("HEAD", "m?part=2").headers["ETag"]
    token = mail("LOCK", "c/", info()).headers["Lock-Token"]
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/c/x").condition == f"{D}lock-token-submitted"
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/x", If_Match='"x"').status == 412
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/m").status == 403  # the message would be lost
    assert mail("COPY", "c/m?part=2", Destination=f"{HOME}/c", If=f"<{HOME}/c/> ({token})").status == 403
    assert (mail.names(), mail.names("c")) == (["c/", "m"], ["m"])
    held = f"<{HOME}/c/> ({token}) <{HOME}/m?part=2> ([{own}])"
    assert mail("COPY", "m?part=2", Destination=f"{HOME}/c/x", If=held).status == 201


def test_a_copy_is_charged(tmp_path: Any) -> None:
    dav = Client(tmp_path, quota_bytes=len(MESSAGE) + 9)
    dav.put("m", MESSAGE)
    assert dav("COPY", "m?part=2", Destination=f"{HOME}/x").condition == f"{D}quota-not-exceeded"
    assert dav("COPY", "m?part=1", Destination=f"{HOME}/x").status == 201
    dav.close()


def test_a_long_part_is_copied_to_a_blob(dav: Client) -> None:
    dav.put("m", large_message(b"base64", base64.encodebytes(LARGE)))
    assert dav("COPY", "m?part=2", Destination=f"{HOME}/x").status == 201
    assert dav("GET", "x").body == LARGE
    assert dav("COPY", "m?part=1", Destination=f"{HOME}/x").status == 204


# Nothing more is read than is asked for.


class Broken:
    """The body of a message that must not be read."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        raise AssertionError((start, stop))

    def close(self) -> None: ...


def test_facts_and_parts_are_listed_without_the_bytes(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    dav.put("m", large_message(b"base64", base64.encodebytes(LARGE)))

    def refuse(*_: object) -> None:
        raise AssertionError("a blob was opened")

    monkeypatch.setattr(LocalBlobs, "open", refuse)
    for depth in ("0", "1", "infinity"):
        listed = dav.find("", f"{C}parts", f"{C}subject", f"{C}text-preview", depth=depth)
        assert listed.status == 207
    assert len(listed.prop(f"{HOME}/m", f"{C}parts")) == 2
    assert dav("OPTIONS", "m?part=2").status == 200


def test_the_length_of_a_part_as_it_is_stored_takes_no_reading() -> None:
    plain = Part("1", 10, 110, "text/plain", None, None, "8bit", None, None, None)
    assert PartBody(Broken(), plain).length == 100
    assert PartBody(Broken(), plain._replace(media_type="multipart/mixed", encoding="base64")).length == 100


class Endless:
    """A long part in base64, made as it is read."""

    BLOCK = base64.encodebytes(b"x" * 57_000)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        for _ in range(start, stop, len(self.BLOCK)):
            yield self.BLOCK

    def close(self) -> None: ...


def test_a_part_of_any_length_takes_little_memory() -> None:
    size = 400 * len(Endless.BLOCK)
    body = PartBody(Endless(), Part("1", 0, size, "a/b", None, None, "base64", None, None, None))
    tracemalloc.start()
    try:
        assert body.length == sum(map(len, body.read(0, body.length))) == 400 * 57_000
        assert b"".join(body.read(57_000_00, 57_000_00 + 3)) == b"xxx"
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
