"""OPTIONS, GET and HEAD: resources, conditions, ranges, collections, pages for browsers."""

from __future__ import annotations

import time

from tests.golden.bodies import MAIL, prop, propfind
from tests.golden.talk import Talk
from tests.waiting import until

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
DIGITS = "0123456789"
LONG_AGO = {"X-OC-Mtime": "1000000000"}


def options(t: Talk) -> None:
    """What can be done with each kind of URL."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "a", {}, DIGITS)
    for path in ("*", "/", "/dav", "/dav/", "/dav/store/", "", "c", "c/", "a", "a/", "new", "new/", "c/new", "x/y/z"):
        t.ask("OPTIONS", path)
    for path in ("/dav/principals/", "/dav/principals/users/", f"/dav/principals/users/{t.user}/", "/dav/nothing"):
        t.ask("OPTIONS", path)
    t.ask("OPTIONS", "a", {"Content-Type": "text/plain"}, "a body")
    t.ask("OPTIONS", "a", {"If": '(["no such tag"])'})
    t.ask("OPTIONS", "/dav/", {"If": '(["no such tag"])'})
    t.ask("OPTIONS", "a", {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"})
    t.ask("OPTIONS", "a", {"Origin": "chrome-extension://abc", "Access-Control-Request-Method": "PUT"})


def get(t: Talk) -> None:
    """Bodies of many types, entity tags, digests."""
    t.note("types: what a browser may show, and what it is given to save")
    types = (
        "text/plain; charset=utf-8",
        "text/html",
        "image/png",
        "image/svg+xml",
        "application/pdf",
        "message/rfc822",
    )
    for number, kind in enumerate(types):
        t.ask("PUT", f"{number}", {"Content-Type": kind}, DIGITS)
        t.ask("GET", f"{number}")
        t.ask("HEAD", f"{number}")
    t.note("a type is guessed from the name when none is sent")
    for name in ("a.txt", "b.jpg", "c.eml", "d", "e.unknown", "%C3%A4%20%22q%22%20100%25;.bin"):
        t.ask("PUT", name, {}, DIGITS)
        t.ask("GET", name)
    t.note("entity tags")
    etag = t.ask("HEAD", "a.txt").headers["ETag"]
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*", '"x"', "x", ""):
        t.ask("GET", "a.txt", {"If-None-Match": value})
        t.ask("GET", "a.txt", {"If-Match": value})
    t.ask("HEAD", "a.txt", {"If-None-Match": etag})
    t.ask("GET", "missing", {"If-Match": "*"})
    t.ask("GET", "missing", {"If-None-Match": "*"})
    t.ask("GET", "a.txt", {"If-Match": '"x"', "If-None-Match": etag})
    t.note("digests")
    for name in ("Want-Repr-Digest", "Want-Content-Digest"):
        for value in ("sha-256=1", "sha-512=3, sha-256=0", "sha-512=3, sha-256=5", "junk"):
            t.ask("GET", "a.txt", {name: value})
    t.ask("GET", "a.txt", {"Want-Repr-Digest": "sha-256=1", "Range": "bytes=2-3"})
    t.ask("GET", "a.txt", {"Want-Content-Digest": "sha-256=1", "Range": "bytes=2-3"})
    t.note("what is not there, and what GET does not take")
    for path in ("missing", "missing/", "a.txt/", "a.txt/x", "a.txt?part=1", "a.txt?preview", "a.txt?v=2", "?add"):
        t.ask("GET", path)
    t.ask("GET", "missing", HTML)
    t.ask("HEAD", "missing", HTML)
    t.ask("GET", "a.txt", {"Content-Type": "text/plain"}, "a body")
    t.note("a body that is no row but a file")
    t.ask("PUT", "large", {}, DIGITS * 30_000)
    t.ask("GET", "large")
    t.ask("GET", "large", {"Range": "bytes=299990-"})
    t.ask("PUT", "empty", {"Content-Length": "0"})
    t.ask("GET", "empty")


def parts(t: Talk) -> None:
    """Parts of messages: RFC 9051 section 6.4.5 for their numbers, RFC 2045 section 6 for their bytes."""
    t.ask("PUT", "m%20%26.eml", {}, MAIL)
    t.ask("MKCOL", "c/")
    t.ask("PUT", "media", {}, DIGITS)
    t.note("what it has")
    t.ask("PROPFIND", "m%20%26.eml", {"Depth": "0"}, prop("C:kind", "C:parts", "D:getetag"))
    for number in ("1", "2", "3", "3.1"):
        t.ask("GET", f"m%20&.eml?part={number}")
        t.ask("HEAD", f"m%20&.eml?part={number}")
    t.ask("PROPFIND", "m%20&.eml?part=2", {"Depth": "0"})
    t.ask("PROPFIND", "m%20&.eml?v=1&%70art=2", {"Depth": "1"}, prop("C:filename", "C:content-id", "C:disposition"))
    t.ask("PROPFIND", "m%20&.eml?part=2", {"Depth": "infinity"}, propfind("<D:propname/>"))
    t.note("ranges and conditions")
    etag = t.ask("HEAD", "m%20&.eml?part=2").headers["ETag"]
    for value in ("bytes=2-3", "bytes=-3", "bytes=0-1,8-9", "bytes=10-", "bytes=0-"):
        t.ask("GET", "m%20&.eml?part=2", {"Range": value})
    t.ask("GET", "m%20&.eml?part=2", {"Range": "bytes=2-3", "If-Range": etag})
    t.ask("GET", "m%20&.eml?part=2", {"If-None-Match": etag})
    t.ask("GET", "m%20&.eml?part=1", {"If-Match": etag})
    t.ask("GET", "m%20&.eml?part=2", {"Want-Repr-Digest": "sha-256=1", "If": f"([{etag}])"})
    t.ask("GET", "media", {"If": f"<{t.home}m%20&.eml?part=2> ([{etag}])"})
    t.ask("GET", "media", {"If": f"<{t.home}m%20&.eml?part=9> ([{etag}])"})
    t.note("what is not there")
    for path in (
        "m%20&.eml?part=4",
        "m%20&.eml?part=01",
        "m%20&.eml?part=1.",
        "m%20&.eml?part=1&part=2",
        "media?part=1",
    ):
        t.ask("GET", path)
    for path in ("c/?part=1", "missing?part=1", "/dav/?part=1", "/dav/store/other/x?part=1"):
        t.ask("GET", path)
    t.note("copies")
    for path, fields in (("x.png", {}), ("x.png", {"Overwrite": "F"}), ("c/", {}), ("m%20&.eml", {}), ("no/x", {})):
        t.ask("COPY", "m%20&.eml?part=2", {"Destination": f"{t.home}{path}", **fields})
    t.ask("GET", "x.png")
    t.ask("COPY", "m%20&.eml?part=3", {"Destination": f"{t.home}inside.eml", "Prefer": "return=representation"})
    t.ask("PROPFIND", "inside.eml", {"Depth": "0"}, prop("C:kind", "C:subject", "C:parts"))
    t.ask("COPY", "m%20&.eml?part=2", {"Destination": "/dav/store/other/x"})
    t.note("what is not done to a part")
    for method in ("PUT", "DELETE", "MOVE", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK", "REPORT", "POST", "PATCH", "BREW"):
        t.ask(method, "m%20&.eml?part=2", {"Destination": f"{t.home}y"} if method == "MOVE" else {})
    t.ask("OPTIONS", "m%20&.eml?part=2")
    t.ask("COPY", "media", {"Destination": f"{t.home}m%20&.eml?part=2"})
    t.ask("MOVE", "media", {"Destination": f"{t.home}m%20&.eml?part=9"})


def ranges(t: Talk) -> None:
    """RFC 9110 section 14."""
    etag = t.ask("PUT", "a", {"Content-Type": "text/plain"}, DIGITS).headers["ETag"]
    t.ask("PUT", "empty", {"Content-Length": "0"})
    t.note("one range")
    for value in ("0-0", "2-5", "5-", "-3", "-100", "0-99", "9-9", "10-", "-0", "5-2", "x", "", "0-0,2-3", "7-,0-1"):
        t.ask("GET", "a", {"Range": f"bytes={value}"})
    t.note("ranges that touch, many, other units")
    for value in ("bytes=0-1,2-3", "bytes=4-5, 0-1 ,5-7", "lines=1-2", "BYTES=1-2", "bytes=0-0," * 17 + "1-1"):
        t.ask("GET", "a", {"Range": value})
    t.ask("HEAD", "a", {"Range": "bytes=2-5"})
    t.ask("GET", "empty", {"Range": "bytes=0-"})
    t.ask("GET", "a", {"Range": "bytes=99-"} | HTML)
    t.note("If-Range")
    for value in (etag, f"W/{etag}", '"x"', "x"):
        t.ask("GET", "a", {"Range": "bytes=2-5", "If-Range": value})
    t.ask("GET", "a", {"Range": "bytes=2-5", "If-None-Match": etag})


def dates(t: Talk) -> None:
    """Conditions on dates: the server's times order what it served, those of a client do not."""
    modified = t.ask("PUT", "server", {}, DIGITS).headers["Last-Modified"]
    t.ask("PUT", "client", LONG_AGO, DIGITS)
    second = int(time.time())
    until(lambda: time.time() >= second + 1)  # until it is over, its date is no strong validator
    long_ago, before, later = (
        "Sun, 09 Sep 2001 01:46:40 GMT",
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Fri, 01 Jan 2100 00:00:00 GMT",
    )
    for path, own in (("server", modified), ("client", long_ago)):
        for value in (own, before, later, "no date", "Sunday, 09-Sep-01 01:46:40 GMT", "Sun Sep  9 01:46:40 2001"):
            t.ask("GET", path, {"If-Modified-Since": value})
            t.ask("GET", path, {"If-Unmodified-Since": value})
            t.ask("PROPPATCH", path, {"If-Unmodified-Since": value}, "<broken")
            t.ask("GET", path, {"Range": "bytes=2-3", "If-Range": value})
        t.ask("GET", path, {"If-Modified-Since": own, "If-None-Match": '"x"'})
        t.ask("GET", path, {"If-Unmodified-Since": before, "If-Match": "*"})
        t.ask("HEAD", path, {"If-Modified-Since": own})
    t.ask("PUT", "client", {"If-Unmodified-Since": long_ago}, "new")
    t.ask("PUT", "client", {"If-Unmodified-Since": long_ago}, "newer")
    t.ask("DELETE", "server", {"If-Unmodified-Since": before})
    t.ask("DELETE", "server", {"If-Unmodified-Since": modified})


def listings(t: Talk) -> None:
    """GET of a collection for programs."""
    for path in ("c/", "c/d/", "c/empty/"):
        t.ask("MKCOL", path)
    for path in ("c/a.txt", "c/%C3%A4%26%3C", "c/a:b", "c/it's", "c/d/x", "c/100%25"):
        t.ask("PUT", path, {}, "x")
    for path in ("/", "/dav/", "/dav/store/", "", "c/", "c/d/", "c/empty/", f"/dav/principals/users/{t.user}/"):
        t.ask("GET", path)
        t.ask("HEAD", path)
    for value in ("text/plain", "text/plain, text/html", "text/plain;q=0.5, */*", "*/*", "text/html;q=0, text/plain"):
        t.ask("GET", "c/", {"Accept": value})
    t.note("a collection is led to by its slash")
    for path in ("/dav", "/dav/store", "/dav/store/listings", "c", "c?v=2&x=%C3%A4", "//dav//store//listings//c"):
        t.ask("GET", path)
    t.ask("HEAD", "c")
    t.ask("GET", "c/", {"If-Match": '"x"'})
    t.ask("GET", "c/", {"If-None-Match": "*"})
    t.ask("GET", "c/", {"Range": "bytes=0-1"})
    t.ask("GET", "c/", {"If": '(["x"])'})
    t.ask("GET", "/dav/", {"If": '(["x"])'})


def pages(t: Talk) -> None:
    """What a browser is shown."""
    t.ask("MKCOL", "c/")
    t.ask("GET", "c/", HTML)
    for path in ("c/d/", "c/%C3%A9tudes/"):
        t.ask("MKCOL", path)
    files = {"c/10.txt": "text/plain", "c/2.txt": "text/plain", "c/p.png": "image/png", "c/m.eml": "message/rfc822"}
    files |= {"c/v.mp4": "video/mp4", "c/s.ogg": "audio/ogg", "c/%E2%80%AEgpj.exe": "application/x-msdownload"}
    for number, (path, kind) in enumerate(files.items()):
        t.ask("PUT", path, {"Content-Type": kind, "X-OC-Mtime": str(10**9 + number)}, "x" * 900 * number)
    page = t.ask("GET", "c/", HTML)
    t.ask("HEAD", "c/", HTML)
    for query in ("sort=size", "sort=time&order=asc", "sort=name&order=desc", "sort=size&order=desc&v=1"):
        t.ask("GET", f"c/?{query}", HTML)
    for query in ("sort=colour", "order=up", "sort=name&sort=size", "after=x", "part=1", "after=0.0.m.eml", "sort=%FF"):
        t.ask("GET", f"c/?{query}", HTML)
    for path in ("/", "/dav", "/dav/", "/dav/store", "/dav/store/", "", "c", "c/2.txt", "/dav/principals/", "/x"):
        t.ask("GET", path, HTML)
    for name in ("If-None-Match", "If-Match"):
        for value in (page.headers["ETag"], '"x"', "*"):
            t.ask("GET", "c/", HTML | {name: value})
    t.ask("GET", "c/", HTML, who="")
    t.ask("GET", "/dav/store/other/", HTML)
