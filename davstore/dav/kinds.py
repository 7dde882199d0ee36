"""The one table of kinds of resources, with the methods and reports of each.

Allow, the DAV header, `D:supported-method-set`, `D:supported-report-set`, the handlers of `dispatch` and the 405s come
from it. The rows of `properties` name the kinds that have a live property.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from davstore.model.enums import QuickEnum
from davstore.model.paths import PartPath, Path
from davstore.protocol.dav import names
from davstore.protocol.urls import Fixed, Place


class Kind(QuickEnum):
    """The kinds of resources; properties and methods depend on them."""

    RESOURCE = "resource"
    COLLECTION = "collection"
    FIXED = "fixed collection"
    PRINCIPAL = "principal"
    PART = "part of a message"


class Row(NamedTuple):
    """The methods of a kind, in the order of Allow, and its reports by Clark name (RFC 3253 §3.6).

    Every kind but a part has REPORT, if only to answer which reports are not supported.
    """

    methods: tuple[str, ...]
    reports: tuple[str, ...] = ()


_READ: Final = ("OPTIONS", "GET", "HEAD")
_NAMESPACE: Final = ("DELETE", "COPY", "MOVE")
_REST: Final = ("PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "REPORT")

_EXPAND: Final = (names.EXPAND_PROPERTY,)

KINDS: Final = {
    Kind.RESOURCE: Row((*_READ, "PUT", *_NAMESPACE, *_REST), _EXPAND),
    Kind.COLLECTION: Row((*_READ, *_NAMESPACE, *_REST), (names.SYNC_COLLECTION, names.EXPLAIN_SYNC, *_EXPAND)),
    Kind.FIXED: Row((*_READ, "PROPFIND", "REPORT"), _EXPAND),
    Kind.PRINCIPAL: Row((*_READ, "PROPFIND", "PROPPATCH", "REPORT"), _EXPAND),
    Kind.PART: Row((*_READ, "COPY", "PROPFIND")),
}
AT_ROOT: Final = tuple(method for method in KINDS[Kind.COLLECTION].methods if method not in ("DELETE", "MOVE"))
"""The methods of a store's root, which stays."""
UNMAPPED: Final = ("OPTIONS", "PUT", "MKCOL", "LOCK")
"""The methods of an unmapped URL in a store."""
STORE_METHODS: Final = frozenset({*KINDS[Kind.RESOURCE].methods, *KINDS[Kind.COLLECTION].methods, *UNMAPPED})
"""The methods of URLs in a store, mapped or not: only the store knows the kind of one."""
SAFE: Final = frozenset({*_READ, "PROPFIND", "REPORT"})
"""The safe methods (RFC 9110 §9.2.1, RFC 4918 §9.1, RFC 3253 §3.6)."""

_CLASSES: Final = {"1": "PROPFIND", "2": "LOCK", "3": "PROPFIND", "extended-mkcol": "MKCOL"}
"""Compliance classes, each with a method that it requires (RFC 4918 §18, RFC 5689 §3.1)."""
COMPLIANCE: Final = ", ".join(name for name, method in _CLASSES.items() if method in STORE_METHODS)
"""The DAV header."""


def allowed_at(place: Place | None) -> tuple[str, ...]:
    """Return the value of Allow for a place; for one in a store, whose kind is not known yet, the common methods."""
    if place is None:
        return ()
    if isinstance(place, Path):
        return KINDS[Kind.COLLECTION].methods if place.names else AT_ROOT
    return KINDS[Kind.PART if isinstance(place, PartPath) else kind_of(place)].methods


def kind_of(place: Fixed) -> Kind:
    """Return the kind of a fixed collection."""
    return Kind.PRINCIPAL if place.is_principal else Kind.FIXED
