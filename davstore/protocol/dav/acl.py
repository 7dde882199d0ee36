"""Access control lists in XML (RFC 3744): the body of the ACL method, and the properties that tell of privileges.

An entry may have `C:expires` and `C:filter` beside what the RFC knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from lxml import etree

from davstore.errors import Malformed, UnsupportedFilter
from davstore.errors.rights import (
    DenyAfterGrant,
    InheritedAce,
    InvertedPrincipal,
    ProtectedAce,
    TooManyAces,
    UnsupportedPrivilege,
)
from davstore.model.acl import TREE, AskedAce, Kept, Supported, Word, each_supported
from davstore.model.where import Where
from davstore.protocol.dav import names, prop, where, xml
from davstore.protocol.dav.elements import element, empty, escape, href, marked, text_element
from davstore.protocol.dav.names import CPM, DAV, clark
from davstore.protocol.http.timestamps import parse_timestamp, render_timestamp

MOST_ACES: Final = 1_000
"""Entries of one resource, its own without those that it inherits."""
MOST_ELEMENTS: Final = 50_000
"""Of a request: as many entries as may be are longer than other bodies, and are written back as they were read."""

_ACE: Final = clark(DAV, "ace")
_INVERT: Final = clark(DAV, "invert")
_GRANT: Final = clark(DAV, "grant")
_DENY: Final = clark(DAV, "deny")
_PRIVILEGE: Final = clark(DAV, "privilege")
_PROTECTED: Final = clark(DAV, "protected")
_INHERITED: Final = clark(DAV, "inherited")
_EXPIRES: Final = clark(CPM, "expires")
_NEVER: Final = "never"
_ZONED: Final = re.compile(r".*(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII | re.DOTALL)
_WORDS: Final = {clark(DAV, word.value): word for word in Word if word is not Word.OWNER}
_PRINCIPALS: Final = frozenset({names.HREF, *_WORDS})


def _name(one: Supported) -> str:
    return clark(DAV if one.is_dav else CPM, one.name)


PRIVILEGES: Final = {_name(one): int(one.privilege) for one in each_supported()}
"""The bits of the privileges that are supported, by Clark name; those that contain others come first."""


def parse(body: bytes) -> list[AskedAce]:
    """Return the entries of the body of ACL (RFC 3744 §8.1), in order. Elements that are not known are ignored.

    Raises:
        Malformed: no `D:acl`; an entry without exactly one principal, and one grant or deny of one privilege at least;
            a time that is none, or has no zone.
        InvertedPrincipal, ProtectedAce, InheritedAce, UnsupportedPrivilege, TooManyAces, DenyAfterGrant: see there.
        UnsupportedFilter: see `where.parse`. Malformed, ExternalEntities, TooLarge: see `xml.parse`.
    """
    root = xml.parse(body, most_elements=MOST_ELEMENTS)
    if root is None or root.tag != names.ACL:
        raise Malformed("the body of ACL is no acl")
    found = list(root.iterchildren(_ACE))
    if len(found) > MOST_ACES:
        raise TooManyAces(f"{len(found)} entries")
    asked = [_ace(one) for one in found]
    if any(after.denies and not before.denies for before, after in pairwise(asked)):
        raise DenyAfterGrant
    return asked


def _ace(ace: etree._Element) -> AskedAce:
    tags = {str(child.tag) for child in ace}
    if _INVERT in tags:
        raise InvertedPrincipal
    if _PROTECTED in tags:
        raise ProtectedAce
    if _INHERITED in tags:
        raise InheritedAce
    who = _principal(prop.only_child(ace, names.PRINCIPAL))
    if (_GRANT in tags) == (_DENY in tags):
        raise Malformed("an entry that both grants and denies, or neither")
    denies = _DENY in tags
    bits = _privileges(prop.only_child(ace, _DENY if denies else _GRANT))
    return AskedAce(who, denies, bits, _expires(ace), _filter(ace))


def _principal(principal: etree._Element) -> str | Word:
    known = [child for child in principal if child.tag in _PRINCIPALS]
    if len(known) != 1:
        raise Malformed("a principal that is not exactly one")
    (one,) = known
    if one.tag == names.HREF:
        return _text(one)
    word = _WORDS[str(one.tag)]
    return Word.OWNER if word is Word.PROPERTY and [child.tag for child in one] == [names.OWNER] else word


def _privileges(given: etree._Element) -> int:
    found = [_privilege(one) for one in given.iterchildren(_PRIVILEGE)]
    if not found:
        raise Malformed(f"{given.tag} without a privilege")
    bits = 0
    for one in found:
        bits |= one
    return bits


def _privilege(privilege: etree._Element) -> int:
    if len(privilege) != 1:
        raise Malformed("a privilege that is not exactly one")
    bits = PRIVILEGES.get(str(privilege[0].tag))
    if bits is None:
        raise UnsupportedPrivilege(str(privilege[0].tag))
    return bits


def _expires(ace: etree._Element) -> int | Kept | None:
    if prop.first_child(ace, _EXPIRES) is None:
        return Kept.KEPT
    text = _text(prop.only_child(ace, _EXPIRES))
    if text == _NEVER:
        return None
    expires_us = parse_timestamp(text) if _ZONED.fullmatch(text) else None
    if expires_us is None:
        raise Malformed("an expiry that is neither a date with time and zone nor never")
    return expires_us


def _filter(ace: etree._Element) -> Where | Kept | None:
    if prop.first_child(ace, names.FILTER) is None:
        return Kept.KEPT
    held = list(prop.only_child(ace, names.FILTER))
    if not held:
        return None
    if [child.tag for child in held] != [names.WHERE]:
        raise UnsupportedFilter("the filter of an entry without exactly one where")
    return where.parse(held[0])


def _text(one: etree._Element) -> str:
    text = (one.text or "").strip(" \t\r\n")
    if len(one) or not text:
        raise Malformed(f"{one.tag} holds text only")
    return text


class ShownAce(NamedTuple):
    """An entry as `D:acl` tells it. who is the path of a principal, as `hrefs` rendered it, or a word.

    inherited is the path of the resource that it is inherited from.
    """

    who: str | Word
    denies: bool
    privileges: int
    expires_us: int | None = None
    filter: Where | None = None
    is_protected: bool = False
    inherited: str | None = None


def render_acl(entries: Iterable[ShownAce]) -> bytes:
    """Return `D:acl` (RFC 3744 §5.5)."""
    return element(names.ACL, *map(render_ace, entries))


def render_ace(ace: ShownAce) -> bytes:
    """Return `D:ace` (RFC 3744 §5.5)."""
    content = [
        element(names.PRINCIPAL, _render_who(ace.who)),
        element(_DENY if ace.denies else _GRANT, *map(render_privilege, fewest(ace.privileges))),
    ]
    if ace.is_protected:
        content.append(empty(_PROTECTED))
    if ace.inherited is not None:
        content.append(element(_INHERITED, href(ace.inherited)))
    if ace.expires_us is not None:
        content.append(text_element(_EXPIRES, render_timestamp(ace.expires_us)))
    if ace.filter is not None:
        content.append(element(names.FILTER, where.render(ace.filter)))
    return element(_ACE, *content)


def _render_who(who: str | Word) -> bytes:
    if isinstance(who, str):
        return href(who)
    return element(names.PROPERTY, empty(names.OWNER)) if who is Word.OWNER else empty(clark(DAV, who.value))


def render_privilege(name: str) -> bytes:
    """Return `D:privilege` with the privilege of a Clark name."""
    return element(_PRIVILEGE, empty(name))


@lru_cache(maxsize=1024)
def fewest(privileges: int) -> tuple[str, ...]:
    """Return the Clark names of privileges that have these bits together: few of them, the widest first."""
    found: list[str] = []
    lacking = privileges
    within = [(name, bits) for name, bits in PRIVILEGES.items() if not bits & ~privileges]
    while any(bits & lacking for _, bits in within):
        name, widest = max(within, key=lambda one: ((one[1] & lacking).bit_count(), -one[1].bit_count()))
        found.append(name)
        lacking &= ~widest
    return tuple(found)


@lru_cache(maxsize=1024)
def render_current_user_privilege_set(privileges: int) -> bytes:
    """Return `D:current-user-privilege-set`, with all that these bits hold, contained ones too (RFC 3744 §5.4)."""
    held = [name for name, bits in PRIVILEGES.items() if not bits & ~privileges]
    return element(names.CURRENT_USER_PRIVILEGE_SET, *map(render_privilege, held))


def render_lacks(lacks: Iterable[tuple[str, int]]) -> bytes:
    """Return the content of `D:need-privileges` (RFC 3744 §7.1.1): of each path that lacks bits, the narrowest of
    the privileges that have them.
    """
    return b"".join(
        element(clark(DAV, "resource"), href(path), render_privilege(_narrowest(privilege)))
        for path, privilege in lacks
    )


def _narrowest(privilege: int) -> str:
    containing = [name for name, bits in PRIVILEGES.items() if not privilege & ~bits]
    return min(containing, key=lambda name: PRIVILEGES[name].bit_count())


def _render_supported(one: Supported) -> bytes:
    return element(
        clark(DAV, "supported-privilege"),
        render_privilege(_name(one)),
        marked(clark(DAV, "description"), {"xml:lang": "en"}, escape(one.description)),
        *map(_render_supported, one.contains),
    )


SUPPORTED_PRIVILEGE_SET: Final = element(names.SUPPORTED_PRIVILEGE_SET, _render_supported(TREE))
"""The property of every resource (RFC 3744 §5.3); no privilege is abstract."""
ACL_RESTRICTIONS: Final = element(
    names.ACL_RESTRICTIONS, empty(clark(DAV, "no-invert")), empty(clark(DAV, "deny-before-grant"))
)
"""The property of every resource that has entries (RFC 3744 §5.6)."""
