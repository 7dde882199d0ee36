"""Times and checksums as OwnCloud's clients send and ask for them; Finder's length (docs/protocol.md#owncloud)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.dav.client import HOME, Client

CHECKSUMS = "{http://owncloud.org/ns}checksums"
BODIES = [b"hello", b"x" * 3_000]
"""One that lies in its row and one that is a blob."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path / "small", limits=Limits(inline_bytes=100))
    yield client
    client.close()


def sha1(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("body", BODIES)
def test_the_time_of_the_client_is_kept(small: Client, body: bytes) -> None:
    for sent in ("784111777", "784111777.25"):  # the second is earlier than what is there, and wins all the same
        answer = small("PUT", "a", body, X_OC_Mtime=sent)
        assert answer.headers["X-OC-Mtime"] == "accepted"
        assert answer.headers["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert small.find("a", "{DAV:}getlastmodified").text(f"{HOME}/a", "{DAV:}getlastmodified").startswith("Sun, 06")
    assert "X-OC-Mtime" not in small("PUT", "a", body).headers
    assert small("GET", "a").headers["Last-Modified"].startswith("Fri, 15 Jan 2027")


def test_the_time_of_the_client_says_nothing_of_changes(dav: Client) -> None:
    etag = dav.put("a", b"hello", X_OC_Mtime="784111777")
    assert dav("GET", "a", If_Modified_Since="Sun, 06 Nov 1994 08:49:37 GMT").status == 200
    assert dav("GET", "a", If_None_Match=etag).status == 304


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("-1", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("-0.5", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("-1.0", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("0", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("-2208988800", "Mon, 01 Jan 1900 00:00:00 GMT"),
        ("-62135596800", "Mon, 01 Jan 0001 00:00:00 GMT"),
        ("253402300799.9", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_old_photographs_keep_their_time(dav: Client, sent: str, told: str) -> None:
    answer = dav("PUT", "a", b"x", X_OC_Mtime=sent)
    assert (answer.status, answer.headers["X-OC-Mtime"], answer.headers["Last-Modified"]) == (201, "accepted", told)
    assert dav("HEAD", "a").headers["Last-Modified"] == told
    assert dav.find("a", "{DAV:}getlastmodified").text(f"{HOME}/a", "{DAV:}getlastmodified") == told
    assert dav("COPY", "a", Destination=f"{HOME}/b", X_OC_Mtime=sent).headers["X-OC-Mtime"] == "accepted"
    assert dav("HEAD", "b").headers["Last-Modified"] == told
    assert dav("GET", "", Accept="text/html").status == 200  # and the page shows it


@pytest.mark.parametrize("value", ["", "x", "--1", "1e9", "9" * 5_000, "253402300800", "-62135596801", "NaN", "-inf"])
def test_a_time_that_cannot_be_kept_is_no_reason_to_refuse_a_file(dav: Client, value: str) -> None:
    answer = dav("PUT", "a", b"x", X_OC_Mtime=value)
    assert answer.status == 201
    assert "X-OC-Mtime" not in answer.headers
    assert dav("GET", "a").headers["Last-Modified"].startswith("Fri, 15 Jan 2027")
    for method in ("COPY", "MOVE"):
        assert "X-OC-Mtime" not in dav(method, "a", Destination=f"{HOME}/{method}", X_OC_Mtime=value).headers


@pytest.mark.parametrize("body", BODIES)
def test_checksums_are_kept_for_those_who_compare(small: Client, body: bytes) -> None:
    assert small("PUT", "a", body, OC_Checksum=f"SHA1:{sha1(body)}").status == 201
    assert small("PUT", "b", body, OC_Checksum=f"MD5:{md5(body).upper()}").status == 201
    assert small("PUT", "c", body, X_OC_Mtime="1").status == 201
    assert small("PUT", "d", body, OC_Checksum="ADLER32:1").status == 201
    small("COPY", "a", Destination=f"{HOME}/e")
    for name in "abcde":
        told = small.find(name, CHECKSUMS).prop(f"{HOME}/{name}", CHECKSUMS)
        assert told[0].text == f"SHA1:{sha1(body)} MD5:{md5(body)}"
        assert small("HEAD", name).headers["OC-Checksum"] == f"SHA1:{sha1(body)}"
    listing = small.find("", CHECKSUMS, "{DAV:}getetag", depth="1")
    assert listing.prop(f"{HOME}/a", CHECKSUMS) is not None
    assert CHECKSUMS in listing.props(f"{HOME}/", 404)
    assert small("PUT", "a", body).status == 204
    assert CHECKSUMS in small.find("a", CHECKSUMS).props(f"{HOME}/a", 404)
    assert "OC-Checksum" not in small("GET", "a").headers


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_not_what_was_promised_is_not_stored(small: Client, body: bytes) -> None:
    small.put("a", b"old")
    for checksum in (f"SHA1:{sha1(b'other')}", f"MD5:{md5(b'other')}", f"SHA256:{'0' * 64}", "SHA1", "SHA1:xyz", ""):
        assert small("PUT", "a", body, OC_Checksum=checksum).status == 400
        assert small("PUT", "b", body, OC_Checksum=checksum, chunked=True).status == 400
    assert small("GET", "a").body == b"old"
    assert small.names() == ["a"]


@pytest.mark.parametrize("body", BODIES)
def test_a_chunked_body_has_the_length_that_finder_announced(small: Client, body: bytes) -> None:
    length = len(body)
    assert small("PUT", "a", body, chunked=True, X_Expected_Entity_Length=str(length)).status == 201
    for wrong in (length - 1, length + 1, 0):
        assert small("PUT", "a", b"y" * length, chunked=True, X_Expected_Entity_Length=str(wrong)).status == 400
    assert small("PUT", "a", b"", chunked=True, X_Expected_Entity_Length=str(length)).status == 400
    assert small("PUT", "a", b"", chunked=True, X_Expected_Entity_Length="many").status == 400
    assert small("GET", "a").body == body
