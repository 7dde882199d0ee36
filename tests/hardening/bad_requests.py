"""Bad and odd requests, made from tables: every method with every part of a request broken in every way we know.

REFUSED must each get an answer that refuses. ODD may mean something or nothing; they only have to be answered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.dav.client import sync_body

MARK: Final = "<i>mark</i>"
"""No answer may hold it as it is."""
D: Final = 'xmlns:D="DAV:"'
XML_TYPE: Final = ("Content-Type", "application/xml")
CHUNKED: Final = ("Transfer-Encoding", "chunked")
PROPFIND: Final = f"<D:propfind {D}><D:prop><D:getetag/></D:prop></D:propfind>"
PROPPATCH: Final = f"<D:propertyupdate {D}><D:set><D:prop>{{}}</D:prop></D:set></D:propertyupdate>"
MKCOL: Final = (
    f"<D:mkcol {D}><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop></D:set></D:mkcol>"
)
LOCKINFO: Final = (
    f"<D:lockinfo {D}><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"
)


class Case(NamedTuple):
    """One request. `fields` may hold a name twice, or a length of its own."""

    method: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def with_field(self, name: str, value: str) -> Case:
        """Return the request with a field in the place of the one it had."""
        return self._replace(fields=(*(one for one in self.fields if one[0] != name), (name, value)))

    def chunked(self, size: int = 1000) -> Case:
        """Return the request with its body in chunks."""
        pieces = [self.body[start : start + size] for start in range(0, len(self.body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return self._replace(fields=(*self.fields, CHUNKED), body=body)

    def __str__(self) -> str:
        told = " ".join(f"{name}: {value[:40]}" for name, value in self.fields)
        return f"{self.method[:20]} {self.path[:60]} {told} {self.body[:40]!r}"


def case(method: str, path: str, fields: dict[str, str] | None = None, body: str | bytes = b"") -> Case:
    """Return a request."""
    return Case(method, path, tuple((fields or {}).items()), body.encode() if isinstance(body, str) else body)


GOOD: Final = {
    one.method: one
    for one in (
        case("OPTIONS", "a"),
        case("GET", "a"),
        case("HEAD", "a"),
        case("PROPFIND", "", {"Depth": "0", **dict([XML_TYPE])}, PROPFIND),
        case("REPORT", "", dict([XML_TYPE]), sync_body()),
        case("PUT", "new", body="0123456789"),
        case("DELETE", "c"),
        case("MKCOL", "new", dict([XML_TYPE]), MKCOL),
        case("PROPPATCH", "a", dict([XML_TYPE]), PROPPATCH.format("<x/>")),
        case("COPY", "a", {"Destination": "/dav/store/me/new"}),
        case("MOVE", "a", {"Destination": "/dav/store/me/new"}),
        case("LOCK", "a", dict([XML_TYPE]), LOCKINFO),
        case("UNLOCK", "a", {"Lock-Token": "<urn:uuid:0>"}),
    )
}
"""Requests that do something, but for the last, which no lock is there for."""
WRITES: Final = ("PUT", "DELETE", "MKCOL", "PROPPATCH", "COPY", "MOVE", "LOCK", "UNLOCK")
CONDITIONAL: Final = ("GET", "HEAD", *WRITES)
WITH_XML: Final = ("PROPFIND", "REPORT", "MKCOL", "PROPPATCH", "LOCK")
MOVING: Final = ("COPY", "MOVE")

TARGETS: Final = [
    *(f"/dav/store/me/{end}" for end in ("../me/a", "%2e%2e/a", ".%2E/a", "./a", "a%2Fb", "a%2fb")),
    *(f"/dav/store/me/{end}" for end in ("%00", "%0a", "%0d%0aX:y", "%7f", "%1b", "%", "%f", "%fg", "%%41", "a%u0041")),
    *(f"/dav/store/me/{end}" for end in ("%ff%fe", "%c0%ae%c0%ae/", "%ed%a0%80", "%f4%90%80%80", "%e4", "a#b")),
    *(f"/dav/store/me/{end}" for end in ("x" * 20_000, "x/" * 4_000, "%41" * 6_000, "a?part=1", "a/b/c", MARK)),
    *(
        "/dav/store/root/a",
        "/dav/store/ME/a",
        "/DAV/store/me/a",
        "/..%5c..%5cetc/passwd",
        "/",
        "/dav/store/me/?preview",
    ),
    *("/dav", "/dav/principals/users/me/x", "/dav/store/me%00/a", "/dav/store/%2e%2e/principals/"),
    *(
        "!a",
        "!http://",
        "!http:/dav/store/me/a",
        "ftp://127.0.0.1/dav/store/me/a",
        "http://[::1/a",
        "!?",
        "!127.0.0.1:80",
    ),
]
LISTED: Final = frozenset({"/", "/dav"})
"""Those that are there, for who only looks."""

UNMAPPED: Final = frozenset(f"/dav/store/me/{end}" for end in ("x/" * 4_000, "a/b/c", MARK))
"""Those of which OPTIONS tells how they can be made."""

NO_DATE: Final = ("Thu, 01 Jan 1970 00:00:00 GMT",)
NO_TAGS: Final = ("", "x", '"a', '"a" "b"', "W/", '*, "a"', ",", '"no such tag"', 'w/"a"', '"' + "x" * 5_000 + '"')
FIELDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Depth": (
        ("PROPFIND", "REPORT", "DELETE", "COPY", "MOVE", "LOCK"),
        ("2", "-1", "", "0,1", "infinite", "9" * 5_000, "\xb2", "00", "1 0", MARK),
    ),
    "Overwrite": (MOVING, ("", "X", "TT", "true", "1", "T,F", "T;", MARK)),
    "Destination": (
        MOVING,
        (
            *("", "b", "//", "../b", "?", "#", "http://", "http://[::1/b", "/dav/store/me", "http://x y/"),
            *(
                f"/dav/store/me/{end}"
                for end in ("../b", "%2e%2e/b", "%ff", "b#c", "b?x&part=2", "%00", "y" * 256, "x/y", "a")
            ),
        ),
    ),
    "If": (
        tuple(GOOD),
        (
            *("", "(", ")", "()", "(<x", "(<x>)", "</a>", '(["x"', "(Not)", "(Not Not <u:x>)", "([W/])", "(<u:a>) x"),
            *('<http://h/a> <b> (["x"])', '(["x"]) </a> (["y"])', "(" * 4_000, "(<u:x>" * 1_000, "x" * 9_000),
            *('(["no such tag"])', "(<urn:uuid:0>)", "(<u:x>" + " <u:x>" * 1_000 + ")", MARK, "\xe4"),
        ),
    ),
    "If-Match": (CONDITIONAL, NO_TAGS),
    "If-Unmodified-Since": (("GET", "HEAD", "DELETE", "PROPPATCH"), NO_DATE),
    "Range": (("GET",), ("bytes=99-", "bytes=-0", "bytes=" + "9" * 5_000 + "-")),
    "Lock-Token": (
        ("UNLOCK",),
        ("", "<", "<>", "<a b>", "<a", "a>", "<urn:x>", "urn:uuid:0", "<" + "x" * 9_000 + ">", MARK),
    ),
    "Content-Length": (tuple(GOOD), ("-1", "+1", "1.0", "0x1", "1, 1", "", "9" * 20, "1 1", "\xb2", "1_0", "1000")),
    "Transfer-Encoding": (
        tuple(GOOD),
        ("gzip", "chunked, chunked", "identity", "", "xchunked", "chunked;q=1", "CHUNKED,"),
    ),
    "Content-Range": (("PUT",), ("bytes 0-1/2", "", "x")),
    "Content-Encoding": (("PUT",), ("gzip", "br", "x", "identity, gzip")),
    "Content-Type": (("PUT",), ("x" * 256, "\xff", "text/\xe4")),
    "OC-Checksum": (
        ("PUT",),
        ("", "x", "SHA1:", "SHA1:zz", ":00", "SHA1:" + "0" * 40, "MD5:" + "0" * 200, "sha256 :0"),
    ),
    "Repr-Digest": (("PUT",), ("sha-256=:x:", "sha-256=x", "sha-256=::", f"sha-256=:{'A' * 43}=:", "sha-256=:\xe4:")),
    "Content-Digest": (("PUT",), ("sha-256=:x:", f"sha-256=:{'A' * 43}=:")),
    "X-Expected-Entity-Length": (("PUT",), ("9", "11", "9" * 5_000)),
    "Origin": (WRITES, ("http://evil.example", "null", "", "http://127.0.0.1", MARK)),
    "Sec-Fetch-Site": (WRITES, ("cross-site", "same-site", "", "x")),
    "Authorization": (
        tuple(GOOD),
        (
            *("", "Basic", "Basic !!!", "Basic bWU6AAA=", "Basic bWU=", "Basic /////w==", "Digest x", "Bearer dvs_0_0"),
            *(
                "Bearer",
                "Bearer \xe4",
                "Basic " + "A" * 8_000,
                "Negotiate x",
                f"Basic {MARK}",
                "Basic bWU6eA==, Basic x",
            ),
        ),
    ),
    "Bad Name": (tuple(GOOD), ("x",)),
    "X-Long": (tuple(GOOD), ("x" * 40_000,)),
    "X-Control": (("GET", "PUT"), ("a\0b", "a\rb", "a\n b", "\n")),
}

ENTITIES: Final = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
LAUGHS: Final = "<!DOCTYPE x [<!ENTITY l0 'ha'>{}]><x>&l30;</x>".format(
    "".join(f"<!ENTITY l{number + 1} '&l{number};&l{number};'>" for number in range(30))
)
DOCTYPES: Final = (
    *("<!DOCTYPE x>", "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/'>", "<!DOCTYPE x PUBLIC 'p' 'file:///etc/passwd'>"),
    *("<!DOCTYPE x [<!ENTITY a 'b'>]>", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", "<!DOCTYPE x []>"),
    *("<!DOCTYPE x [<!ATTLIST x y CDATA 'z'>]>", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY % a 'b'>]>"),
)
DOCUMENTS: Final = [
    *(
        "<",
        "\0",
        "<x",
        "<x>",
        "</x>",
        "<x/><y/>",
        "<a:x/>",
        "x",
        "<x></y>",
        "<x/>y",
        " ",
        "\ufeff",
        "{}",
        "a=b",
        "<?x?>",
    ),
    *("<x a='1' a='2'/>", "<x a=1/>", "<x a='<'/>", "<x>]]></x>", "<x>&y;</x>", "<x>&#0;</x>", "<x>&#xD800;</x>"),
    *(
        "<x xmlns:p=''/>",
        "<x xmlns:xml='u'/>",
        "<x xmlns:xmlns='u'/>",
        "<1/>",
        "<x:/>",
        "<:x/>",
        "<x\0/>",
        "<!-- -- --><x/>",
    ),
    *("<!DOCTYPE x><x/>", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", "<!DOCTYPE x PUBLIC 'p' 'http://h/'><x/>"),
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    "<!DOCTYPE x [<!ENTITY % a SYSTEM 'http://127.0.0.1:1/'>%a;]><x/>",
    *(ENTITIES, LAUGHS, "<x " + " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(200)) + "/>"),
    *("<x>" * 5_000 + "</x>" * 5_000, "<x>" * 300 + "</x>" * 300, "<x>" + "<y/>" * 20_000 + "</x>", f"<x>{MARK}</x>"),
    *("<x " + " ".join(f'a{number}=""' for number in range(20_000)) + "/>", f"<x {'a' * 60_000}='1'/>"),
    *("<x>" + "y" * 1_100_000 + "</x>", "<!--" + "y" * 500_000 + "--><x/>", "<x>" + "&amp;" * 200_000 + "</x>"),
    *("<?xml version='1.0' encoding='no-such'?><x/>", "<?xml version='9'?><x/>", "<?xml encoding='utf-8'?><x/>"),
    "<?xml version='1.0' encoding='utf-16'?><x/>",
]
BROKEN: Final = [
    *(text.encode() for text in DOCUMENTS),
    *(
        b"<x>\xe4</x>",
        b"<x>\xc3</x>",
        b"\xff\xfe<\0x\0",
        "<x/>".encode("utf-16-le"),
        b"\xfe\xff\0<",
        b"<x>\xed\xa0\x80</x>",
    ),
]
ASKED: Final = [  # well-formed XML with the right root, and nothing that can be done
    *(case("PROPFIND", "", body=f"<D:propfind {D}>{inner}</D:propfind>") for inner in ("", "<D:prop/><D:allprop/>")),
    case("PROPFIND", "", body=PROPFIND.replace("<D:getetag/>", "".join(f"<p{n}/>" for n in range(1_001)))),
    case("PROPFIND", "", body=PROPFIND.replace("<D:getetag/>", "".join(f"<p{n:0200}/>" for n in range(200)))),
    case("PROPPATCH", "a", body=PROPPATCH.format(f"<x>{'v' * 70_000}</x>")),
    case("PROPPATCH", "a", body=PROPPATCH.format(f"<{'n' * 300}/>")),
    case("PROPPATCH", "a", body=PROPPATCH.format("".join(f"<p{number}/>" for number in range(1_100)))),
    case(
        "PROPPATCH",
        "a",
        body=PROPPATCH.replace(D, f'{D} xmlns:n="{"n" * 60_000}"').format("<x/>" * 900),
    ),
    *(
        case("MKCOL", "new", dict([XML_TYPE]), f"<D:mkcol {D}><D:set><D:prop>{inner}</D:prop></D:set></D:mkcol>")
        for inner in ("", "<D:resourcetype/>", "<D:resourcetype><x/></D:resourcetype>", "<D:displayname/>")
    ),
    *(case("MKCOL", "new", {"Content-Type": kind}, MKCOL) for kind in ("text/plain", "application/json", "")),
    *(
        case("LOCK", "a", body=f"<D:lockinfo {D}>{inner}</D:lockinfo>")
        for inner in (
            "",
            "<D:lockscope/><D:locktype/>",
            "<D:lockscope><D:exclusive/><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>",
            "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:read/></D:locktype>",
        )
    ),
    case("LOCK", "a", body=LOCKINFO.replace("</D:lockinfo>", f"<D:owner>{'o' * 5_000}</D:owner></D:lockinfo>")),
    case("LOCK", "a"),
    *(
        case("REPORT", "", body=sync_body(token))
        for token in (
            *("urn:davstore:sync:1.0.0.0.-.0", "9" * 9_000, "x", "urn:uuid:0", "http://h/sync/1", "&lt;i>mark&lt;/i>"),
            "urn:davstore:sync:1.1.1.0123456789abcdef.-." + "9" * 19,
        )
    ),
    *(case("REPORT", "", body=sync_body(level=level)) for level in ("9", "", "0", "Infinite")),
    *(case("REPORT", "", body=sync_body(limit=limit)) for limit in (0, -1)),
    *(case("REPORT", path, body=sync_body()) for path in ("a", "/dav/", "/dav/principals/", "missing/")),
    case("REPORT", "", body=f"<D:version-tree {D}/>"),
    case("REPORT", ""),
]
CHUNKS: Final = [
    *(b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5_0\r\nx", b"5\r\nhelloXX0\r\n\r\n", b"\r\n"),
    *(
        b"FFFFFFFFFF\r\nx",
        b"5\r\nhell",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"0\r\nX: y",
        b"5;\0\r\nhello\r\n0\r\n\r\n",
    ),
]
OTHERS: Final = [
    *(
        case(method, "a")
        for method in ("BREW", "TRACE", "PATCH", "POST", "ACL", "SEARCH", "BIND", "G" * 300, "G@T", "get", "")
    ),
    case("CONNECT", "!127.0.0.1:80"),
    *(case(method, "a", body="x") for method in ("GET", "HEAD", "DELETE", "COPY", "MOVE", "OPTIONS", "UNLOCK")),
    *(case("PUT", path, body="x") for path in ("c", "c/", "new/", "missing/new", "x" * 256, "a/b", "")),
    *(case("MKCOL", path) for path in ("a", "c", "missing/new", "", "x" * 256, "%")),
    *(case("DELETE", path) for path in ("", "missing", "/dav/", "/dav/principals/users/me/")),
    *(case("LOCK", path, body=LOCKINFO) for path in ("missing/new", "/dav/", "x" * 256)),
    *(
        case(method, "c", {"Destination": f"/dav/store/me/{end}"})
        for method in MOVING
        for end in ("c", "c/d", "", "a/b")
    ),
    *(case(method, "missing", {"Destination": "/dav/store/me/new"}) for method in MOVING),
    *(case(method, "a") for method in MOVING),
    *(case(method, "a", {"Destination": "/dav/store/me/c", "Overwrite": "F"}) for method in MOVING),
    *(case(method, "c", {"Destination": "/dav/store/me/new", "Depth": "1"}) for method in MOVING),
    *(case("LOCK", "a", {"Depth": "1"}, LOCKINFO) for _ in "1"),
    case("PROPFIND", "/", {"Depth": "infinity"}),
    case("PUT", "new", {"Content-Length": "100"}, "x"),
    case("PUT", "new", dict([CHUNKED])),
    case("GET", "a", {"Content-Length": "5", "Transfer-Encoding": "chunked"}),
    *(Case("GET", "a", ((name, "x"), (name, "x"))) for name in ("Host", "Content-Length", "Transfer-Encoding")),
    Case("GET", "a", tuple((f"X-{number}", "x" * 100) for number in range(10_000))),
    Case("GET", "a", (("X-Many", "y"),) * 10_000),
]
FOREIGN: Final = (
    "http://other.example/b",
    "https://127.0.0.1:1/dav/store/me/b",
    "/dav/store/you/b",
    "/elsewhere",
    "ftp://x/y",
)


def refused() -> Iterator[Case]:
    """Yield the requests that must be refused and change nothing."""
    for method, target in itertools.product(GOOD, TARGETS):
        if target not in (LISTED if method in ("GET", "HEAD", "PROPFIND") else ()) and not (
            method == "OPTIONS" and target in UNMAPPED | LISTED
        ):
            yield GOOD[method]._replace(path=target)
    for name, (methods, values) in FIELDS.items():
        for method, value in itertools.product(methods, values):
            yield GOOD[method].with_field(name, value)
    for method, document in itertools.product(WITH_XML, BROKEN):
        broken = GOOD[method]._replace(body=document)
        yield broken
        if len(document) < 50_000:
            yield broken.chunked(7 if len(document) < 100 else 1_000)
    for method, doctype in itertools.product(WITH_XML, DOCTYPES):
        yield GOOD[method]._replace(body=doctype.encode() + GOOD[method].body)
    yield from ASKED
    yield from OTHERS
    for chunks, method in itertools.product(CHUNKS, ("PUT", "PROPFIND", "DELETE")):
        yield GOOD[method]._replace(fields=(XML_TYPE, CHUNKED), body=chunks)
    for method, value in itertools.product(MOVING, FOREIGN):
        yield case(method, "a", {"Destination": value})


JUNK: Final = (
    *(
        "",
        " ",
        "\t",
        "\xff\x80",
        "x" * 8_000,
        "9" * 5_000,
        "-1",
        "\x01",
        '"',
        '""',
        "%00",
        MARK,
        "(((",
        ",,,,",
        ";;;",
        "\x7f",
    ),
    *(
        "=?utf-8?b?w6Q=?=",
        "{}",
        "bytes=",
        "*",
        "T",
        "0",
        "infinity",
        "chunked",
        "close",
        "100-continue",
        "a=b, c=d",
        "<u:x>",
    ),
)
ODD_FIELDS: Final = (
    *FIELDS,
    *("If-Modified-Since", "If-Range", "Timeout", "Prefer", "Want-Repr-Digest", "Sync-Context", "Expect", "Connection"),
    *("Host", "Accept", "Accept-Encoding", "TE", "Trailer", "Upgrade", "Cookie", "X-Forwarded-For", "X-Forwarded-Host"),
    *(
        "X-Request-Id",
        "X-HTTP-Method-Override",
        "Translate",
        "User-Agent",
        "Referer",
        "Date",
        "Content_Length",
        "Proxy",
    ),
)


def odd() -> Iterator[Case]:
    """Yield good requests in a collection of their own, with any field set to anything."""
    numbers = itertools.count()
    for method, name in itertools.product(GOOD, ODD_FIELDS):
        for value in JUNK:
            number = next(numbers)
            good = GOOD[method]
            good = good._replace(path=f"odd/{number % 7}") if method in WRITES else good
            if "Destination" in dict(good.fields):
                good = good.with_field("Destination", f"/dav/store/me/odd/{number % 11}")
            if (name, value) != ("Content-Length", "0") or not good.body:  # those would be two requests
                yield good.with_field(name, value)


def encodings() -> Iterator[Case]:
    """Yield good requests with their XML in every form that XML may have."""
    for method in ("PROPFIND", "REPORT", "PROPPATCH"):
        good = GOOD[method]
        text = good.body.decode().replace("><", ">\r\n<!-- \xe4 --><?p i?><", 1)
        for encoding in ("utf-8", "utf-16", "iso-8859-1", "us-ascii", "windows-1252", "utf-8-sig"):
            declared = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}' standalone='yes'?>\n{text}"
            written = good._replace(body=declared.encode(encoding, "xmlcharrefreplace"))
            yield written
            yield written.chunked(1)
            yield written.with_field("Content-Type", f'text/xml; charset="{encoding}"')
