"""REPORT: sync-collection, its pages and tokens, and what the policy says of it."""

from __future__ import annotations

from tests.golden.bodies import LIVE, MAIL, asked, expand, patch, prop, report, searching, setting, sync
from tests.golden.talk import Answer, Talk

PAGE = "number-of-matches-within-limits"
ALL = "".join(f"<{name}/>" for name in LIVE)
TABLET, WATCH, HALL, LOST, PHONE = (f"policy/{name}" for name in ("tablet", "watch", "hall", "lost", "phone"))


def reports(t: Talk) -> None:
    """A first report, and one after every kind of change."""
    for path in ("c/", "c/d/", "e/"):
        t.ask("MKCOL", path)
    for path in ("c/a", "c/d/a", "e/a", "%C3%A4%20%26"):
        t.ask("PUT", path, {}, "x")
    t.note("initial")
    token = t.ask("REPORT", "", {}, sync()).token
    shallow = t.ask("REPORT", "", {}, sync(level="1")).token
    part = t.ask("REPORT", "c", {}, sync(level="1", props=ALL)).token
    t.ask("REPORT", "c/", {"Depth": "0"}, sync(props=ALL))
    t.ask("REPORT", "e/", {"Depth": "1", "Prefer": "return=minimal"}, sync(props="<D:getetag/><D:displayname/>"))
    t.ask("REPORT", "e/", {}, sync(props=""))
    t.note("nothing changed")
    t.ask("REPORT", "", {}, sync(token))
    for what, requests in (
        ("a body", [("PUT", "c/a", {}, "new")]),
        ("a property", [("PROPPATCH", "c/d/a", {}, patch(setting("<x:p>1</x:p>")))]),
        ("a property of a collection", [("PROPPATCH", "c/d/", {}, patch(setting("<x:p>1</x:p>")))]),
        ("a new resource and one gone", [("PUT", "e/b", {}, "x"), ("DELETE", "e/a", {}, "")]),
        ("one that came and went", [("PUT", "brief", {}, "x"), ("DELETE", "brief", {}, "")]),
        ("a collection gone", [("DELETE", "e/", {}, "")]),
        ("a resource in its place", [("PUT", "e", {}, "x")]),
        ("a collection moved", [("MOVE", "c/d/", {"Destination": f"{t.home}f/"}, "")]),
        ("and what is in it changed", [("PUT", "f/a", {}, "changed"), ("PUT", "f/new", {}, "x")]),
        ("a collection copied", [("COPY", "f/", {"Destination": f"{t.home}g/"}, "")]),
        (
            "a collection renamed twice",
            [("MOVE", "g/", {"Destination": f"{t.home}h/"}, ""), ("MOVE", "h", {"Destination": f"{t.home}i"}, "")],
        ),
        ("one moved over another", [("MOVE", "c/a", {"Destination": f"{t.home}e"}, "")]),
        ("a lock, which is no change", [("LOCK", "f/a", {}, "")]),
    ):
        t.note(what)
        for request in requests:
            t.ask(*request)
        again = t.ask("REPORT", "", {}, sync(token, props="<D:getetag/><D:resourcetype/><C:modseq/>"))
        t.ask("REPORT", "", {}, sync(shallow, level="1"))
        t.ask("REPORT", "c/", {}, sync(part))
        token, shallow = again.token, t.ask("REPORT", "", {}, sync(shallow, level="1")).token
    t.note("from the first token, all of it")
    t.ask("REPORT", "", {}, sync(t.ask("REPORT", "", {}, sync()).token))


def page_by_page(t: Talk) -> None:
    """Reports that are longer than a page: of the server, and of the client's wish."""
    for path in ("a/", "a/b/", "a/b/c/", "z/"):
        t.ask("MKCOL", path)
    for number in range(4):
        for path in ("a/", "a/b/", "a/b/c/"):
            t.ask("PUT", f"{path}{number}", {}, "x")
    t.note("the first report, in pages of the server and in pages of three")
    first = _follow(t)
    _follow(t, limit=3)
    _follow(t, level="1", limit=2)
    t.note("removals, in pages of one")
    for path in ("a/0", "a/b/0", "a/b/c/0", "a/b/c/1"):
        t.ask("DELETE", path)
    _follow(t, first.token, limit=1)
    t.note("a tree that moved, in pages of four, while a member changes")
    moved = t.ask("REPORT", "", {}, sync(first.token, limit=100)).token
    t.ask("MOVE", "a/", {"Destination": f"{t.home}z/a/"})
    page = t.ask("REPORT", "", {}, sync(moved, limit=4))
    t.ask("PUT", "z/a/3", {}, "changed between two pages")
    _follow(t, page.token, limit=4)
    _follow(t, moved, level="1", limit=1)
    t.note("limits")
    for limit in ("0", "-1", "x", "", "99999999999999999999", "007", "<x/>"):
        t.ask("REPORT", "", {}, sync(moved, limit=limit))
    for more in ("<D:limit/>", "<D:limit><D:nresults>1</D:nresults><D:nresults>1</D:nresults></D:limit>"):
        t.ask("REPORT", "", {}, sync(moved, more=more))


def _follow(t: Talk, token: str = "", *, level: str = "infinite", limit: int | None = None) -> Answer:
    """Ask for page after page and return the last one."""
    while True:
        page = t.ask("REPORT", "", {}, sync(token, level=level, limit=limit, props="<D:getetag/>"))
        if PAGE not in page.body.decode():
            return page
        token = page.token


def bad_reports(t: Talk) -> None:
    """Tokens that are none, reports that are none, places that have none."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "a", {}, "x")
    token = t.ask("REPORT", "c/", {}, sync()).token
    t.note("tokens")
    head, _, number = token.rpartition(".")
    store, epoch, scope = head.split(".")[1:4]
    for value in (
        *("x", "http://example.com/1", "urn:davstore:sync:1.0.0.0.-.0", "9" * 5_000, f"{head}.{int(number) + 1}"),
        *(f"{head}.0{number}", f"{token}.0", f"{head}.-1", f"{token}x", token.upper(), f" {token} "),
        f"urn:davstore:sync:1.{store}.{epoch}.0123456789abcdef.-.{number}",
        f"urn:davstore:sync:2.{store}.{epoch}.{scope}.-.{number}",
        f"{token}.0.0.0.0",
        f"{token}.0.0.{int(number) + 1}.0",
    ):
        t.ask("REPORT", "c/", {}, sync(value))
    t.ask("REPORT", "", {}, sync(token))
    t.note("reports")
    for body in (
        *("", "<", '<D:expand-property xmlns:D="DAV:"/>', '<D:version-tree xmlns:D="DAV:"/>', "<x/>"),
        '<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav"/>',
        *(sync(level=level) for level in ("0", "Infinite", "", "<D:x/>")),
        sync(more="<C:filter/>"),
        sync(more="<C:context><C:mode>manual</C:mode><C:bearer>wifi</C:bearer></C:context>"),
        sync(more="<C:context><C:mode>sometimes</C:mode></C:context>"),
        sync(more="<D:sync-token/>"),
        sync().replace("<D:sync-level>infinite</D:sync-level>", ""),
        sync().replace("<D:prop><D:getetag/></D:prop>", ""),
        sync(more="<unknown/>"),
    ):
        t.ask("REPORT", "c/", {}, body)
    for fields in ({"Depth": "infinity"}, {"Depth": "2"}, {"Depth": "1"}, {"If": '(["x"])'}, {"If": f"(<{token}>)"}):
        t.ask("REPORT", "c/", fields, sync())
    for path in ("a", "missing/", "/", "/dav/", "/dav/store/", "/dav/store/other/", f"/dav/principals/users/{t.user}/"):
        t.ask("REPORT", path, {}, sync())


def expansions(t: Talk) -> None:
    """REPORT expand-property: RFC 3253 section 3.8."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "m%20%26.eml", {}, MAIL)
    t.ask("PUT", "media", {}, "x")
    inner = (asked("getcontenttype"), asked("getcontentlength"), asked("filename", namespace="urn:davstore:cpm"))
    parts = asked("parts", *inner, namespace="urn:davstore:cpm")
    me = asked("current-user-principal", asked("displayname"), asked("principal-URL", asked("resourcetype")))
    t.note("what a resource leads to")
    t.ask("REPORT", "m%20%26.eml", {}, expand(parts, asked("getetag"), asked("nothing")))
    t.ask(
        "REPORT", "m%20&.eml", {"Depth": "0", "Prefer": "return=minimal"}, expand(parts, asked("x", namespace="urn:x"))
    )
    t.ask("REPORT", "m%20&.eml", {}, expand(asked("parts", namespace="urn:davstore:cpm"), asked("owner")))
    for path in ("media", "c", "", "/", "/dav/store/", f"/dav/principals/users/{t.user}/"):
        t.ask("REPORT", path, {}, expand(parts, me, asked("owner", asked("displayname"))))
    t.ask("REPORT", "c/", {}, expand(asked("principal-collection-set", asked("resourcetype"), me)))
    t.note("what is no question")
    for body in (
        *(
            "",
            "<D:property/>",
            asked(""),
            asked("a b"),
            asked("x:y"),
            asked("a", namespace="http://www.w3.org/2000/xmlns/"),
        ),
        *(asked("n" * 256), "".join(asked(f"p{number}") for number in range(1_001))),
        "<D:property name='owner'>" * 9 + "</D:property>" * 9,
    ):
        t.ask("REPORT", "media", {}, expand(body))
    for fields in ({"Depth": "1"}, {"Depth": "infinity"}, {"If": '(["x"])'}):
        t.ask("REPORT", "media", fields, expand(me))
    for path in ("missing", "m%20&.eml?part=1", "/dav/store/other/", "/dav/principals/users/other/"):
        t.ask("REPORT", path, {}, expand(me))


def principals(t: Talk) -> None:
    """The reports on principals: RFC 3744 section 9."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "c/a", {}, "x")
    top, name, mine = "/dav/principals/", "<D:prop><D:displayname/></D:prop>", "<D:self/>"
    owned = "<D:principal-property><D:owner/></D:principal-property>"
    t.note("those that the asker is, and what it owns")
    for path, by in ((top, mine), (top, mine + name), ("", owned), ("c", owned + name), ("/dav/store/", owned)):
        t.ask("REPORT", path, {}, report("principal-match", by))
    t.note("those that are found")
    for text in (t.user, t.user[1:4].upper(), "other", "othe", "nobody"):
        t.ask("REPORT", top, {}, report("principal-property-search", searching(text) + name))
    t.ask("REPORT", top, {}, report("principal-search-property-set"))
    t.note("those of entries")
    for path in ("c/a", "missing", "/dav/store/other/"):
        t.ask("REPORT", path, {}, report("acl-principal-prop-set", name))
    t.note("why one may do something")
    who = "<D:principal><D:href>/dav/principals/users/{}/</D:href></D:principal><C:method>PUT</C:method>"
    for path, user in (("c/a", t.user), ("c/a", "other"), ("missing", "other"), ("c/a", "nobody")):
        t.ask("REPORT", path, {}, report("C:explain-access", who.format(user)))
    t.note("what is no question")
    for words in ("principal-match", "principal-property-search"):
        t.ask("REPORT", top, {}, report(words))
    for path, words in (("c/a", mine), (f"{top}users/{t.user}/", mine), (f"{top}users/other/", mine)):
        t.ask("REPORT", path, {}, report("principal-match", words))
    for depth in ("1", "infinity"):
        t.ask("REPORT", top, {"Depth": depth}, report("principal-search-property-set"))


def policy(t: Talk) -> None:
    """What the provider's rules say to devices, and to whom they say nothing."""
    for path in ("archive/", "archive/2024/", "notes/", "notes/raw/"):
        t.ask("MKCOL", path)
        t.ask("PUT", f"{path}file", {}, "x")
    t.note("a folder that is excluded")
    for path in ("archive/", "archive/2024", "notes/raw/", "notes/", ""):
        t.ask("REPORT", path, {}, sync(), who=TABLET)
        t.ask("PROPFIND", path, {"Depth": "1"}, prop("D:getetag"), who=TABLET)
    for accept in ("*/*", "text/html", "text/plain"):
        t.ask("GET", "archive/", {"Accept": accept}, who=TABLET)
        t.ask("HEAD", "archive/", {"Accept": accept}, who=TABLET)
    for method, path, depth in (
        ("GET", "archive/file", ""),
        ("PROPFIND", "archive/", "0"),
        ("OPTIONS", "archive/", ""),
    ):
        t.ask(method, path, {"Depth": depth} if depth else {}, who=TABLET)
    t.ask("PUT", "archive/new", {}, "x", who=TABLET)
    t.note("a device that may not, and one that its user has to tell")
    t.ask("REPORT", "", {}, sync(), who=LOST)
    t.ask("PROPFIND", "", {"Depth": "infinity"}, prop("D:getetag"), who=LOST)
    t.ask("GET", "", {"Accept": "text/html"}, who=LOST)
    for value in ("mode=manual, bearer=wifi", "mode=automatic", "bearer=wifi", "mode=sometimes", "mode=(", ""):
        t.ask("REPORT", "notes/", {"Sync-Context": value}, sync(), who=HALL)
    manual = "<C:context><C:mode>manual</C:mode></C:context>"
    t.ask("REPORT", "notes/", {"Sync-Context": "mode=automatic"}, sync(more=manual), who=HALL)
    t.ask("PROPFIND", "notes/", {"Depth": "1", "Sync-Context": "mode=manual"}, prop("D:getetag"), who=HALL)
    t.note("an interval: the next page is never early, a lost answer is free twice")
    page = t.ask("REPORT", "notes/", {}, sync(limit=1), who=WATCH)
    last = t.ask("REPORT", "notes/", {}, sync(page.token), who=WATCH)
    for _ in range(3):
        t.ask("REPORT", "notes/", {}, sync(last.token), who=WATCH)
    t.ask("PROPFIND", "archive/", {"Depth": "1"}, prop("D:getetag"), who=WATCH)
    t.ask("PROPFIND", "archive/", {"Depth": "1"}, prop("D:getetag"), who=WATCH)
    t.ask("GET", "archive/", {"Accept": "text/html"}, who=WATCH)
    t.ask("HEAD", "archive/", who=WATCH)
    t.ask("PUT", "archive/watched", {}, "x", who=WATCH)
    t.note("whom no rule names, and a person")
    t.ask("REPORT", "archive/", {}, sync(), who=PHONE)
    t.ask("PROPFIND", "archive/", {"Depth": "1"}, prop("D:getetag"), who=PHONE)
    t.ask("REPORT", "archive/", {}, sync())
    t.note("a rule has the word before a body that cannot be read, and others' stores are not there for it")
    t.ask("REPORT", "archive/", {}, "<x/>", who=TABLET)
    t.ask("REPORT", "archive/", {}, sync("garbled"), who=TABLET)
    t.ask("REPORT", "/dav/store/other/", {}, sync(), who=LOST)
    t.ask("SEARCH", "archive/", {}, "<x/>", who=LOST)
    t.ask("SEARCH", "archive/", {}, "<x/>")
