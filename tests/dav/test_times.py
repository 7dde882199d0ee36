"""Times as clients set them: rclone and Nextcloud `lastmodified`, WinSCP `getlastmodified`, Windows its
own properties, OwnCloud's clients a header; RFC 4918 §9.2, §15.7, RFC 9110 §13.1.4."""

from __future__ import annotations

import pytest

from davstore.dav.properties import SETTABLE
from davstore.protocol.dav.owncloud import CHECKSUMS
from tests.dav.client import HOME, Client, D, removing, setting, token_of
from tests.dav.test_owncloud import md5, sha1

MODIFIED = f"{D}getlastmodified"
SECONDS = f"{D}lastmodified"
WIN32 = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"
THEN = 784_111_777
TEXT = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
RCLONE = f"<lastmodified xmlns='DAV:'>{THEN}</lastmodified>"


def win32(text: str) -> str:
    return f"<Z:Win32LastModifiedTime xmlns:Z='urn:schemas-microsoft-com:'>{text}</Z:Win32LastModifiedTime>"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (SECONDS, RCLONE),
        (SECONDS, f"<D:lastmodified> {THEN}.75\n</D:lastmodified>"),
        (SECONDS, f"<D:lastmodified>{TEXT}</D:lastmodified>"),
        (MODIFIED, "<D:getlastmodified>Sun, 6 Nov 1994 08:49:37 GMT</D:getlastmodified>"),  # as WinSCP writes it
        (WIN32, win32(TEXT)),
    ],
)
@pytest.mark.parametrize("path", ["a", "c/"])
def test_a_time_is_set_and_read_back(dav: Client, path: str, name: str, content: str) -> None:
    dav.put("a")
    dav.mkcol("c")
    etag, token = dav("GET", "a").headers["ETag"], token_of(dav.sync())
    assert set(dav.patch(path, setting(content)).props(f"{HOME}/{path}")) == {name}
    found = dav.find(path, MODIFIED, SECONDS)
    assert found.text(f"{HOME}/{path}", MODIFIED) == TEXT
    assert found.text(f"{HOME}/{path}", SECONDS) == str(THEN)
    assert dav.sync("", token).hrefs() == [f"{HOME}/{path}"]  # other devices hear of it
    if path == "a":
        assert dav("HEAD", "a").headers["Last-Modified"] == TEXT
        assert dav("HEAD", "a").headers["ETag"] == etag
    if name == WIN32:
        assert dav.find(path, WIN32).text(f"{HOME}/{path}", WIN32) == TEXT


@pytest.mark.parametrize("content", ["<D:lastmodified>-86400</D:lastmodified>", win32("Wed, 31 Dec 1969 00:00:00 GMT")])
def test_a_time_before_1970_is_set_and_read_back(dav: Client, content: str) -> None:
    dav.put("a")
    dav.patch("a", setting(content))
    found = dav.find("a", MODIFIED, SECONDS)
    assert found.text(f"{HOME}/a", MODIFIED) == "Wed, 31 Dec 1969 00:00:00 GMT"
    assert found.text(f"{HOME}/a", SECONDS) == "-86400"


def test_of_several_times_the_last_counts(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting(f"<D:lastmodified>1</D:lastmodified>{win32('soon')}"), setting(win32(TEXT)))
    dav.patch("a", setting(f"{win32(LATER)}{RCLONE}"))
    assert dav.find("a", SECONDS).text(f"{HOME}/a", SECONDS) == str(THEN)
    dav.put("a")
    assert dav.find("a", MODIFIED).text(f"{HOME}/a", MODIFIED).startswith("Fri, 15 Jan 2027")


def test_what_windows_writes_is_kept_even_if_it_is_no_time(dav: Client) -> None:
    dav.put("a")
    before = dav("HEAD", "a").headers["Last-Modified"]
    assert WIN32 in dav.patch("a", setting(win32("soon"))).props(f"{HOME}/a")
    assert dav.find("a", WIN32).text(f"{HOME}/a", WIN32) == "soon"
    assert dav("HEAD", "a").headers["Last-Modified"] == before
    assert dav.patch("a", removing(win32(""))).status == 207
    assert WIN32 in dav.find("a", WIN32).props(f"{HOME}/a", 404)


@pytest.mark.parametrize("value", ["", "soon", "1e9", "253402300800", "-62135596801", "Sun, 31 Feb 1994 08:49:37 GMT"])
def test_rfc4918_9_2_1_what_is_no_time_is_a_conflict(dav: Client, value: str) -> None:
    dav.put("a")
    answer = dav.patch("a", setting(f"<x:p/><D:lastmodified>{value}</D:lastmodified>"))
    assert set(answer.props(f"{HOME}/a", 409)) == {SECONDS}
    assert set(answer.props(f"{HOME}/a", 424)) == {"{urn:x}p"}
    assert "{urn:x}p" in dav.find("a", "{urn:x}p").props(f"{HOME}/a", 404)


def test_a_refused_patch_leaves_the_time(dav: Client) -> None:
    dav.put("a")
    before = dav("HEAD", "a").headers["Last-Modified"]
    answer = dav.patch("a", setting(f"{RCLONE}<D:getetag>x</D:getetag>"))
    assert set(answer.props(f"{HOME}/a", 424)) == {SECONDS}
    assert dav("HEAD", "a").headers["Last-Modified"] == before


@pytest.mark.parametrize("name", sorted(name for name, way in SETTABLE.items() if way.removed is None))
def test_what_has_no_removal_cannot_be_removed(dav: Client, name: str) -> None:
    dav.put("a")
    namespace, _, local = name[1:].partition("}")
    answer = dav.patch("a", removing(f'<y:{local} xmlns:y="{namespace}"/>'))
    assert set(answer.props(f"{HOME}/a", 403)) == {name}


def test_rclone_tells_the_checksum_with_the_time(dav: Client) -> None:
    def sums(*values: str) -> str:
        told = "".join(f"<oc:checksum>{value}</oc:checksum>\n" for value in values)
        return f"{RCLONE}<oc:checksums xmlns:oc='http://owncloud.org/ns'>\n{told}</oc:checksums>"

    dav.put("a", b"hello", X_OC_Mtime="1")
    dav.put("b", b"hello")
    for true in (sums(f"SHA1:{sha1(b'hello')}"), sums(f"md5:{md5(b'hello').upper()}", f"SHA1:{sha1(b'hello')}")):
        assert set(dav.patch("a", setting(true)).props(f"{HOME}/a")) == {SECONDS, CHECKSUMS}
    assert dav.find("a", SECONDS).text(f"{HOME}/a", SECONDS) == str(THEN)
    false = [("a", sums(f"SHA1:{sha1(b'other')}")), ("a", sums("SHA1")), ("a", sums())]
    for path, content in [*false, ("b", sums(f"SHA1:{sha1(b'hello')}"))]:  # nobody kept those of b
        answer = dav.patch(path, setting(content))
        assert set(answer.props(f"{HOME}/{path}", 409)) == {CHECKSUMS}
        assert set(answer.props(f"{HOME}/{path}", 424)) == {SECONDS}


def test_rfc9110_13_1_4_a_time_that_a_client_set_has_to_be_the_same(dav: Client) -> None:
    """The time may go back: a client that saw the newer body must not replace the older one that came after."""
    dav.put("a", b"1", X_OC_Mtime=str(THEN + 1))
    dav.put("a", b"2", X_OC_Mtime=str(THEN))
    assert dav("PUT", "a", b"3", If_Unmodified_Since=LATER).status == 412
    assert dav("GET", "a", If_Unmodified_Since=LATER).status == 412
    assert dav("PUT", "a", b"3", If_Unmodified_Since=TEXT).status == 204
    told = dav("HEAD", "a").headers["Last-Modified"]  # the server's own, which only grows
    assert dav("PUT", "a", b"4", If_Unmodified_Since=TEXT).status == 412
    assert dav("PUT", "a", b"4", If_Unmodified_Since=told.replace("2027", "2028")).status == 204


def test_rfc4918_8_8_a_time_that_a_move_brings_says_nothing_of_changes(dav: Client) -> None:
    """The resource that was here before may have been younger (ADR 12)."""
    dav.put("older", b"older")
    was = dav("HEAD", "older").headers["Last-Modified"]
    dav.now_us += 10_000_000
    dav.put("a", b"younger")
    told = dav("HEAD", "a").headers["Last-Modified"]
    assert dav("MOVE", "older", Destination=f"{HOME}/a").status == 204
    assert dav("HEAD", "a").headers["Last-Modified"] == was
    assert dav("GET", "a", If_Modified_Since=told).body == b"older"
    assert dav("PUT", "a", b"new", If_Unmodified_Since=told).status == 412
    assert dav("PUT", "a", b"new", If_Unmodified_Since=was).status == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("name", ["a", "c"])
def test_a_copy_and_what_is_moved_get_the_time_of_the_client(dav: Client, method: str, name: str) -> None:
    dav.put("a")
    dav.mkcol("c")
    for expected in (201, 204):
        answer = dav(method, name, Destination=f"{HOME}/new", X_OC_Mtime=str(THEN))
        assert (answer.status, answer.headers["X-OC-Mtime"]) == (expected, "accepted")
        href = dav.find("new", SECONDS).hrefs()[0]
        assert dav.find("new", SECONDS).text(href, SECONDS) == str(THEN)
        dav("COPY", "new", Destination=f"{HOME}/{name}")
    assert "X-OC-Mtime" not in dav(method, name, Destination=f"{HOME}/other").headers


def test_a_collection_is_made_with_a_time(dav: Client) -> None:
    body = (
        "<D:mkcol xmlns:D='DAV:'><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype>"
        "{}</D:prop></D:set></D:mkcol>"
    )
    assert dav("MKCOL", "c", body.format(RCLONE), Content_Type="text/xml").status == 201
    assert dav.find("c", SECONDS).text(f"{HOME}/c/", SECONDS) == str(THEN)
    refused = dav("MKCOL", "d", body.format("<D:lastmodified>soon</D:lastmodified>"), Content_Type="text/xml")
    assert refused.status == 403
    assert refused.xml.findtext(f".//{D}status") == "HTTP/1.1 409 Conflict"
    assert dav("PROPFIND", "d").status == 404
