"""The body of LOCK, the Timeout and Lock-Token headers, and the elements of locks (RFC 4918 §9.10, §10.5–10.7)."""

from __future__ import annotations

import re
from typing import Final

from davstore.errors import Malformed, TooLarge
from davstore.model.locks import Lock, LockInfo, LockScope
from davstore.protocol.dav import names, prop, xml
from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES, element, empty, href, text_element

MAX_OWNER_BYTES: Final = 1024
"""Enough for a name and a mail address in any form: a listing repeats those of 20 locks for each member."""

_SCOPES: Final = {"{DAV:}exclusive": LockScope.EXCLUSIVE, "{DAV:}shared": LockScope.SHARED}
_SECONDS: Final = re.compile(r"[Ss]econd-([0-9]{1,18})")
_CODED_URL: Final = re.compile(r"<([^<>\s]+)>|([^<>\s]+)")

SUPPORTED: Final = element(
    names.SUPPORTEDLOCK,
    *(
        element(
            "{DAV:}lockentry",
            element(names.LOCKSCOPE, empty(scope)),
            element(names.LOCKTYPE, empty(names.WRITE)),
        )
        for scope in _SCOPES
    ),
)
"""The kinds of locks that are supported (RFC 4918 §15.10)."""


def parse(body: bytes) -> LockInfo | None:
    """Return the request of a LOCK; None without a body, which refreshes.

    Raises:
        Malformed, ExternalEntities: see `xml.parse`; or not a lockinfo with one scope and the type write.
        TooLarge: as `xml.parse`; an owner above 1 KiB.
    """
    root = xml.parse(body)
    if root is None:
        return None
    if root.tag != names.LOCKINFO:
        raise Malformed("the body is not a lockinfo")
    scopes = [_SCOPES[str(one.tag)] for one in prop.only_child(root, names.LOCKSCOPE) if one.tag in _SCOPES]
    types = [one.tag for one in prop.only_child(root, names.LOCKTYPE)]
    if len(scopes) != 1 or names.WRITE not in types:
        raise Malformed("a lockinfo asks for an exclusive or a shared write lock")
    owners = root.findall(names.OWNER)
    if len(owners) > 1:
        raise Malformed("a lockinfo has one owner")
    owner = xml.standalone(owners[0]) if owners else None
    if owner is not None and len(owner) > MAX_OWNER_BYTES:
        raise TooLarge(f"an owner of {len(owner)} bytes")
    return LockInfo(scopes[0], owner)


def parse_timeout(value: str | None) -> int | None:
    """Return the seconds that a Timeout header asks for; None for infinite, without it, or if it cannot be read.

    Of several values the first counts (RFC 4918 §10.7): the server chooses the timeout anyway.
    """
    match = None if value is None else _SECONDS.fullmatch(value.partition(",")[0].strip(" \t"))
    return None if match is None else int(match[1])


def parse_lock_token(value: str | None) -> str:
    """Return the token of a Lock-Token header (RFC 4918 §10.5); some clients leave out its brackets.

    Raises:
        Malformed: there is none.
    """
    match = None if value is None else _CODED_URL.fullmatch(value.strip(" \t"))
    if match is None:
        raise Malformed("no lock token")
    return match[1] or match[2]


def render_active(lock: Lock, *, root: str, seconds: int, shown: bool) -> bytes:
    """Return `D:activelock` (RFC 4918 §14.1); shown says whether the token is in it (§20.7)."""
    return element(
        "{DAV:}activelock",
        element(names.LOCKSCOPE, empty(f"{{DAV:}}{lock.scope.value}")),
        element(names.LOCKTYPE, empty(names.WRITE)),
        text_element("{DAV:}depth", "infinity" if lock.infinite else "0"),
        lock.owner or b"",
        text_element("{DAV:}timeout", f"Second-{seconds}"),
        element("{DAV:}locktoken", text_element("{DAV:}href", lock.token)) if shown else b"",
        element("{DAV:}lockroot", href(root)),
    )


def render_granted(discovery: bytes) -> bytes:
    """Return the body of a LOCK that succeeded, around its `D:lockdiscovery`."""
    return b"%b<D:prop%b>%b</D:prop>" % (DECLARATION, ROOT_NAMESPACES, discovery)
