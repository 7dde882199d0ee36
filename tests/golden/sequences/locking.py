"""LOCK, UNLOCK and the `If` header."""

from __future__ import annotations

from tests.golden.bodies import EXCLUSIVE, SHARED, lockinfo, patch, prop, setting, sync
from tests.golden.talk import Talk

ZERO = {"Depth": "0"}
GUESS = "<urn:davstore:lock:guess>"


def locks(t: Talk) -> None:
    """A lock from its beginning to its end, on each kind of place."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "a", {}, "0123456789")
    t.note("exclusive")
    token = t.ask("LOCK", "a", ZERO | {"Timeout": "Second-600"}, lockinfo(owner="<D:href>me &amp; you</D:href>")).lock
    t.ask("PROPFIND", "a", ZERO, prop("D:lockdiscovery", "D:supportedlock"))
    t.ask("LOCK", "a", ZERO, lockinfo())
    t.ask("LOCK", "a", ZERO, lockinfo(SHARED))
    _writes(t, "a", "0123456789")
    t.ask("GET", "a")
    t.note("with its token")
    t.ask("PUT", "a", {"If": f"({token})"}, "held")
    t.ask("PUT", "a", {"Lock-Token": token}, "as Word does")
    t.ask("PROPPATCH", "a", {"If": f"({token})"}, patch(setting("<x:p>1</x:p>")))
    t.ask("COPY", "a", {"Destination": f"{t.home}copy"})
    t.note("refreshed")
    t.ask("LOCK", "a", {"If": f"({token})", "Timeout": "Second-120"})
    t.ask("LOCK", "a", {"If": f"({token})", "Timeout": "Infinite, Second-60"})
    t.ask("LOCK", "a", {"If": f"({GUESS})"})
    t.ask("LOCK", "a")
    t.ask("LOCK", "copy", {"If": f"({token})"})
    t.note("unlocked")
    for fields in (
        {"Lock-Token": GUESS},
        {},
        {"Lock-Token": "<"},
        {"Lock-Token": token.strip("<>")},
        {"Lock-Token": token},
    ):
        t.ask("UNLOCK", "a", fields)
    for path in ("c", "missing", "/dav/", ""):
        t.ask("UNLOCK", path, {"Lock-Token": token})
    t.ask("UNLOCK", "a", {"Lock-Token": token, "Content-Type": "text/plain"}, "a body")
    t.note("shared, and how many there may be")
    first = t.ask("LOCK", "a", ZERO, lockinfo(SHARED, "first")).lock
    second = t.ask("LOCK", "a", {}, lockinfo(SHARED, "second")).lock
    t.ask("LOCK", "a", ZERO, lockinfo(SHARED, "third"))
    t.ask("LOCK", "a", ZERO, lockinfo(EXCLUSIVE))
    t.ask("PROPFIND", "a", ZERO, prop("D:lockdiscovery"))
    t.ask("PUT", "a", {"If": f"({second})"}, "one of two")
    t.ask("UNLOCK", "a", {"Lock-Token": first})
    t.ask("UNLOCK", "a", {"Lock-Token": second})
    t.note("an unmapped URL becomes an empty resource")
    t.ask("LOCK", "new", {}, lockinfo())
    t.ask("GET", "new")
    for path in ("new/x", "fresh/", "missing/new", "x" * 256, "/dav/", "/dav/store/other/a"):
        t.ask("LOCK", path, {}, lockinfo())
    t.note("timeouts")
    values = ("Second-60", "Second-99999999", "Infinite", "Second-0", "junk", "")
    for value in values:
        granted = t.ask("LOCK", "timed", ZERO | {"Timeout": value}, lockinfo(SHARED))
        t.ask("UNLOCK", "timed", {"Lock-Token": granted.lock})
    t.note("what LOCK does not take")
    for body in (
        "<D:lockinfo",
        f"<D:other>{lockinfo()}</D:other>",
        lockinfo(EXCLUSIVE + SHARED),
        lockinfo(""),
        lockinfo().replace("<D:write/>", "<D:read/>"),
        lockinfo(owner="o" * 5_000),
    ):
        t.ask("LOCK", "timed", ZERO, body)
    for value in ("1", "2", ""):
        t.ask("LOCK", "timed", {"Depth": value}, lockinfo())
    t.ask("LOCK", "timed", {"If-Match": '"x"'}, lockinfo())


def trees(t: Talk) -> None:
    """Locks of collections, and what they keep from being done beneath and around them."""
    for path in ("c/", "c/d/", "e/"):
        t.ask("MKCOL", path)
    for path in ("c/a", "c/d/a", "e/a"):
        t.ask("PUT", path, {}, "x")
    t.note("Depth infinity")
    token = t.ask("LOCK", "c", {}, lockinfo()).lock
    _writes(t, "c/d/a", "x")
    t.ask("PUT", "c/new", {}, "x")
    t.ask("PUT", "c/new", {"If": f"<{t.home}c/> ({token})"}, "x")
    t.ask("PUT", "c/new", {"If": f"<http://{t.host}{t.home}c> ({token})"}, "x")
    t.ask("PUT", "c/new", {"If": f"({token})"}, "y")
    t.ask("MKCOL", "c/k/", {"If": f"({token})"})
    t.ask("LOCK", "c/d/a", ZERO, lockinfo())
    t.ask("PROPFIND", "c/", {"Depth": "1"}, prop("D:lockdiscovery"))
    t.ask("MOVE", "e/a", {"Destination": f"{t.home}c/moved"})
    t.ask("MOVE", "e/a", {"Destination": f"{t.home}c/moved", "If": f"<{t.home}c/> ({token})"})
    t.ask("LOCK", "c/d/a", {"If": f"({token})"})
    t.ask("UNLOCK", "c/d/a", {"Lock-Token": token})
    t.note("Depth 0, a lock beneath, and one above")
    token = t.ask("LOCK", "c/", ZERO, lockinfo()).lock
    t.ask("PUT", "c/d/a", {}, "free")
    t.ask("PUT", "c/other", {}, "kept from it")
    t.ask("DELETE", "c/a")
    t.ask("UNLOCK", "c", {"Lock-Token": token})
    inner = t.ask("LOCK", "c/d/a", ZERO, lockinfo()).lock
    t.ask("LOCK", "c/", {}, lockinfo())
    t.ask("LOCK", "c/", ZERO, lockinfo())
    t.ask("DELETE", "c/")
    t.ask("MOVE", "c/", {"Destination": f"{t.home}f/"})
    t.ask("COPY", "e/", {"Destination": f"{t.home}c/"})
    t.ask("DELETE", "c/d/a", {"If": f"({inner})"})
    t.ask("PROPFIND", "c/d/", {"Depth": "1"}, prop("D:lockdiscovery"))
    t.note("more than one user may hold")
    for number in range(6):
        t.ask("LOCK", f"e/{number}", ZERO, lockinfo())


def conditions(t: Talk) -> None:
    """The `If` header: entity tags, lock tokens, sync tokens, tagged lists."""
    etag = t.ask("PUT", "a", {}, "0123456789").headers["ETag"]
    t.ask("MKCOL", "c/")
    t.ask("PUT", "c/a", {}, "x")
    token = t.ask("LOCK", "a", ZERO, lockinfo()).lock
    for value in (
        f"([{etag}])",
        f"({token} [{etag}])",
        f'({token} ["x"])',
        f'(["x"]) ({token})',
        f'({token} Not ["x"])',
        f"(Not {token})",
        "(Not <DAV:no-lock>)",
        f"(<DAV:no-lock>) ({token})",
        f"({token}) (Not <DAV:no-lock>)",
        f"<{t.home}a> ({token})",
        f"<{t.home}c/> ({token})",
        f'<{t.home}c/a> (["x"]) <{t.home}a> ({token})',
        f"<http://{t.host}{t.home}a> ({token} [{etag}])",
        f"<http://other.example{t.home}a> ({token})",
        f"({GUESS})",
        f"([W/{etag}])",
    ):
        t.ask("PROPPATCH", "a", {"If": value}, patch(setting("<x:p>1</x:p>")))
    for value in (
        "",
        "(",
        "()",
        "(Not)",
        "(<x>)",
        "</a>",
        f"({token}) x",
        f"({token}) <{t.home}a> ({token})",
        "(" * 9_000,
    ):
        t.ask("PUT", "a", {"If": value}, "x")
    t.note("readers need no token")
    for method in ("GET", "HEAD", "PROPFIND", "OPTIONS"):
        t.ask(method, "a", ZERO | {"If": f"({GUESS})"})
        t.ask(method, "a", ZERO | {"If": f"({token})"})
    t.note("a sync token of a collection is a state")
    state = t.ask("REPORT", "c/", {}, sync(props="")).token
    t.ask("PUT", "c/b", {"If": f"<{t.home}c/> (<{state}>)"}, "x")
    t.ask("PUT", "c/b", {"If": f"<{t.home}c/> (<{state}>)"}, "y")
    t.ask("PUT", "c/b", {"If": f"<{t.home}c/> (Not <{state}>)"}, "y")
    t.ask("DELETE", "c/", {"If": f"(<{state}>)"})


def _writes(t: Talk, path: str, body: str) -> None:
    """Ask for everything that a lock keeps others from."""
    t.ask("PUT", path, {}, body)
    t.ask("PUT", path, {"If": f"({GUESS})"}, body)
    t.ask("PROPPATCH", path, {}, patch(setting("<x:p>1</x:p>")))
    t.ask("DELETE", path)
    t.ask("MOVE", path, {"Destination": f"{t.home}away"})
    t.ask("COPY", "e/a" if path.startswith("c/") else path, {"Destination": f"{t.home}{path}"})
