"""The URL space (protocol.md B.0): a user's store, and the fixed collections that lead to it.

A principal sees its own store and its own entries; whatever belongs to others is not there (DECISIONS 19).
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from davstore.errors import ForeignDestination, Malformed, NotFound
from davstore.model.paths import Path
from davstore.model.principals import Principal
from davstore.protocol.dav.hrefs import Target, parse_destination
from davstore.protocol.http.queries import names_sub_resource

STORES = ("dav", "store")
PRINCIPALS = ("dav", "principals")


class Kind(enum.Enum):
    """What a URL names; properties and methods depend on it."""

    RESOURCE = "resource"
    COLLECTION = "collection"
    FIXED = "fixed collection"
    PRINCIPAL = "principal"


class Fixed(NamedTuple):
    """A collection that is there by itself: the names of its members, and whether it is a principal."""

    segments: tuple[str, ...]
    members: tuple[str, ...]
    kind: Kind = Kind.FIXED


def locate(target: Target, principal: Principal) -> Path | Fixed:
    """Return what a request target names.

    Raises:
        NotFound: nothing, or nothing that this principal may know of; a sub-resource, of which there are none yet.
    """
    if target.query and names_sub_resource(target.query):
        raise NotFound("a sub-resource")
    path = to_path(target)
    if path is not None:
        if path.store != principal.user.name:
            raise NotFound("another store")
        return path
    return find_fixed(target.segments, principal)


def to_path(target: Target) -> Path | None:
    """Return the place in a store, anybody's, that the path of a target names; None when it names something else."""
    names = target.segments
    if len(names) > len(STORES) and names[: len(STORES)] == STORES:
        return Path(names[len(STORES)], names[len(STORES) + 1 :])
    return None


def locate_destination(value: str | None, principal: Principal, *, host: str | None, prefix: tuple[str, ...]) -> Path:
    """Return where COPY and MOVE go to (RFC 4918 §10.3); host and prefix are those of the client's URLs.

    Raises:
        Malformed: no Destination, one that cannot be read, or a sub-resource, to which nothing can be copied.
        ForeignDestination: not in the principal's store; whether it exists is not told (DECISIONS 33).
    """
    if value is None:
        raise Malformed("no Destination")
    target = parse_destination(value, host=host, prefix=prefix)
    path = to_path(target)
    if target.query and names_sub_resource(target.query):
        raise Malformed("a Destination that is a sub-resource")
    if path is None or path.store != principal.user.name:
        raise ForeignDestination("not in this store")
    return path


def store_root(principal: Principal) -> tuple[str, ...]:
    """Return the segments of the principal's store."""
    return (*STORES, principal.user.name)


def principal_segments(principal: Principal) -> tuple[str, ...]:
    """Return the segments of who asks as a principal: the device when there is one, else the user (DECISIONS 32)."""
    user, device = principal.user.name, principal.device
    if device is not None:
        return (*PRINCIPALS, "devices", user, device.name)
    return user_segments(user)


def user_segments(user: str) -> tuple[str, ...]:
    """Return the segments of a user as a principal."""
    return (*PRINCIPALS, "users", user)


def find_fixed(segments: tuple[str, ...], principal: Principal) -> Fixed:
    """Return the fixed collection of that name.

    Raises:
        NotFound: there is none.
    """
    user = principal.user.name
    devices = (principal.device.name,) if principal.device else ()
    tree = [
        Fixed((), ("dav",)),
        Fixed(("dav",), ("store", "principals")),
        Fixed(STORES, (user,)),
        Fixed(PRINCIPALS, ("users", "devices")),
        Fixed((*PRINCIPALS, "users"), (user,)),
        Fixed((*PRINCIPALS, "users", user), (), Kind.PRINCIPAL),
        Fixed((*PRINCIPALS, "devices"), (user,)),
        Fixed((*PRINCIPALS, "devices", user), devices),
        *(Fixed((*PRINCIPALS, "devices", user, name), (), Kind.PRINCIPAL) for name in devices),
    ]
    for place in tree:
        if place.segments == segments:
            return place
    raise NotFound("no such place")


_PROPERTIES = ("PROPFIND", "PROPPATCH")
_LOCKS = ("LOCK", "UNLOCK")
ALLOWED = {
    Kind.RESOURCE: ("OPTIONS", "GET", "HEAD", "PUT", "DELETE", "COPY", "MOVE", *_PROPERTIES, *_LOCKS, "REPORT"),
    Kind.COLLECTION: ("OPTIONS", "GET", "HEAD", "DELETE", "COPY", "MOVE", *_PROPERTIES, *_LOCKS, "REPORT"),
    Kind.FIXED: ("OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT"),
    Kind.PRINCIPAL: ("OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT"),
}
"""The methods of each kind. REPORT is everywhere, if only to say which reports are not supported (RFC 3253 §3.6)."""
ALLOWED_UNMAPPED = ("OPTIONS", "PUT", "MKCOL", "LOCK")
ALLOWED_ROOT = tuple(method for method in ALLOWED[Kind.COLLECTION] if method not in ("DELETE", "MOVE"))
"""The root of a store stays."""
