"""The one table of kinds: what a URL can name, and which methods and reports each kind has.

Allow, the DAV header, `D:supported-method-set`, `D:supported-report-set`, the handlers of `dispatch` and the 405s come
from it. Which live properties a kind has say the rows of `properties`.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from davstore.model.paths import Path
from davstore.protocol.dav import names
from davstore.protocol.urls import Fixed, Place


class Kind(enum.Enum):
    """The kinds of resources; properties and methods depend on them."""

    RESOURCE = "resource"
    COLLECTION = "collection"
    FIXED = "fixed collection"
    PRINCIPAL = "principal"


class Row(NamedTuple):
    """The methods of a kind, in the order of Allow, and its reports by Clark name (RFC 3253 §3.6).

    REPORT is everywhere, if only to say which reports are not supported.
    """

    methods: tuple[str, ...]
    reports: tuple[str, ...] = ()


_READ: Final = ("OPTIONS", "GET", "HEAD")
_NAMESPACE: Final = ("DELETE", "COPY", "MOVE")
_REST: Final = ("PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "REPORT")

TABLE: Final = {
    Kind.RESOURCE: Row((*_READ, "PUT", *_NAMESPACE, *_REST)),
    Kind.COLLECTION: Row((*_READ, *_NAMESPACE, *_REST), (names.SYNC_COLLECTION,)),
    Kind.FIXED: Row((*_READ, "PROPFIND", "REPORT")),
    Kind.PRINCIPAL: Row((*_READ, "PROPFIND", "REPORT")),
}
AT_ROOT: Final = tuple(method for method in TABLE[Kind.COLLECTION].methods if method not in ("DELETE", "MOVE"))
"""The methods of a store's root, which stays."""
UNMAPPED: Final = ("OPTIONS", "PUT", "MKCOL", "LOCK")
"""The methods of a URL in a store that names nothing."""
STORED: Final = frozenset({*TABLE[Kind.RESOURCE].methods, *TABLE[Kind.COLLECTION].methods, *UNMAPPED})
"""The methods of URLs in a store: only the store knows what one of them names."""
SAFE: Final = frozenset({*_READ, "PROPFIND", "REPORT"})
"""Those that change nothing (RFC 9110 §9.2.1, RFC 4918 §9.1, RFC 3253 §3.6)."""

_CLASSES: Final = {"1": "PROPFIND", "2": "LOCK", "3": "PROPFIND", "extended-mkcol": "MKCOL"}
"""Compliance classes, each with a method that it cannot be without (RFC 4918 §18, RFC 5689 §3.1)."""
COMPLIANCE: Final = ", ".join(name for name, method in _CLASSES.items() if method in STORED)
"""The DAV header."""


def allowed_at(place: Place | None) -> tuple[str, ...]:
    """Return what Allow says of a place: of one in a store, before it was looked at, what every resource has."""
    if place is None:
        return ()
    if isinstance(place, Path):
        return TABLE[Kind.COLLECTION].methods if place.names else AT_ROOT
    return TABLE[kind_of(place)].methods


def kind_of(place: Fixed) -> Kind:
    """Return the kind of a collection that is there by itself."""
    return Kind.PRINCIPAL if place.is_principal else Kind.FIXED
