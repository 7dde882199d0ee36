"""The body of REPORT `C:explain-access`, and what its answer tells of each method (docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from lxml import etree

from davstore.errors import Malformed, TooLarge
from davstore.protocol.dav import names, prop
from davstore.protocol.dav.acl import ShownAce, fewest, render_ace, render_privilege
from davstore.protocol.dav.elements import element, empty, href, text_element
from davstore.protocol.dav.names import CPM, clark

MOST_METHODS: Final = 100


class AccessQuery(NamedTuple):
    """The query of an explain-access report: the href of a principal, and methods, none for all."""

    principal: str
    methods: tuple[str, ...]
    context: None = None
    token: None = None


class ShownReason(NamedTuple):
    """A privilege that is needed of the resource at a path, the verdict in a word, and the entries that decide."""

    path: str
    privilege: int
    verdict: str
    entries: list[ShownAce]


def read(root: etree._Element, depth: int | None, _strict_depth: bool) -> AccessQuery:
    """Return the query. Raises Malformed: another Depth than 0, no principal or no href; TooLarge: many methods."""
    if depth != 0:
        raise Malformed("explain-access with a Depth other than 0")
    who = prop.only_child(prop.only_child(root, names.PRINCIPAL), names.HREF)
    methods = [_text(one) for one in root.iterchildren(names.METHOD)]
    if len(methods) > MOST_METHODS:
        raise TooLarge(f"more than {MOST_METHODS} methods")
    return AccessQuery(_text(who), tuple(dict.fromkeys(methods)))


def render_decisions(method: str, reasons: Iterable[ShownReason]) -> bytes:
    """Return `C:decisions` of a method: for each privilege that it needs where, the verdict, and the entries."""
    return element(clark(CPM, "decisions"), text_element(names.METHOD, method), *map(_render, reasons))


def _render(reason: ShownReason) -> bytes:
    privileges = map(render_privilege, fewest(reason.privilege))
    verdict = empty(clark(CPM, reason.verdict))
    content = (href(reason.path), *privileges, verdict, *map(render_ace, reason.entries))
    return element(clark(CPM, "decision"), *content)


def _text(one: etree._Element) -> str:
    text = (one.text or "").strip(" \t\r\n")
    if len(one) or not text:
        raise Malformed(f"{one.tag} holds text only")
    return text
