"""Connections and framing; and a server with other settings: origins, proxies, devices alone, Finder's litter."""

from __future__ import annotations

from tests.golden.bodies import lockinfo, prop, sync
from tests.golden.talk import Talk

FINDER = {"User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (arm64)"}
HTML = {"Accept": "text/html"}


def connections(t: Talk) -> None:
    """Bytes as they are: what can be framed, and what ends the connection."""
    t.ask("PUT", "a", {}, "0123456789")
    good = b"GET /dav/store/connections/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: {me}\r\n"
    put = good.replace(b"GET", b"PUT")
    t.note("one after the other, and in one piece")
    t.raw(good + b"\r\n" + good + b"\r\n")
    t.raw(good + b"Connection: close\r\n\r\n" + good + b"\r\n")
    t.raw(good.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n")
    t.raw(good.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: keep-alive\r\n\r\n")
    t.raw(b"\r\n" + good + b"\r\n")
    t.raw(put + b"Content-Length: 2\r\n\r\nab" + good + b"\r\n")
    t.raw(put + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
    t.raw(put.replace(b"/a ", b"/a/ ") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
    t.note("lengths and codings")
    for fields in (
        *("Content-Length: x", "Content-Length: -1", "Content-Length: 1, 1", "Content-Length: 2\r\nContent-Length: 2"),
        *(
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked, chunked",
        ),
        *(
            "Transfer-Encoding: identity",
            "Transfer-Encoding:",
            "Content-Length: 99999999999999999999",
            "Content-Length: 20",
        ),
    ):
        t.raw(put + fields.encode() + b"\r\n\r\nab")
    for chunks in (
        *(
            b"-1\r\nx\r\n0\r\n\r\n",
            b"0x1\r\nx\r\n0\r\n\r\n",
            b"1\r\nxXX0\r\n\r\n",
            b"FFFFFFFFFFFF\r\nx",
            b"5\r\nhell",
            b"\r\n",
        ),
        *(b"1;a=b\r\nx\r\n0\r\n\r\n", b"1\r\nx\r\n0\r\nTrailer: y\r\n\r\n", b"0\r\nX: y"),
    ):
        t.raw(put + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    t.note("heads")
    for head in (
        b"GET /dav/ HTTP/1.1\r\n\r\n",
        b"GET /dav/ HTTP/2.0\r\nHost: h\r\n\r\n",
        b"GET /dav/ HTTP/0.9\r\n\r\n",
        b"GET /dav/\r\n\r\n",
        b"GET  /dav/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /dav/ x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /dav/ HTTP/1.1\nHost: h\n\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\nName : x\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /dav/ HTTP/1.1\r\nHost: h\r\n",
    ):
        t.raw(head)


def origins(t: Talk) -> None:
    """Pages of the same origin, of a permitted one, of an extension, and of any other."""
    t.ask("PUT", "a", {}, "0123456789", who="origins/phone")
    for origin in (
        "https://app.example",
        "http://app.example",
        "chrome-extension://abc",
        f"http://{t.host}",
        "null",
        "junk",
    ):
        fields = {"Origin": origin}
        for method in ("GET", "PUT", "DELETE", "PROPFIND"):
            t.ask(
                method,
                "a",
                fields | {"Depth": "0"},
                prop("D:getetag") if method == "PROPFIND" else "",
                who="origins/phone",
            )
            t.ask("PUT", "a", {}, "0123456789", who="origins/phone")
        t.ask("GET", "missing", fields, who="origins/phone")
        t.ask("GET", "a", fields, who="")
        for asked in ({}, {"Access-Control-Request-Method": "PUT"}):
            t.ask("OPTIONS", "a", fields | asked | {"Access-Control-Request-Headers": "depth, x-custom"}, who="")
    t.ask(
        "OPTIONS",
        "a",
        {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "a b",
        },
        who="",
    )
    for site in ("cross-site", "same-site", "same-origin", "none", ""):
        for method in ("GET", "PUT"):
            t.ask(method, "a", {"Sec-Fetch-Site": site}, who="origins/phone")


def devices_alone(t: Talk) -> None:
    """A provider that lets nobody but devices list, and takes RFC 6578 by its word."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "c/a", {}, "x")
    for who in (t.user, "devices_alone/phone"):
        t.ask("REPORT", "c/", {}, sync(), who=who)
        t.ask("REPORT", "c/", {"Depth": "1"}, sync(), who=who)
        for method, depth in (
            ("PROPFIND", "0"),
            ("PROPFIND", "1"),
            ("PROPFIND", "infinity"),
            ("GET", "0"),
            ("HEAD", "0"),
        ):
            t.ask(method, "c/", {"Depth": depth}, prop("D:getetag") if method == "PROPFIND" else "", who=who)
        t.ask("GET", "c/", HTML, who=who)
        t.ask("GET", "c/a", who=who)


def finder(t: Talk) -> None:
    """What macOS keeps beside a user's files is let in, and gone when it is unlocked."""
    for name in ("._a", ".DS_Store", "a"):
        for fields in (FINDER, {}):
            t.ask("PUT", name, fields, "")
            token = t.ask("LOCK", name, fields | {"Depth": "0"}, lockinfo()).lock
            t.ask("PUT", name, fields | {"If": f"({token})"}, "litter")
            t.ask("UNLOCK", name, fields | {"Lock-Token": token})
            t.ask("HEAD", name, fields)


def behind_a_proxy(t: Talk) -> None:
    """The client's URLs have another host and a prefix."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "c/a", {}, "x")
    own = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "dav.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/files",
    }
    standard = {"Forwarded": "for=192.0.2.1;host=dav.example;proto=https"}
    for fields in (own, standard):
        t.ask(
            "PROPFIND",
            "c",
            fields | {"Depth": "1"},
            prop("D:getetag", "D:current-user-principal"),
            who="behind_a_proxy/phone",
        )
        t.ask("GET", "c", fields)
        t.ask("GET", "/.well-known/davstore", fields, who="")
        t.ask("GET", "missing", fields | HTML)
        for target in (
            "https://dav.example/files/dav/store/behind_a_proxy/b",
            "https://dav.example/dav/store/behind_a_proxy/b",
            f"http://{t.host}{t.home}b",
        ):
            t.ask("COPY", "c/a", fields | {"Destination": target})
        t.ask("REPORT", "c", fields, sync(), who="behind_a_proxy/phone")
    for fields in (
        {"X-Forwarded-Prefix": "/%"},
        {"X-Forwarded-Prefix": "/x?y"},
        {"Forwarded": 'for="'},
        {"X-Forwarded-Host": ""},
    ):
        t.ask("GET", "c", fields)


def slow(t: Talk) -> None:
    """A body that does not come while the connection stays."""
    t.raw(
        b"PUT /dav/store/slow/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: {me}\r\nContent-Length: 9\r\n\r\nx",
        stays=True,
    )
