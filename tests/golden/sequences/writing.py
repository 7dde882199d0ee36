"""PUT, DELETE, MKCOL, COPY and MOVE."""

from __future__ import annotations

import base64
import hashlib

from tests.golden.bodies import mkcol, prop, setting
from tests.golden.talk import Talk

XML = {"Content-Type": "application/xml"}
BODY = "0123456789"
SHA256 = base64.b64encode(hashlib.sha256(BODY.encode()).digest()).decode()
SHA1 = hashlib.sha1(BODY.encode()).hexdigest()


def put(t: Talk) -> None:
    """New, over another, and where nothing can be."""
    t.ask("MKCOL", "c/")
    etag = t.ask("PUT", "a", {}, BODY).headers["ETag"]
    t.ask("PUT", "a", {}, "other")
    t.ask("PUT", "a", {}, BODY)
    t.ask("PUT", "c/chunked", {"Transfer-Encoding": "chunked"}, "3\r\n012\r\n7\r\n3456789\r\n0\r\n\r\n")
    t.ask("GET", "c/chunked")
    for path in ("c", "c/", "", "new/", "missing/a", "a/b", "a/", "x" * 256, "%C3%A4" * 127 + "a", "%C3%A4" * 128):
        t.ask("PUT", path, {}, BODY)
    for path in (
        "/",
        "/dav/",
        "/dav/store/",
        "/dav/x",
        "/dav/store/other/a",
        f"/dav/principals/users/{t.user}/",
        "a?add",
    ):
        t.ask("PUT", path, {}, BODY)
    t.note("conditions")
    for fields in ({"If-None-Match": "*"}, {"If-Match": '"x"'}, {"If-None-Match": etag}, {"If-Match": etag}):
        t.ask("PUT", "a", fields, BODY)
    for fields in ({"If-Match": "*"}, {"If-Match": '"x"'}, {"If-None-Match": "*"}, {"If-None-Match": "*"}):
        t.ask("PUT", "new", fields, BODY)
    t.note("what a PUT does not take")
    for fields in (
        {"Content-Range": "bytes 0-9/10"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity"},
        {"Content-Type": "x" * 256},
        {"Content-Type": "text/\xe4"},
        {"Content-Length": "-1"},
        {"Content-Length": "1" * 18},
        {"Content-Length": "1" * 15},
        {"Content-Length": "100"},
        {"Expect": "something"},
    ):
        t.ask("PUT", "b", fields, BODY)
    t.ask("PUT", "b", {"Expect": "100-continue"}, BODY)
    t.note("times of a client")
    for value in ("1000000000", "1000000000.7", "-1.5", "0", "no time", "99999999999999", ""):
        t.ask("PUT", "timed", {"X-OC-Mtime": value}, value)
        t.ask("HEAD", "timed")
    t.note("a client that wants to see what is there")
    wish = {"Prefer": "return=representation"}
    t.ask("PUT", "a", wish, "wished")
    t.ask("PUT", "wished", wish, "wished")
    t.ask("PUT", "a", wish | {"If-Match": '"x"'}, "refused")
    t.ask("PUT", "missing", wish | {"If-Match": '"x"'}, "refused")
    t.ask("PUT", "a", {"Prefer": "return=minimal"}, "minimal")


def digests(t: Talk) -> None:
    """What the headers of a PUT promise of its body, and what is remembered of it."""
    for number, (name, value) in enumerate(
        (
            ("Repr-Digest", f"sha-256=:{SHA256}:"),
            ("Repr-Digest", f"sha-256=:{'A' * 43}=:"),
            ("Repr-Digest", "sha-256=x"),
            ("Repr-Digest", "md5=:x:"),
            ("Content-Digest", f"sha-256=:{SHA256}:"),
            ("Content-Digest", f"sha-256=:{'A' * 43}=:"),
            ("OC-Checksum", f"SHA1:{SHA1}"),
            ("OC-Checksum", f"sha1:{SHA1.upper()}"),
            ("OC-Checksum", "SHA1:" + "0" * 40),
            ("OC-Checksum", "SHA1:zz"),
            ("OC-Checksum", "ADLER32:12345678"),
            ("X-Expected-Entity-Length", "10"),
            ("X-Expected-Entity-Length", "11"),
            ("X-Expected-Entity-Length", "x"),
        )
    ):
        t.ask("PUT", f"{number}", {name: value}, BODY)
        t.ask("GET", f"{number}")
        t.ask("PROPFIND", f"{number}", {"Depth": "0"}, prop("O:checksums"))
    t.ask("PUT", "both", {"Repr-Digest": f"sha-256=:{SHA256}:", "Content-Digest": f"sha-256=:{'A' * 43}=:"}, BODY)
    t.note("checksums follow a copy and a move, and go with another body")
    t.ask("COPY", "6", {"Destination": f"{t.home}copy"})
    t.ask("GET", "copy")
    t.ask("MOVE", "copy", {"Destination": f"{t.home}moved"})
    t.ask("GET", "moved")
    t.ask("PUT", "moved", {}, "other")
    t.ask("GET", "moved")


def collections(t: Talk) -> None:
    """MKCOL, plain and extended."""
    for path in ("c", "c", "c/d/", "missing/d/", "", "x" * 256, "/dav/", "/dav/new/", "/dav/store/other/c/"):
        t.ask("MKCOL", path)
    t.ask("PUT", "a", {}, BODY)
    for path in ("a", "a/b/"):
        t.ask("MKCOL", path)
    t.ask("MKCOL", "plain/", {"Content-Type": "text/plain"}, "a body")
    t.ask("MKCOL", "if/", {"If-Match": "*"})
    t.ask("MKCOL", "if/", {"If-None-Match": "*"})
    t.note("extended")
    t.ask("MKCOL", "e1/", XML, mkcol())
    t.ask("MKCOL", "e2", XML, mkcol("<D:displayname>A name</D:displayname><x:a>1</x:a><x:b><x:c/></x:b>"))
    t.ask("MKCOL", "e3/", XML | {"Prefer": "return=minimal"}, mkcol("<x:a>1</x:a>"))
    t.ask("PROPFIND", "e2/", {"Depth": "0"}, prop("D:displayname", "x:a", "x:b", "D:resourcetype"))
    t.ask("MKCOL", "e4/", {"Content-Type": "text/xml; charset=utf-8"}, mkcol())
    t.ask("MKCOL", "e5/", XML, mkcol("<D:getetag>1</D:getetag><x:a>1</x:a>"))
    t.ask("MKCOL", "e5/", XML, mkcol(kind="<D:collection/><x:kind/>"))
    t.ask("MKCOL", "e5/", XML, mkcol(kind=""))
    t.ask("MKCOL", "e5/", XML, mkcol("<D:lastmodified>1000000000</D:lastmodified>"))
    t.ask("MKCOL", "e6/", XML, mkcol("".join(f"<x:p{number}/>" for number in range(7))))
    for body in ("<D:mkcol", '<D:mkcol xmlns:D="DAV:"/>', '<D:other xmlns:D="DAV:"/>', f"<x>{setting('')}</x>"):
        t.ask("MKCOL", "e7/", XML, body)
    t.ask("PROPFIND", "", {"Depth": "1"}, prop("D:resourcetype"))


def deleting(t: Talk) -> None:
    """DELETE."""
    for path in ("c/", "c/d/", "e/", "f/"):
        t.ask("MKCOL", path)
    for path in ("a", "b", "c/a", "c/d/a"):
        t.ask("PUT", path, {}, BODY)
    t.ask("DELETE", "a")
    t.ask("DELETE", "a")
    for fields in ({"Depth": "0"}, {"Depth": "1"}, {"Depth": "2"}, {"Depth": "infinity"}):
        t.ask("DELETE", "c/", fields)
    t.ask("DELETE", "e")
    t.ask("DELETE", "b", {"Depth": "0"})
    t.ask("DELETE", "f/", {"Content-Type": "text/plain"}, "a body")
    t.ask("DELETE", "f/", {"If-Match": '"x"'})
    t.ask("DELETE", "f/", {"If-Match": "*"})
    for path in ("", "/", "/dav/store/", "/dav/store/other/a", "missing/a", f"/dav/principals/users/{t.user}/"):
        t.ask("DELETE", path)


def copying(t: Talk) -> None:
    """COPY, and what does not come along."""
    _tree(t)
    _place(t, "COPY")
    t.ask("COPY", "c/", {"Destination": f"{t.home}flat/", "Depth": "0"})
    t.ask("COPY", "c/", {"Destination": f"{t.home}one/", "Depth": "1"})
    t.ask("COPY", "", {"Destination": f"{t.home}self/"})
    t.ask("COPY", "c/", {"Destination": f"{t.home}c/d/e/"})
    t.ask("PROPFIND", "", {"Depth": "infinity"}, prop("x:p", "D:getcontentlength"))


def moving(t: Talk) -> None:
    """MOVE, and what comes along."""
    _tree(t)
    _place(t, "MOVE")
    t.ask("MOVE", "c/", {"Destination": f"{t.home}flat/", "Depth": "0"})
    t.ask("MOVE", "c/", {"Destination": f"{t.home}one/", "Depth": "infinity"})
    t.ask("MOVE", "", {"Destination": f"{t.home}self/"})
    t.ask("PROPFIND", "", {"Depth": "infinity"}, prop("x:p", "D:getcontentlength"))


def _tree(t: Talk) -> None:
    for path in ("c/", "c/d/", "e/"):
        t.ask("MKCOL", path)
    for path in ("a", "b", "c/a", "c/d/a"):
        t.ask("PUT", path, {}, f"body of {path}")
    t.ask(
        "PROPPATCH",
        "a",
        {},
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{setting("<x:p>v</x:p>")}</D:propertyupdate>',
    )


def _place(t: Talk, method: str) -> None:
    """Send a method to every place there is."""
    home = t.home
    t.note("onto a new URL, over others, and kept from it")
    for source, target, fields in (
        ("a", "new", {}),
        ("new" if method == "MOVE" else "a", "b", {"Overwrite": "F"}),
        ("new" if method == "MOVE" else "a", "b", {"Overwrite": "T"}),
        ("b", "b", {}),
        ("b", "e", {}),
        ("e" if method == "MOVE" else "b", "e2", {"Overwrite": "x"}),
        ("c", "c/d/inside", {}),
        ("c/d/", "c", {}),
        ("c/a", "missing/a", {}),
        ("missing", "z", {}),
        ("c/a", "x" * 256, {}),
        ("c/a", "c/d/", {"Overwrite": "F"}),
        ("c/a", "slash/", {}),
        ("c/d", "d2", {"Content-Length": "0"}),
        ("c/a", "prefers", {"Prefer": "return=representation"}),
        ("c/a" if method == "COPY" else "prefers", "timed", {"X-OC-Mtime": "1000000000"}),
    ):
        t.ask(method, source, {"Destination": home + target, **fields})
    t.note("destinations")
    for value in (
        f"http://{t.host}{home}abs",
        f"https://{t.host}{home}tls",
        f"http://me:secret@{t.host}{home}with-user",
        f"http://other.example{home}x",
        f"ftp://{t.host}{home}x",
        "/dav/store/other/x",
        "/dav/",
        "/elsewhere",
        "relative",
        "",
        f"{home}../x",
        f"{home}%2e%2e/x",
        f"{home}x#fragment",
        f"{home}x?add",
        f"{home}x?v=2",
        f"{home}%ff",
        f"{home}%C3%A4%20%26",
        f"//{home.lstrip('/')}twice",
        home,
    ):
        t.ask(method, "timed", {"Destination": value})
        if method == "MOVE":
            t.ask("PUT", "timed", {}, "again")
    t.ask(method, "timed")
    t.ask(method, "timed", {"Destination": f"{home}y", "Content-Type": "text/plain"}, "a body")
    t.ask(method, "timed", {"Destination": f"{home}y", "If-Match": '"x"'})
    t.ask(method, "/dav/store/", {"Destination": f"{home}y"})
