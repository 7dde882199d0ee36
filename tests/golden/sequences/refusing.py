"""Who may ask, what can be asked where, and what no server can answer as sent."""

from __future__ import annotations

import base64
import shutil

from tests.golden.bodies import D, lockinfo, mkcol, patch, prop, setting, sync
from tests.golden.talk import Talk

HTML = {"Accept": "text/html"}
METHODS = (
    "OPTIONS",
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "REPORT",
)
WRITES = ("PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK")
OTHERS = ("POST", "PATCH", "TRACE", "ACL", "SEARCH", "BIND", "BREW", "CONNECT", "get", "G@T", "G" * 100)


def fixed_places(t: Talk) -> None:
    """The collections that are there by themselves, and every method on them."""
    principal = f"/dav/principals/users/{t.user}/"
    places = ("/", "/dav/", "/dav/store/", "/dav/principals/", "/dav/principals/users/", principal)
    for path in (*places, "/dav/principals/devices/", f"/dav/principals/devices/{t.user}/", "/dav/store"):
        for depth in ("0", "1"):
            t.ask("PROPFIND", path, {"Depth": depth})
        t.ask("PROPFIND", path, {"Depth": "1"}, prop("D:displayname", "D:getetag", "D:resourcetype"))
    t.ask("PROPFIND", "/dav/", {"Depth": "0"}, f"<D:propfind {D}><D:propname/></D:propfind>")
    t.ask("PROPFIND", principal, {"Depth": "0"}, f"<D:propfind {D}><D:propname/></D:propfind>")
    t.ask("PROPFIND", "/dav/store/", {"Depth": "1", "Prefer": "depth-noroot, return=minimal"}, prop("D:getetag"))
    for path in ("/", "/dav/store/"):
        t.ask("PROPFIND", path, {"Depth": "infinity"})
        t.ask("PROPFIND", path, {"If": '(["x"])', "Depth": "0"})
    for path in (
        "/x",
        "/dav/x/",
        "/dav/store/other/",
        "/dav/principals/users/other/",
        "/dav/principals/groups/",
        f"{principal}x",
    ):
        t.ask("PROPFIND", path, {"Depth": "0"})
    t.note("every method")
    for path in ("/", "/dav/store/", principal):
        for method in (*METHODS, "POST", "PATCH"):
            t.ask(method, path, {"Destination": f"{t.home}x", "Lock-Token": "<urn:x:y>", "Depth": "0"})
    t.note("as a device")
    for path in (
        "/dav/principals/devices/",
        "/dav/principals/devices/fixed_places/",
        "/dav/principals/devices/fixed_places/phone/",
    ):
        t.ask("PROPFIND", path, {"Depth": "1"}, who="fixed_places/phone")
    t.ask("PROPFIND", "/dav/principals/devices/fixed_places/phone/", {"Depth": "0"})
    t.note("open to anybody")
    for path in ("/healthz", "/readyz", "/.well-known/davstore", "/.well-known/davstore/", "/.well-known/caldav"):
        for method in ("GET", "HEAD", "PROPFIND"):
            t.ask(method, path, who="")


def methods(t: Talk) -> None:
    """Methods that are unknown, those that no resource has, and bodies that a method does not take."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "a", {}, "0123456789")
    for path in ("a", "c/", "missing", "", "/dav/store/other/"):
        for method in OTHERS:
            t.ask(method, path)
    for method in METHODS:
        t.ask(method, "c/", {"Content-Length": "3", "Destination": f"{t.home}x", "Lock-Token": "<urn:x:y>"}, "xyz")
    for method in METHODS:
        t.ask(method, "missing/x/", {"Destination": f"{t.home}x", "Lock-Token": "<urn:x:y>"})


def targets(t: Talk) -> None:
    """Request targets: spellings of the same, and those that name nothing."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "c/%C3%A4", {}, "0123456789")
    for target in (
        *("/dav/store/targets/c/%C3%A4", "/dav/store/targets/c/%c3%a4", "/dav//store/targets///c/%C3%A4"),
        *(
            "/d%61v/store/t%61rgets/c/%C3%A4",
            f"http://{t.host}/dav/store/targets/c/%C3%A4",
            "/dav/store/targets/c/\xc3\xa4",
        ),
        *("http://elsewhere.example/dav/store/targets/c/%C3%A4", "/dav/store/TARGETS/c/", "/DAV/store/targets/c/"),
        *(
            "/dav/store/targets/c/../c/",
            "/dav/store/targets/c/%2e%2e/c/",
            "/dav/store/targets/./c/",
            "/dav/store/targets/c%2Fx",
        ),
        *(
            "/dav/store/targets/%00",
            "/dav/store/targets/%0a",
            "/dav/store/targets/%7f",
            "/dav/store/targets/%",
            "/dav/store/targets/%fg",
        ),
        *(
            "/dav/store/targets/%ff",
            "/dav/store/targets/%c0%ae",
            "/dav/store/targets/%ed%a0%80",
            "/dav/store/targets/c#x",
        ),
        *(
            "ftp://x/dav/",
            "!dav/",
            "!?",
            "!*",
            "!http://",
            "/dav/store/targets/" + "x/" * 1_001,
            "/" + "x" * 16_300,
            "/" + "x" * 17_000,
        ),
    ):
        for method in ("PROPFIND", "GET"):
            t.ask(method, target, {"Depth": "0"}, prop("D:getetag") if method == "PROPFIND" else "")
    for query in ("v=2", "part=1", "preview", "add", "x=1&part=1", "%70art=1", "sort=x", "", "=", "&&"):
        for path in ("c/", "c/%C3%A4"):
            t.ask("GET", f"{path}?{query}")
        t.ask("PUT", f"new?{query}", {}, "x")
        t.ask("PROPFIND", f"c/?{query}", {"Depth": "1"}, prop("D:getetag"))
    for host in ("", "other.example", "a b", f"{t.host},{t.host}", "user@host", "[::1]:80"):
        t.ask("GET", "c/", {"Host": host})


def xml(t: Talk) -> None:
    """Bodies that are no XML, more than may be, or another document."""
    t.ask("PUT", "a", {}, "0123456789")
    requests = (("PROPFIND", ""), ("REPORT", ""), ("PROPPATCH", "a"), ("MKCOL", "new/"), ("LOCK", "a"))
    for body in (
        *("<", "x", "<x>", "<x/>", "<a:x/>", "<x/><y/>", " ", "<x>&y;</x>", "<!DOCTYPE x><x/>", "<x a='1' a='2'/>"),
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        "<?xml version='1.0' encoding='no-such'?><x/>",
        "<x>" * 300 + "</x>" * 300,
        "<x>" + "<y/>" * 10_001 + "</x>",
        "<x>" + "y" * 300_000 + "</x>",
        "<x>" + "y" * (1 << 20) + "</x>",
    ):
        for method, path in requests:
            t.ask(method, path, {"Content-Type": "application/xml", "Depth": "0"}, body)
    t.note("in other encodings, with comments, in chunks")
    asked = f"<D:propfind {D}><!-- \xe4 --><?p i?><D:prop><D:getetag/></D:prop></D:propfind>"
    for encoding in ("utf-8", "utf-16", "iso-8859-1"):
        t.ask("PROPFIND", "a", {"Depth": "0"}, f"<?xml version='1.0' encoding='{encoding}'?>{asked}".encode(encoding))
    for body in ("", "<D:prop/><D:allprop/>", "<D:prop/><D:prop/>", "<D:propname/><D:include/>", "<D:x/><D:allprop/>"):
        t.ask("PROPFIND", "a", {"Depth": "0"}, f"<D:propfind {D}>{body}</D:propfind>")
    chunks = f"5\r\n{asked[:5]}\r\n{len(asked.encode()) - 5:x}\r\n{asked[5:]}\r\n0\r\n\r\n"
    t.ask("PROPFIND", "a", {"Depth": "0", "Transfer-Encoding": "chunked"}, chunks)
    t.ask("PROPFIND", "a", {"Depth": "0", "Content-Length": "1000"}, asked)


def strangers(t: Talk) -> None:
    """Others' stores, whatever is asked."""
    t.ask("PUT", "/dav/store/other/a", {}, "x", who="other")
    for path in ("a", "", "missing/", "a?part=1"):
        for method in METHODS:
            body = {"PROPFIND": prop("D:getetag"), "REPORT": sync(), "PROPPATCH": patch(setting("<x:p/>"))}.get(
                method, ""
            )
            t.ask(method, f"/dav/store/other/{path}", {"Destination": f"{t.home}x", "Lock-Token": "<urn:x:y>"}, body)
    t.ask("MKCOL", "/dav/store/nobody/c/", {"Content-Type": "application/xml"}, mkcol())
    t.ask("LOCK", "/dav/store/other/a", {}, lockinfo())
    t.ask("GET", "/dav/store/other/a", HTML)
    t.ask("GET", "/dav/store/strangers/a", who="other")


def signing_in(t: Talk) -> None:
    """Without credentials, with wrong ones, with a device's, too often."""
    t.ask("PUT", "a", {}, "0123456789")
    for method, path in (("GET", "a"), ("PROPFIND", ""), ("PUT", "b"), ("OPTIONS", "a"), ("BREW", "a"), ("GET", "/x")):
        t.ask(method, path, {"Depth": "0"}, who="")
    t.ask("GET", "a", HTML, who="")
    t.ask("HEAD", "a", who="")
    t.note("credentials that cannot be read")
    for value in (
        "",
        "Basic",
        "Basic !!!",
        "Basic bWU=",
        "Basic /////w==",
        "Digest x",
        "Bearer",
        "Bearer dvs_0_0",
        "Negotiate x",
    ):
        t.ask("GET", "a", {"Authorization": value})
    t.note("a device, by both schemes, and with the name of another user")
    t.ask("GET", "a", who="signing_in/phone")
    for user in ("signing_in", "other", "nobody"):
        t.ask("GET", "a", who=f"{user}:signing_in/phone")
    t.note("wrong passwords, of one that is there and of one that is not")
    for user in ("signing_in", "nobody"):
        for number in range(6):
            t.ask("GET", "a", {"Authorization": _basic(user, f"guess {number}")})
    t.note("nobody waits who signed in before, or with a device")
    t.ask("GET", "a", {"Authorization": _basic("signing_in", "another guess")} | HTML)
    t.ask("GET", "a")
    t.ask("GET", "a", who="signing_in/phone")


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def quota(t: Talk) -> None:
    """A store with room for 3,000 bytes."""
    shown = prop("D:quota-available-bytes", "D:quota-used-bytes")
    t.ask("PROPFIND", "", {"Depth": "0"}, shown)
    t.ask("PUT", "a", {}, "x" * 1_000)
    t.ask("PROPFIND", "", {"Depth": "0"}, shown)
    t.ask("PUT", "b", {}, "x" * 3_000)
    t.ask("PUT", "b", {"Transfer-Encoding": "chunked"}, "bb8\r\n" + "x" * 3_000 + "\r\n0\r\n\r\n")
    t.ask("PUT", "b", {"X-Expected-Entity-Length": "100000", "Transfer-Encoding": "chunked"}, "1\r\nx\r\n0\r\n\r\n")
    t.ask("COPY", "a", {"Destination": f"{t.home}b"})
    t.ask("COPY", "a", {"Destination": f"{t.home}c"})
    t.ask(
        "PROPPATCH",
        "a",
        {},
        patch(setting(f"<x:p>{'v' * 3_000}</x:p>"), "<D:remove><D:prop><x:q/></D:prop></D:remove>"),
    )
    t.ask("MKCOL", "d/", {"Content-Type": "application/xml"}, mkcol(f"<x:p>{'v' * 3_000}</x:p>"))
    for number in range(6):
        t.ask("MKCOL", f"d{number}/")
    t.ask("LOCK", "locked", {}, lockinfo())
    t.ask("PUT", "a", {}, "less")
    t.ask("PROPFIND", "", {"Depth": "0"}, shown)
    t.ask("GET", "", HTML)
    t.ask("DELETE", "a")
    t.ask("PUT", "e", {}, "x" * 100)


def limits(t: Talk) -> None:
    """A tree that is too large for one request."""
    t.ask("MKCOL", "c/")
    t.ask("MKCOL", "e/")
    for number in range(12):
        t.ask("PUT", f"c/{number}", {}, "x")
    t.ask("COPY", "c/", {"Destination": f"{t.home}d/"})
    t.ask("MOVE", "e/", {"Destination": f"{t.home}c/"})
    t.ask("DELETE", "c/")
    t.ask("MOVE", "c/", {"Destination": f"{t.home}d/"})
    t.ask("DELETE", "d/0")
    t.ask("DELETE", "d/")


def unavailable(t: Talk) -> None:
    """A policy that cannot be read, and a body that is lost: last, for the server is not what it was."""
    policy = t.directory / "policy.toml"
    text = policy.read_text()
    for content in ("[[rule]]\nname = 3\n", text):
        policy.write_text(content)
        t.ask("GET", "/readyz", who="")
        t.ask("GET", "/readyz", HTML, who="")
        t.ask("GET", "/healthz", who="")
    t.ask("PUT", "large", {}, "0123456789" * 30_000)
    t.ask("PUT", "small", {}, "0123456789")
    shutil.rmtree(t.directory / "data" / "blobs")
    t.ask("GET", "large")
    t.ask("GET", "large", HTML)
    t.ask("GET", "large", {"Range": "bytes=0-9"})
    t.ask("HEAD", "large")
    t.ask("GET", "small")
