"""PROPFIND and PROPPATCH."""

from __future__ import annotations

from tests.golden.bodies import LIVE, SHARED, including, lockinfo, patch, prop, propfind, removing, setting
from tests.golden.talk import Talk

DEPTHS = ({"Depth": "0"}, {"Depth": "1"}, {"Depth": "infinity"})
WINDOWS = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045"}
WIN32 = "Win32LastModifiedTime"
TIMES = {"X-OC-Mtime": "1000000000"}


def _tree(t: Talk) -> None:
    for path in ("c/", "c/d/", "empty/"):
        t.ask("MKCOL", path)
    t.ask("PUT", "c/a.txt", TIMES | {"Content-Type": 'text/plain; a="<&>"'}, "0123456789")
    t.ask("PUT", "c/no-type", {}, "")
    t.ask("PUT", "c/%C3%A4%20%26%20%3Cb%3E%20100%25%2B%27%3B.eml", TIMES, "x")
    t.ask("PUT", "c/d/summed", {"OC-Checksum": "SHA1:87acec17cd9dcd20a716cc2cf67417b71c8a7016"}, "0123456789")
    t.ask(
        "PROPPATCH", "c/a.txt", {}, patch(setting('<x:p a="1">v<x:q/></x:p><x:empty/><D:displayname>A</D:displayname>'))
    )
    t.ask("PROPPATCH", "c/", {}, patch(setting("<x:p>of c</x:p>")))


def propfinds(t: Talk) -> None:
    """Every kind of question at every depth."""
    _tree(t)
    questions = {
        "no body": "",
        "allprop": propfind("<D:allprop/>"),
        "propname": propfind("<D:propname/>"),
        "prop": prop("D:getetag", "D:resourcetype", "x:p", "x:missing"),
        "include": including("D:owner", "O:checksums", "x:p", "x:missing", "C:modseq"),
    }
    for kind, body in questions.items():
        t.note(kind)
        for path, depths in (("c/", DEPTHS), ("c/a.txt", DEPTHS), ("empty/", DEPTHS[1:2]), ("c/d", DEPTHS[1:2])):
            for depth in depths:
                t.ask("PROPFIND", path, depth, body)
    t.note("what clients ask most, by row")
    usual = prop(
        "D:resourcetype", "D:getcontentlength", "D:getetag", "D:getlastmodified", "D:getcontenttype", "D:displayname"
    )
    t.ask("PROPFIND", "c/", DEPTHS[1], usual)
    t.ask("PROPFIND", "/dav//store/%70ropfinds/c//", DEPTHS[1], usual)
    t.ask("PROPFIND", "c/", {}, usual)
    t.note("Prefer")
    for value in ("return=minimal", "depth-noroot", "return=minimal, depth-noroot", "return=representation", "x"):
        for depth in DEPTHS[:2]:
            t.ask("PROPFIND", "c/", depth | {"Prefer": value}, prop("D:getetag", "x:p"))
    t.note("Windows")
    for depth in DEPTHS[:2]:
        t.ask("PROPFIND", "c/", depth | WINDOWS)
    t.ask("PROPFIND", "c/", DEPTHS[1] | WINDOWS, prop("D:getetag"))
    t.note("conditions, and what is not there")
    t.ask("PROPFIND", "c/", DEPTHS[0] | {"If": '(["x"])'})
    t.ask("PROPFIND", "c/", DEPTHS[0] | {"If": '(Not ["x"])'}, prop("D:getetag"))
    for path in ("missing", "missing/", "c/a.txt/", "c/a.txt?part=1", "/dav/store/other/", "/dav/store/propfinds?v=2"):
        t.ask("PROPFIND", path, DEPTHS[0], prop("D:getetag"))
    for value in ("2", "", "1,noroot", "INFINITY"):
        t.ask("PROPFIND", "empty/", {"Depth": value}, prop("D:getetag"))
    for name in range(30):
        t.ask("PUT", f"empty/{name}", TIMES, "")
    t.ask("PROPFIND", "", DEPTHS[2], prop("D:getetag"))
    t.ask("PROPFIND", "empty/", DEPTHS[1], prop("D:getetag"))


def live(t: Talk) -> None:
    """Each property that the server knows, of each kind of resource."""
    _tree(t)
    every = prop(*LIVE)
    principal = f"/dav/principals/users/{t.user}/"
    for path in ("", "c", "c/a.txt", "c/no-type", "c/d/summed", "/", "/dav/", "/dav/store/", principal):
        t.ask("PROPFIND", path, DEPTHS[0], every)
    t.ask("PROPFIND", "", DEPTHS[2], every)
    t.note("as a device")
    t.ask("PROPFIND", "c/a.txt", DEPTHS[0], every, who="live/phone")
    t.ask("PROPFIND", "/dav/principals/devices/live/phone/", DEPTHS[0], every, who="live/phone")
    t.note("one by one")
    for name in LIVE:
        t.ask("PROPFIND", "c/", DEPTHS[1], prop(name))
    t.note("while locks are held")
    t.ask("LOCK", "c/a.txt", DEPTHS[0], lockinfo(SHARED))
    t.ask("LOCK", "c/", DEPTHS[2], lockinfo(SHARED))
    t.ask("PROPFIND", "c/", DEPTHS[1], prop("D:lockdiscovery"))
    t.ask("PROPFIND", "c/", DEPTHS[1])


def proppatches(t: Talk) -> None:
    """Properties of clients, those of the server, and requests that hold both."""
    t.ask("MKCOL", "c/")
    t.ask("PUT", "a", {}, "0123456789")
    shown = prop(
        "x:p",
        "x:q",
        "x:r",
        "D:displayname",
        "D:getcontentlanguage",
        "D:getlastmodified",
        "D:lastmodified",
        "O:checksums",
    )
    for path in ("a", "c", "c/", ""):
        t.ask("PROPPATCH", path, {}, patch(setting("<x:p>1</x:p><x:q><x:r/> text &amp; more </x:q>"), removing("x:r")))
        t.ask("PROPFIND", path, DEPTHS[0], shown)
    t.note("instructions in order")
    t.ask(
        "PROPPATCH", "a", {}, patch(setting("<x:p>1</x:p>"), removing("x:p"), setting("<x:p>2</x:p>"), removing("x:q"))
    )
    t.ask("PROPFIND", "a", DEPTHS[0], shown)
    t.ask("PROPPATCH", "a", {}, patch(setting('<x:p xml:lang="de"><y xmlns=""/></x:p>')))
    t.ask("PROPFIND", "a", DEPTHS[0], shown)
    t.note("live ones that a client may set")
    for content in (
        "<D:displayname>A name</D:displayname><D:getcontentlanguage>de</D:getcontentlanguage>",
        "<D:lastmodified>1000000000</D:lastmodified>",
        "<D:getlastmodified>Sun, 09 Sep 2001 01:46:41 GMT</D:getlastmodified>",
        "<D:lastmodified>no time</D:lastmodified><x:p>3</x:p>",
        "<O:checksums>SHA1:87acec17cd9dcd20a716cc2cf67417b71c8a7016</O:checksums>",
        "<O:checksums>SHA1:0000000000000000000000000000000000000000</O:checksums>",
        "<O:checksums>junk</O:checksums>",
        f"<Z:{WIN32} xmlns:Z='urn:schemas-microsoft-com:'>Sun, 09 Sep 2001 01:46:42 GMT</Z:{WIN32}>",
    ):
        t.ask("PROPPATCH", "a", {}, patch(setting(content)))
        t.ask("PROPFIND", "a", DEPTHS[0], shown)
    t.note("protected ones, alone and with others: all or nothing")
    for content in (
        "<D:getetag>1</D:getetag>",
        "<C:anything/>",
        "<D:not-yet/>",
        "<x:p>4</x:p><D:resourcetype/><D:owner/>",
    ):
        t.ask("PROPPATCH", "a", {}, patch(setting(content)))
    t.ask("PROPPATCH", "a", {}, patch(removing("D:getetag", "x:p", "D:lastmodified", "C:modseq")))
    t.ask(
        "PROPPATCH",
        "a",
        {},
        patch(setting("<x:p>5</x:p><D:lastmodified>x</D:lastmodified><D:getetag/>"), removing("x:q")),
    )
    t.ask("PROPFIND", "a", DEPTHS[0], shown)
    t.note("more than may be")
    t.ask("PROPPATCH", "a", {}, patch(setting("".join(f"<x:n{number}/>" for number in range(8)))))
    t.ask("PROPPATCH", "a", {}, patch(setting(f"<x:p>{'v' * 70_000}</x:p>")))
    t.ask("PROPPATCH", "a", {}, patch(setting(f"<x:{'n' * 300}/>")))
    t.note("Prefer, conditions, places")
    t.ask("PROPPATCH", "a", {"Prefer": "return=minimal"}, patch(setting("<x:p>6</x:p>")))
    t.ask("PROPPATCH", "a", {"Prefer": "return=minimal"}, patch(setting("<D:getetag/>")))
    t.ask("PROPPATCH", "c", {"Depth": "1", "Prefer": "return=minimal"}, patch(setting("<x:p>6</x:p>")))
    t.ask("PROPPATCH", "a", {"If-Match": '"x"'}, patch(setting("<x:p>7</x:p>")))
    t.ask("PROPPATCH", "a", {"If": '(["x"])'}, patch(setting("<x:p>7</x:p>")))
    for path in ("missing", "a/", "/dav/", "/dav/store/other/a", f"/dav/principals/users/{t.user}/"):
        t.ask("PROPPATCH", path, {}, patch(setting("<x:p>8</x:p>")))
    for body in ("", "<x/>", patch(), patch("<D:set/>"), patch("<D:other/>"), patch(setting(""))):
        t.ask("PROPPATCH", "a", {}, body)


def states(t: Talk) -> None:
    """Flags and keywords, and conditions on the number of the last change."""
    t.ask("MKCOL", "c/")
    for name in ("c/a", "c/b"):
        t.ask("PUT", name, TIMES, name)
    flags = ("seen", "answered", "forwarded", "draft", "flagged", "deleted", "read-report-sent")
    names = [f"C:{flag}" for flag in flags]
    shown = prop("D:getetag", "C:modseq", *names)
    for name in names:
        t.ask("PROPPATCH", "c/a", {}, patch(setting(f"<{name}>T</{name}>")))
    t.ask("PROPFIND", "c/", DEPTHS[1], shown)
    t.ask("PROPPATCH", "c/a", {}, patch(removing(*names[1:]), setting("<C:draft> T\n</C:draft><x:p>1</x:p>")))
    t.ask("PROPFIND", "c/", DEPTHS[1], shown)
    t.note("keywords")
    work, late = (f'<{word} xmlns="urn:davstore:cpm:keyword">T</{word}>' for word in ("Work", "late"))
    t.ask("PROPPATCH", "c/b", {}, patch(setting(f"{work}{late}<C:seen>T</C:seen>")))
    t.ask("PROPFIND", "c/b", DEPTHS[0], propfind("<D:propname/>"))
    t.ask("PROPFIND", "c/", DEPTHS[1], propfind(f"<D:prop><C:seen/>{work}{late}</D:prop>"))
    t.note("what is no state")
    for path, content in (
        ("c/a", "<C:seen>F</C:seen><x:p>2</x:p>"),
        ("c/a", "<C:seen/>"),
        ("c/", "<C:seen>T</C:seen><x:p>2</x:p>"),
        ("", work),
        ("/dav/", "<C:seen>T</C:seen>"),
    ):
        t.ask("PROPPATCH", path, {}, patch(setting(content)))
    t.ask("PROPPATCH", "c/", {}, patch(removing("C:seen", "x:p")))
    t.note("conditions")
    for condition in ("(<urn:davstore:modseq:1>)", "(Not <urn:davstore:modseq:1>)", "(<urn:davstore:modseq:x>)"):
        t.ask("PROPPATCH", "c/a", {"If": condition}, patch(setting("<C:flagged>T</C:flagged>")))
    t.note("copies and other bodies")
    t.ask("COPY", "c/b", {"Destination": f"{t.home}c/copy"})
    t.ask("PUT", "c/b", TIMES, "other")
    t.ask("PROPFIND", "c/", DEPTHS[1], shown)


def preferences(t: Talk) -> None:
    """The preferences of a user and of its device, and what a device is told then."""
    user, phone = f"/dav/principals/users/{t.user}/", f"/dav/principals/devices/{t.user}/phone/"
    t.ask("MKCOL", "Archive/")
    wanted = (
        "<C:automatic>F</C:automatic><C:bearer-not>cellular-roaming</C:bearer-not>"
        '<C:window zone="Europe/Berlin">00:00-24:00</C:window><C:max-age>P30D</C:max-age>'
        f"<C:exclude><D:href>/dav/store/{t.user}/Archive/</D:href></C:exclude>"
    )
    for path, content in ((user, "<C:list-only>T</C:list-only>"), (phone, wanted)):
        value = f"<C:sync-preferences>{content}</C:sync-preferences>"
        t.ask("PROPPATCH", path, {}, patch(setting(value)))
        t.ask("PROPFIND", path, DEPTHS[0], prop("C:sync-preferences", "C:effective-sync-policy"))
    t.ask("PROPFIND", "", DEPTHS[1], prop("D:resourcetype"), who=f"{t.user}/phone")
    by_hand = {"Sync-Context": "mode=manual"}
    t.ask("PROPFIND", "", DEPTHS[1] | by_hand, prop("D:resourcetype"), who=f"{t.user}/phone")
    t.ask("PROPFIND", "Archive/", DEPTHS[1] | by_hand, prop("D:resourcetype"), who=f"{t.user}/phone")
    t.note("what is refused")
    for content in ("<C:window>1-2</C:window>", "<C:allowed>T</C:allowed>", "<D:where/>"):
        value = f"<C:sync-preferences>{content}</C:sync-preferences>"
        t.ask("PROPPATCH", phone, {}, patch(setting(f"{value}<x:p>1</x:p>"), removing("x:q")))
    t.ask("PROPPATCH", user, {}, patch(removing("C:sync-preferences")), who=f"{t.user}/phone")
    t.ask("PROPPATCH", user, {}, patch(removing("C:sync-preferences")))
    t.ask("PROPFIND", user, DEPTHS[0], prop("C:sync-preferences", "C:effective-sync-policy"))
