"""GET of a collection as one file: docs/protocol.md#downloads."""

from __future__ import annotations

import email
import email.policy
import io
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from davstore.interchange.zip_writing import MOST_BYTES
from davstore.model.limits import Limits
from davstore.model.rules import Rule
from tests.dav.client import HOME, PHONE, Client, D
from tests.dav.test_sessions import make
from tests.messages import session_info

ZIP, RELATED = "application/zip", "multipart/related"
LARGE = b"l" * 300
BODIES = {"a": b"a", "ä b/large": LARGE, "ä b/s/info.eml": session_info("c"), "z.bin": b"\0\r\n--\r\n"}


@pytest.fixture
def dav(tmp_path: Path) -> Client:
    """Return a client with a tree."""
    client = Client(tmp_path, limits=Limits(inline_bytes=200, propfind_members=20))
    client.mkcol("c", "c/%C3%A4%20b", "c/empty")
    make(client, "c/%C3%A4%20b/s/")
    for path, body in BODIES.items():
        client.put("c/" + path.replace("ä b", "%C3%A4%20b"), body, X_OC_Mtime="1000000000")
    return client


def unzip(body: bytes) -> dict[str, bytes]:
    """Return what a zip holds, whose members are stored."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} <= {zipfile.ZIP_STORED}
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_a_collection_is_a_zip(dav: Client) -> None:
    """All beneath it with its name and time, empty collections too; HEAD has the same length."""
    answer = dav("GET", "c/", Accept=ZIP)
    assert (answer.status, answer.headers["Content-Type"]) == (200, ZIP)
    assert 'filename="c.zip"' in answer.headers["Content-Disposition"]
    assert unzip(answer.body) == {**BODIES, "empty/": b"", "ä b/": b"", "ä b/s/": b""}
    info = zipfile.ZipFile(io.BytesIO(answer.body)).getinfo("a")
    assert info.date_time == (2001, 9, 9, 1, 46, 40)
    head = dav("HEAD", "c/", Accept=ZIP)
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(answer.body)))
    assert set(unzip(dav("GET", "c/%C3%A4%20b/s/", Accept=ZIP).body)) == {"info.eml"}
    assert unzip(dav("GET", "c/empty/", Accept=ZIP).body) == {}
    assert "c/a" in unzip(dav("GET", "", Accept=ZIP).body or dav("GET", f"{HOME}/", Accept=ZIP).body)


def test_a_collection_is_a_multipart(dav: Client) -> None:
    """RFC 2387: first what is known of all, then each body under its URL with its entity tag."""
    answer = dav("GET", "c/", Accept=RELATED)
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    first, *others = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP).iter_parts()
    root = etree.fromstring(first.get_payload(decode=True))
    told = {str(one.findtext(f"{D}href")): one.findtext(f".//{D}getetag") for one in root.iter(f"{D}response")}
    assert [href for href, etag in told.items() if etag is None] == [
        f"{HOME}/c/",
        f"{HOME}/c/empty/",
        f"{HOME}/c/%C3%A4%20b/",
        f"{HOME}/c/%C3%A4%20b/s/",
    ]
    urls = {f"{HOME}/c/{path.replace('ä b', '%C3%A4%20b')}": body for path, body in BODIES.items()}
    assert {str(one["Content-Location"]): one["ETag"] for one in others} == {url: told[url] for url in urls}
    for url, body in urls.items():
        assert b"\r\n\r\n" + body + b"\r\n--" in answer.body
        assert dav("HEAD", url).headers["ETag"] == told[url]


def test_who_asks_for_a_list_gets_a_list(dav: Client) -> None:
    """`*/*`, lists that are wanted more, and what is no set; a file is a file."""
    for accept in (None, "*/*", "text/html", "application/*", f"{ZIP};q=0", f"text/plain, {ZIP};q=0.5"):
        assert dav("GET", "c/", Accept=accept).headers["Content-Type"].startswith("text/")
    assert dav("GET", "c/", Accept=f"text/html;q=0.5, {ZIP};q=0.9").headers["Content-Type"] == ZIP
    assert dav("GET", "c/", Accept=f"{RELATED}, {ZIP}").headers["Content-Type"].startswith(RELATED)
    assert dav("GET", "c/a", Accept=ZIP).body == b"a"
    assert dav("GET", "c", Accept=ZIP).status == 307
    assert dav("GET", "missing/", Accept=ZIP).status == 404


def test_it_has_bounds(dav: Client) -> None:
    """507 with the condition of RFC 6578 §3.7, for members and for bytes."""
    for number in range(20):
        dav.put(f"c/{number:02}")
    for accept in (ZIP, RELATED):
        assert dav("GET", "c/", Accept=accept).condition == f"{D}number-of-matches-within-limits"
    with dav.database.engine().begin() as connection:
        connection.exec_driver_sql(f"UPDATE node SET length = {MOST_BYTES} WHERE length = 300")
    assert dav("GET", "c/%C3%A4%20b/", Accept=ZIP).condition == f"{D}number-of-matches-within-limits"


def test_a_device_gets_what_it_is_shown(dav: Client) -> None:
    """It is a listing: the gate is asked, and the view respected."""
    dav.principal = PHONE
    dav.rules = [Rule("r", exclude=(("c", "ä b"),), max_body_bytes=3)]
    assert set(unzip(dav("GET", "c/", Accept=ZIP).body)) == {"a", "empty/"}
    assert b"info.eml" not in dav("GET", "c/", Accept=RELATED).body
    dav.rules = [Rule("no", allowed=False)]
    for accept in (ZIP, RELATED):
        assert dav("GET", "c/", Accept=accept).condition == "{urn:davstore:cpm}sync-allowed"
    dav.rules = [Rule("later", min_interval_seconds=60)]
    assert [dav("GET", "c/", Accept=ZIP).status for _ in range(2)] == [200, 429]


def test_a_body_that_is_lost_is_told_before_the_answer_begins(dav: Client, tmp_path: Path) -> None:
    """500 in the place of a zip that is cut."""
    [blob] = [file for file in (tmp_path / "blobs").rglob("*") if file.is_file() and file.stat().st_size == len(LARGE)]
    blob.unlink()
    assert dav("GET", "c/", Accept=ZIP).status == 500


def test_a_thread_is_a_set_too(dav: Client) -> None:
    """What is not made by clients is given by what lists it."""
    mail = b"From: a@x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nbody"
    dav.put("c/mail.eml", mail)
    threads = "/dav/threads/alice/"
    [thread] = [one for one in dav("GET", threads, Accept="text/plain").body.decode().split() if one]
    assert mail in unzip(dav("GET", threads + thread, Accept=ZIP).body).values()
    assert {name.partition("/")[0] for name in unzip(dav("GET", threads, Accept=ZIP).body)} == {thread.strip("/")}
    assert mail in dav("GET", threads + thread, Accept=RELATED).body
    answer = dav("POST", f"{threads}{thread}?add", mail)
    assert (answer.status, answer.condition) == (403, "{urn:davstore:cpm}thread-membership-is-computed")
    assert dav("OPTIONS", f"{threads}{thread}?add").headers["Allow"] == "OPTIONS"
