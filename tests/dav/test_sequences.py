"""Sequences of requests that real clients send, and the answers that they need (RFC 4918 §7, §8.4, §9.10, §10.4).

Explorer: mar10/wsgidav#112, swisspol/GCDWebServer#319. Finder: sabre-io/dav#149, owncloud/core#24753, ModeShape#841.
Word: sabre-io/dav#955, #980, mikedeboer/jsDAV#129. The bodies are those that the clients write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dav.client import BOB, HOME, Answer, Client, D, sync_body, token_of

XML = 'text/xml; charset="utf-8"'
EXPLORER = {
    "Cache_Control": "no-cache",
    "Connection": "Keep-Alive",
    "Pragma": "no-cache",
    "User_Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045",
    "Translate": "f",
}
FINDER = {"User_Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (arm64)", "Accept": "*/*", "Connection": "keep-alive"}
WORD = {
    "User_Agent": "Microsoft Office Word 2014",
    "X_Office_Major_Version": "16",
    "X_MS_CookieUri_Requested": "t",
    "X_FeatureVersion": "1",
    "X_IDCRL_ACCEPTED": "t",
    "Translate": "f",
}
Z = "{urn:schemas-microsoft-com:}"
TIMES = {
    "Win32CreationTime": "Wed, 04 Sep 2013 08:41:07 GMT",
    "Win32LastAccessTime": "Thu, 05 Sep 2013 08:41:07 GMT",
    "Win32LastModifiedTime": "Fri, 06 Sep 2013 08:41:07 GMT",
}


def lockinfo(owner: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        f"<D:locktype><D:write/></D:locktype><D:owner><D:href>{owner}</D:href></D:owner></D:lockinfo>"
    )


def windows_properties(**values: str) -> str:
    told = "".join(f"<Z:{name}>{value}</Z:{name}>" for name, value in values.items())
    return (
        '<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:">'
        f"<D:set><D:prop>{told}</D:prop></D:set></D:propertyupdate>"
    )


def locked(answer: Answer, status: int) -> str:
    """Return the coded token of a lock that was granted, the header's and the body's being one."""
    assert answer.status == status, answer
    token = answer.headers["Lock-Token"]
    assert answer.xml.findtext(f".//{D}activelock/{D}locktoken/{D}href") == token.strip("<>")
    return token


def refused_to_others(dav: Client, path: str) -> None:
    """See to it that the lock is one: neither another request without the token nor a guess of it gets past."""
    assert dav("PUT", path, b"stranger").status == 423
    assert dav("PUT", path, b"stranger", If="(<urn:davstore:lock:guess>)").status in (412, 423)


# Explorer


def test_explorer_copies_a_file_into_a_folder(dav: Client) -> None:
    dav.mkcol("Docs")
    path = "Docs/report%20%231.docx"
    assert dav("OPTIONS", "/", **EXPLORER).headers["MS-Author-Via"] == "DAV"
    options = dav("OPTIONS", "Docs", **EXPLORER)
    assert "LOCK" in options.headers["Allow"]
    assert {"1", "2"} <= set(options.headers["DAV"].split(", "))
    assert dav("PROPFIND", path, Depth="0", Content_Length="0", **EXPLORER).status == 404
    assert dav("PROPFIND", "Docs", Depth="0", Content_Length="0", **EXPLORER).status == 207
    assert dav("PUT", path, Content_Length="0", **EXPLORER).status == 201
    owner = lockinfo("PC\\user")
    granted = dav("LOCK", path, owner, Content_Type=XML, Timeout="Second-3600", **EXPLORER)  # without a Depth
    token = locked(granted, 200)
    assert granted.xml.findtext(f".//{D}timeout") == "Second-3600"
    refused_to_others(dav, path)
    held = {"If": f"({token})", **EXPLORER}
    attributes = windows_properties(**TIMES, Win32FileAttributes="00000000")
    assert len(dav("PROPPATCH", path, attributes, Content_Type=XML, **held).props(f"{HOME}/{path}")) == 4
    head = dav("HEAD", path, **EXPLORER)
    assert (head.status, head.headers["Content-Length"]) == (200, "0")
    assert head.headers["Last-Modified"] == TIMES["Win32LastModifiedTime"]
    assert dav("PUT", path, b"content", **held).status == 204
    last = {"Win32FileAttributes": "00000020", "Win32LastModifiedTime": TIMES["Win32LastModifiedTime"]}
    assert (
        len(dav("PROPPATCH", path, windows_properties(**last), Content_Type=XML, **held).props(f"{HOME}/{path}")) == 2
    )
    assert dav("UNLOCK", path, Lock_Token=token, **EXPLORER).status == 204
    found = dav("PROPFIND", path, Depth="0", Content_Length="0", **EXPLORER).props(f"{HOME}/{path}")
    for name, value in {**TIMES, **last}.items():
        assert found[Z + name].text == value
    assert found[f"{D}getlastmodified"].text == TIMES["Win32LastModifiedTime"]
    assert found[f"{D}getcontentlength"].text == "7"
    assert dav("GET", path, **EXPLORER).body == b"content"


def test_explorer_makes_renames_and_deletes_a_folder(dav: Client) -> None:
    assert dav("MKCOL", "New%20folder", Content_Length="0", **EXPLORER).status == 201
    attributes = windows_properties(**TIMES, Win32FileAttributes="00000010")
    assert dav("PROPPATCH", "New%20folder", attributes, Content_Type=XML, **EXPLORER).status == 207
    away = {"Destination": f"http://dav.example{HOME}/Photos", "Overwrite": "F", "Content_Length": "0", **EXPLORER}
    assert dav("MOVE", "New%20folder", **away).status == 201
    assert dav("MKCOL", "New%20folder", Content_Length="0", **EXPLORER).status == 201
    assert dav("MOVE", "New%20folder", **away).status == 412
    assert dav("DELETE", "Photos", Content_Length="0", **EXPLORER).status == 204
    assert dav("PROPFIND", "Photos", Depth="0", Content_Length="0", **EXPLORER).status == 404


def test_explorer_lists_a_large_folder(dav: Client) -> None:
    """It shows nothing of an answer above 1,000,000 bytes: 2,000 files, with what it has set on them, have to fit."""
    name = "IMG_20260814_{:06}.jpg"
    attributes = windows_properties(**TIMES, Win32FileAttributes="00000020")
    dav.mkcol("c", "c/sub")
    sizes = []
    for number in range(2):
        dav.put(f"c/{name.format(number)}", b"x" * 1000)
        dav("PROPPATCH", f"c/{name.format(number)}", attributes)
        sizes.append(len(dav("PROPFIND", "c", Depth="1", Content_Length="0", **EXPLORER).body))
    assert sizes[0] + (sizes[1] - sizes[0]) * 1999 < 1_000_000
    listing = dav("PROPFIND", "c", Depth="1", Content_Length="0", **EXPLORER)
    file = f"{HOME}/c/{name.format(0)}"
    assert listing.hrefs() == [f"{HOME}/c/", file, f"{HOME}/c/{name.format(1)}", f"{HOME}/c/sub/"]
    found = listing.props(file)
    assert {tag.rpartition("}")[2] for tag in found} == {
        *("resourcetype", "getcontentlength", "getlastmodified", "creationdate", "Win32FileAttributes"),
    }
    assert found[f"{D}getlastmodified"].text == TIMES["Win32LastModifiedTime"]
    assert [child.tag for child in listing.prop(f"{HOME}/c/sub/", f"{D}resourcetype")] == [f"{D}collection"]
    assert listing.props(f"{HOME}/c/sub/", 404) == {}
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'  # who asks is answered
    assert set(dav("PROPFIND", "c", asked, Depth="1", **EXPLORER).props(file)) == {f"{D}getetag"}
    for client in ({}, {"User_Agent": "Mozilla/5.0 Microsoft-WebDAV-MiniRedir/10"}):
        assert f"{D}supportedlock" in dav("PROPFIND", "c", Depth="1", **client).props(file)


# Finder


def finder_lock(dav: Client, path: str) -> str:
    owner = lockinfo("http://www.apple.com/webdav_fs/")
    return locked(dav("LOCK", path, owner, Content_Type=XML, Depth="0", Timeout="Second-600", **FINDER), 200)


def finder_writes(dav: Client, path: str, body: bytes) -> None:
    """Write a new file as the kernel extension of macOS does: first empty, then chunked under a lock."""
    assert dav("PROPFIND", path, Depth="0", Content_Type="text/xml", **FINDER).status == 404
    assert dav("PUT", path, Content_Length="0", **FINDER).status == 201
    token = finder_lock(dav, path)
    refused_to_others(dav, path)
    held = {"If": f"({token})", **FINDER}
    sent = {"X_Expected_Entity_Length": str(len(body)), "Transfer_Encoding": "Chunked"}
    assert dav("PUT", path, body, chunked=True, **sent, **held).status == 204
    assert dav("LOCK", path, Timeout="Second-600", **held).status == 200  # while it stays open
    seen = dav("PROPFIND", path, Depth="0", **FINDER).props(f"{HOME}/{path}")
    assert seen[f"{D}getcontentlength"].text == str(len(body))
    assert dav("GET", path, **FINDER).body == body
    assert dav("UNLOCK", path, Lock_Token=token, **FINDER).status == 204


def mount(dav: Client) -> None:
    """Ask what Finder asks before it shows a volume."""
    options = dav("OPTIONS", "", **FINDER)
    assert {"1", "2"} <= {word.strip() for word in options.headers["DAV"].split(",")}  # else it mounts read-only
    names = ("getlastmodified", "getcontentlength", "creationdate", "resourcetype")
    root = dav.find("", *(D + name for name in names))
    assert [child.tag for child in root.prop(f"{HOME}/", f"{D}resourcetype")][:1] == [f"{D}collection"]
    space = dav.find("", *(D + name for name in ("quota-available-bytes", "quota-used-bytes", "quota", "quotaused")))
    assert f"{D}quota-used-bytes" in space.props(f"{HOME}/")
    assert {f"{D}quota", f"{D}quotaused"} <= set(space.props(f"{HOME}/", 404))


@pytest.fixture
def tidy(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of a store that keeps no litter."""
    client = Client(tmp_path / "tidy", drops=True)
    yield client
    client.close()


def test_finder_copies_a_file(dav: Client) -> None:
    mount(dav)
    finder_writes(dav, "movie.mp4", b"m" * 3000)
    finder_writes(dav, "._movie.mp4", b"AppleDouble")
    finder_writes(dav, ".DS_Store", b"icons")
    assert dav.names() == [".DS_Store", "._movie.mp4", "movie.mp4"]


def test_finder_holds_two_locks_at_once(dav: Client) -> None:
    """sabre-io/dav#149: the end of the lock of the one was the end of the other's."""
    for path in ("a", "._a"):
        dav.put(path, b"")
    file, beside = finder_lock(dav, "a"), finder_lock(dav, "._a")
    assert dav("UNLOCK", "._a", Lock_Token=beside, **FINDER).status == 204
    assert dav("PUT", "a", b"content", chunked=True, If=f"({file})", **FINDER).status == 204
    assert dav("UNLOCK", "a", Lock_Token=file.strip("<>"), **FINDER).status == 204  # some leave out the brackets


def test_finder_saves_by_moving_a_new_file_over_the_old_one(dav: Client) -> None:
    dav.put("letter.txt", b"old")
    dav.mkcol("letter.txt.sb-1")
    finder_writes(dav, "letter.txt.sb-1/letter.txt", b"new")
    token = finder_lock(dav, "letter.txt")
    there = {"Destination": f"http://dav.example{HOME}/letter.txt", "Overwrite": "T", **FINDER}
    assert dav("MOVE", "letter.txt.sb-1/letter.txt", **there).status == 423
    tagged = f"<http://dav.example{HOME}/letter.txt> ({token})"
    assert dav("MOVE", "letter.txt.sb-1/letter.txt", If=tagged, **there).status == 204
    assert dav("DELETE", "letter.txt.sb-1/", **FINDER).status == 204
    assert dav("GET", "letter.txt").body == b"new"
    assert dav("PUT", "letter.txt", b"free again").status == 204  # the lock went with what was replaced


@pytest.mark.parametrize("path", ["._movie.mp4", ".DS_Store", "sub/._x"])
def test_a_tidy_store_lets_finder_write_its_litter_and_keeps_nothing(tidy: Client, path: str) -> None:
    tidy.mkcol("sub")
    tidy.put("before")
    token = token_of(tidy.sync())
    used = tidy.find("", f"{D}quota-used-bytes").text(f"{HOME}/", f"{D}quota-used-bytes")
    finder_writes(tidy, path, b"AppleDouble" * 100)
    assert tidy("PROPFIND", path, Depth="0", **FINDER).status == 404
    report = tidy.sync("", token)
    assert report.hrefs() == report.gone() == [f"{HOME}/{path}"]  # no device fetches it
    assert tidy.find("", f"{D}quota-used-bytes").text(f"{HOME}/", f"{D}quota-used-bytes") == used
    finder_writes(tidy, path, b"again")


def test_a_tidy_store_keeps_what_is_no_litter(tidy: Client) -> None:
    finder_writes(tidy, "movie.mp4", b"m")
    finder_writes(tidy, ".hidden", b"h")
    assert tidy("PUT", "._a", b"of somebody else").status == 201
    token = locked(tidy("LOCK", "._a", lockinfo("me")), 200)
    assert tidy("UNLOCK", "._a", Lock_Token=token).status == 204
    tidy.mkcol("._folder")
    token = finder_lock(tidy, "._folder/")
    assert tidy("UNLOCK", "._folder/", Lock_Token=token, **FINDER).status == 204
    assert tidy.names() == ["._a", "._folder/", ".hidden", "movie.mp4"]


def test_a_tidy_store_throws_nothing_away_that_others_have_locked(tidy: Client) -> None:
    tidy.mkcol("c")
    finder_writes(tidy, "c/file", b"f")
    tidy.put("c/._file")
    litter = finder_lock(tidy, "c/._file")
    above = locked(tidy("LOCK", "c", lockinfo("me"), Depth="0"), 200)
    assert tidy("UNLOCK", "c/._file", Lock_Token=litter, **FINDER).status == 204
    assert tidy.names("c/") == ["._file", "file"]
    assert tidy("UNLOCK", "c/", Lock_Token=above).status == 204


# Office


def test_word_opens_and_saves_a_document(dav: Client) -> None:
    dav.mkcol("Docs")
    path = "Docs/letter.docx"
    dav.put(path, b"old")
    discovery = dav("OPTIONS", "Docs/", User_Agent="Microsoft Office Protocol Discovery", X_Office_Major_Version="16")
    assert (discovery.status, discovery.headers["MS-Author-Via"]) == (200, "DAV")
    assert dav("HEAD", path, User_Agent="Microsoft Office Existence Discovery").status == 200
    told = dav("OPTIONS", path, **WORD)
    assert {"LOCK", "UNLOCK", "PUT"} <= set(told.headers["Allow"].split(", "))
    granted = dav("LOCK", path, lockinfo("PC/user"), Content_Type=XML, Depth="0", Timeout="Second-3600", **WORD)
    token = locked(granted, 200)
    assert dav("GET", path, Depth="0", Content_Type=XML, **WORD).body == b"old"
    refused_to_others(dav, path)
    refreshed = dav("LOCK", path, If=f"({token})", Timeout="Second-3600", **WORD)
    assert refreshed.status == 200
    assert "Lock-Token" not in refreshed.headers
    assert dav("PUT", path, b"new", If=f"({token})", **WORD).status == 204
    assert dav("PUT", path, b"newer", Lock_Token=token, **WORD).status == 204  # so does Word 2016
    assert dav("UNLOCK", path, Lock_Token=token, **WORD).status == 204
    assert dav("GET", path).body == b"newer"


def test_a_lock_token_beside_a_put_submits_and_asks_nothing(dav: Client) -> None:
    assert dav("PUT", "a", b"x", Lock_Token="<urn:davstore:lock:ended>").status == 201
    token = locked(dav("LOCK", "a", lockinfo("me")), 200)
    assert dav("PUT", "a", b"x", Lock_Token="<urn:davstore:lock:ended>").status == 423
    assert dav("PUT", "a", b"x", Lock_Token=token, If="(<urn:davstore:lock:ended>)").status == 412
    assert dav("DELETE", "a", Lock_Token=token).status == 423
    dav.principal = BOB
    assert dav("PUT", "a", b"x", Lock_Token=token).status == 404


def test_office_saves_a_new_document_by_locking_first(dav: Client) -> None:
    """LOCK of an unmapped URL makes an empty resource (RFC 4918 §7.3): in listings and reports, and it stays."""
    start = token_of(dav.sync())
    token = locked(dav("LOCK", "new.docx", lockinfo("PC/user"), Content_Type=XML, Timeout="Second-3600", **WORD), 201)
    assert dav("GET", "new.docx").body == b""
    assert dav.names() == ["new.docx"]
    assert dav.sync("", start).hrefs() == [f"{HOME}/new.docx"]
    assert dav("MKCOL", "new.docx", If=f"({token})").status == 405
    held = {"If": f"({token})", **WORD}
    assert dav("PUT", "new.docx", Content_Length="0", **held).status == 204
    assert dav("PUT", "new.docx", b"content", **held).status == 204
    attributes = windows_properties(**TIMES, Win32FileAttributes="00000020")
    assert len(dav("PROPPATCH", "new.docx", attributes, Content_Type=XML, **held).props(f"{HOME}/new.docx")) == 4
    assert dav("UNLOCK", "new.docx", Lock_Token=token, **WORD).status == 204
    assert dav("GET", "new.docx").body == b"content"


def test_office_replaces_a_document_by_moving_with_both_ends_locked(dav: Client) -> None:
    dav.put("~tmp.docx", b"new")
    dav.put("letter.docx", b"old")
    source, target = (locked(dav("LOCK", path, lockinfo("PC/user")), 200) for path in ("~tmp.docx", "letter.docx"))
    there = {"Destination": f"http://dav.example{HOME}/letter.docx", "Overwrite": "T"}
    both = f"<http://dav.example{HOME}/~tmp.docx> ({source}) <{HOME}/letter.docx> ({target})"
    for too_little in ({}, {"If": f"({source})"}, {"If": f"<{HOME}/letter.docx> ({target})"}):
        assert dav("MOVE", "~tmp.docx", **there, **too_little).status == 423
    assert dav("COPY", "~tmp.docx", If=f"<{HOME}/letter.docx> ({target})", **there).status == 204
    assert dav("LOCK", "letter.docx", lockinfo("PC/user")).status == 200
    assert dav("MOVE", "~tmp.docx", If=both, **there).status in (412, 423)  # what COPY replaced took its lock along
    assert dav("GET", "letter.docx").body == b"new"


# Others


def test_davfs2_creates_under_a_lock(dav: Client) -> None:
    """neon tags its lists with the whole URL, asks for 86,400 seconds and speaks of `Infinite` too."""
    asked = {"Depth": "0", "Timeout": "Second-86400, Infinite", "Content_Type": "application/xml"}
    token = locked(dav("LOCK", "file", lockinfo("davfs2 client"), **asked), 201)
    held = {"If": f"<http://dav.example{HOME}/file> ({token})"}
    assert dav("PUT", "file", b"one", **held).status == 204
    etag = dav("HEAD", "file").headers["ETag"]
    assert dav("PUT", "file", b"two", If=f"<http://dav.example{HOME}/file> ({token} [{etag}])").status == 204
    assert dav("DELETE", "file", **held).status == 204
    assert dav("UNLOCK", "file", Lock_Token=token).status == 404


@pytest.mark.parametrize("depth", ["infinity", "Infinity", "INFINITY"])
def test_depth_is_read_in_any_case(dav: Client, depth: str) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    assert len(dav("PROPFIND", "c", Depth=depth).hrefs()) == 2
    assert dav("COPY", "c", Destination=f"{HOME}/d", Depth=depth).status == 201
    assert dav("MOVE", "d", Destination=f"{HOME}/e", Depth=depth).status == 201
    token = locked(dav("LOCK", "e", lockinfo("me"), Depth=depth), 200)
    assert dav("PUT", "e/a", b"x").status == 423
    assert dav("DELETE", "e", Depth=depth, If=f"<{HOME}/e/> ({token})").status == 204


def test_a_report_knows_every_property_that_propfind_knows(dav: Client) -> None:
    names = ("oc:checksums", "D:lastmodified", "D:resource-id", "D:getcontentlength", "D:lockdiscovery", "x:p")
    dav.put("a", b"hello", X_OC_Mtime="784111777")
    body = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><p xmlns="urn:x">1</p></D:prop></D:set></D:propertyupdate>'
    dav("PROPPATCH", "a", body)
    asked = "".join(f'<{name} xmlns:oc="http://owncloud.org/ns" xmlns:x="urn:x"/>' for name in names)
    report: Any = dav("REPORT", "", sync_body(props=asked)).props(f"{HOME}/a")
    found: Any = dav(
        "PROPFIND", "a", f'<D:propfind xmlns:D="DAV:"><D:prop>{asked}</D:prop></D:propfind>', Depth="0"
    ).props(f"{HOME}/a")
    assert len(found) == len(names)
    assert {name: "".join(one.itertext()) for name, one in report.items()} == {
        name: "".join(one.itertext()) for name, one in found.items()
    }
