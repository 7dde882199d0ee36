"""Many resources at once: operations on what is named or selected."""

from __future__ import annotations

from tests.golden.bodies import MAIL, NAMESPACES, lockinfo, setting
from tests.golden.talk import Answer, Talk

XML = {"Content-Type": "application/xml"}
SEEN = setting("<C:seen>T</C:seen>")
UNSEEN = "<D:where><D:not><D:is-defined><D:prop><C:seen/></D:prop></D:is-defined></D:not></D:where>"


def operations(t: Talk) -> None:
    """POST of `C:bulk-update` and `C:bulk-delete`."""
    for path in ("c/", "c/d/", "e/"):
        t.ask("MKCOL", path)
    for path in ("c/a", "c/b%20%26", "c/d/x", "e/x"):
        t.ask("PUT", path, {}, MAIL)
    t.note("states of what is named, wherever it is")
    named = _named(t, "c/a", "c/%61", "c/b%20&amp;", "c/d", "c/no", "c/", "e/x", "c/a?part=2", "c/no?part=1")
    elsewhere = "<D:href>http://elsewhere.example/x</D:href><D:href>/dav/store/nobody/x</D:href>"
    _post(t, "update", f"{named}{elsewhere}{SEEN}")
    _post(t, "update", f"{_named(t, 'c/a', 'c/d/x')}{setting('<C:flagged>yes</C:flagged><C:draft>T</C:draft>')}")
    t.note("of what a condition selects")
    _post(t, "update", f"{UNSEEN}{SEEN}")
    _post(t, "update", f"{UNSEEN}{SEEN}", path="")
    t.note("all or nothing")
    _post(t, "delete", _named(t, "c/a", "c/no"), Prefer="handling=strict")
    t.note("among locks")
    lock = t.ask("LOCK", "c/d/", {"Depth": "infinity"}, lockinfo()).lock
    _post(t, "delete", _named(t, "c/d/x", "c/b%20&amp;"))
    _post(t, "delete", _named(t, "c/d/x"), If=f"<{t.home}c/d/> ({lock})")
    t.note("what cannot be done")
    for content in (
        "",
        f"{_named(t, 'c/a')}{UNSEEN}",
        "<D:href>c/a</D:href>",
        "<D:where><D:contains>x</D:contains></D:where>",
    ):
        _post(t, "delete", content)
    _post(t, "update", _named(t, "c/a"))
    _post(t, "create", _named(t, "c/a"))
    for path, fields in (("c/a", XML), ("c/no/", XML), ("c/", {}), ("c/", {"Content-Type": "text/plain"})):
        t.ask("POST", path, fields, f"<C:bulk-delete {NAMESPACES}>{_named(t, 'c/a')}</C:bulk-delete>")
    t.note("trees")
    _post(t, "delete", _named(t, "c", "e/x", "e/"), path="")


def _named(t: Talk, *paths: str) -> str:
    return "".join(f"<D:href>{t.home}{path}</D:href>" for path in paths)


def _post(t: Talk, operation: str, content: str, path: str = "c/", **fields: str) -> Answer:
    return t.ask("POST", path, {**XML, **fields}, f"<C:bulk-{operation} {NAMESPACES}>{content}</C:bulk-{operation}>")
