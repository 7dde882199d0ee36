"""The one table of kinds of resources, with the methods and reports of each.

Allow, the DAV header, `D:supported-method-set`, `D:supported-report-set`, the handlers of `dispatch` and the 405s come
from it, without what belongs to a function that is switched off. The rows of `properties` name the kinds that have a
live property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from davstore.model.enums import QuickEnum
from davstore.model.functions import ALL, Function, Functions
from davstore.model.paths import AddPath, Area, PartPath, Path
from davstore.protocol.dav import names
from davstore.protocol.urls import Fixed, Place, Vacant, is_device, is_drop, is_group, is_list


class Kind(QuickEnum):
    """The kinds of resources; properties and methods depend on them."""

    RESOURCE = "resource"
    COLLECTION = "collection"
    THREAD = "thread"
    MEMBER = "member of a thread"
    FIXED = "fixed collection"
    DROP = "drop"
    PRINCIPAL = "principal"
    DEVICE = "principal of a device"
    GROUP = "principal of a group"
    LIST = "principal of a list"
    PART = "part of a message"


class Row(NamedTuple):
    """The methods of a kind, in the order of Allow, and its reports by Clark name (RFC 3253 §3.6).

    Every kind but a part has REPORT, if only to answer which reports are not supported.
    """

    methods: tuple[str, ...]
    reports: tuple[str, ...] = ()


_READ: Final = ("OPTIONS", "GET", "HEAD")
_NAMESPACE: Final = ("DELETE", "COPY", "MOVE")
_REST: Final = ("PROPFIND", "PROPPATCH", "ACL", "LOCK", "UNLOCK", "REPORT")
_IN_THREADS: Final = ("DELETE", "COPY", "PROPFIND", "PROPPATCH", "ACL", "REPORT")

_EXPAND: Final = (names.EXPAND_PROPERTY,)
_OF_RESOURCES: Final = (*_EXPAND, names.ACL_PRINCIPAL_PROP_SET, names.EXPLAIN_ACCESS)
_OF_COLLECTIONS: Final = (
    *(names.SYNC_COLLECTION, names.EXPLAIN_SYNC, names.RESOLVE, names.MULTIGET, names.PRINCIPAL_MATCH),
    *_OF_RESOURCES,
)
_OF_FIXED: Final = (
    *(names.PRINCIPAL_MATCH, names.PRINCIPAL_PROPERTY_SEARCH, names.PRINCIPAL_SEARCH_PROPERTY_SET),
    *_EXPAND,
)

KINDS: Final = {
    Kind.RESOURCE: Row((*_READ, "PUT", *_NAMESPACE, *_REST), _OF_RESOURCES),
    Kind.COLLECTION: Row((*_READ, "POST", *_NAMESPACE, *_REST), _OF_COLLECTIONS),
    Kind.THREAD: Row((*_READ, "POST", *_IN_THREADS), (*_OF_COLLECTIONS, names.CONVERSATION_HISTORY)),
    Kind.MEMBER: Row((*_READ, *_IN_THREADS), _OF_RESOURCES),
    Kind.FIXED: Row((*_READ, "PROPFIND", "REPORT"), _OF_FIXED),
    Kind.DROP: Row((*_READ, "POST", "PROPFIND", "REPORT"), _EXPAND),
    Kind.PRINCIPAL: Row((*_READ, "PROPFIND", "PROPPATCH", "REPORT"), _EXPAND),
    Kind.DEVICE: Row((*_READ, "DELETE", "MOVE", "PROPFIND", "PROPPATCH", "REPORT"), _EXPAND),
    Kind.GROUP: Row((*_READ, "PROPFIND", "REPORT"), _EXPAND),
    Kind.LIST: Row((*_READ, "DELETE", "PROPFIND", "PROPPATCH", "REPORT"), _EXPAND),
    Kind.PART: Row((*_READ, "COPY", "PROPFIND")),
}
AT_ROOT: Final = {
    Kind.COLLECTION: tuple(method for method in KINDS[Kind.COLLECTION].methods if method not in ("DELETE", "MOVE")),
    Kind.THREAD: tuple(method for method in KINDS[Kind.THREAD].methods if method != "DELETE"),
}
"""The methods of the root of an area, which stays, by its kind."""
AT_ROOT_REPORTS: Final = (names.CONVERSATION_HISTORY,)
"""The reports of a store's root beside those of its kind."""
UNMAPPED: Final = {Kind.COLLECTION: ("OPTIONS", "PUT", "MKCOL", "LOCK"), Kind.THREAD: ("OPTIONS",)}
"""The methods of an unmapped URL in an area, by the kind of its collections."""
AT_VACANT: Final = ("OPTIONS", "MKCOL")
"""The methods of the URL of a device or a list that is not there."""
AT_ADD: Final = ("OPTIONS", "POST")
"""The methods of the place where members are added to a collection; the store alone adds members to threads."""
STORE_METHODS: Final = frozenset(
    {*KINDS[Kind.RESOURCE].methods, *KINDS[Kind.COLLECTION].methods, *UNMAPPED[Kind.COLLECTION], *AT_ADD}
)
"""The methods of URLs in a store, mapped or not: only the store knows the kind of one."""
SAFE: Final = frozenset({*_READ, "PROPFIND", "REPORT"})
"""The safe methods (RFC 9110 §9.2.1, RFC 4918 §9.1, RFC 3253 §3.6)."""

_CLASSES: Final = {
    "1": "PROPFIND",
    "2": "LOCK",
    "3": "PROPFIND",
    "access-control": "ACL",
    "extended-mkcol": "MKCOL",
}
"""Compliance classes, each with a method that it requires (RFC 4918 §18, RFC 3744 §7.2, RFC 5689 §3.1)."""

METHODS_OF: Final = {Function.LOCKING: ("LOCK", "UNLOCK")}
REPORTS_OF: Final = {Function.SYNCHRONIZATION: (names.SYNC_COLLECTION, names.EXPLAIN_SYNC, names.CONVERSATION_HISTORY)}
"""The methods and the reports of functions; those that belong to none are always there."""


class Offer(NamedTuple):
    """The methods and reports that a server has: by kind, of the roots of areas, of unmapped URLs; and its DAV header.

    methods_without and reports_without are those of the functions that are switched off.
    """

    kinds: Mapping[Kind, Row]
    at_root: Mapping[Kind, tuple[str, ...]]
    unmapped: Mapping[Kind, tuple[str, ...]]
    compliance: str
    methods_without: frozenset[str]
    reports_without: frozenset[str]

    def common(self, area: Area) -> tuple[str, ...]:
        """Return the methods that non-collections and collections of an area have."""
        collection, other = (self.kinds[kind_in(area, is_collection=one)].methods for one in (True, False))
        return tuple([method for method in collection if method in other])

    def allowed_at(self, place: Place | None) -> tuple[str, ...]:
        """Return the value of Allow for a place; in a store, where the kind is not known yet, the common methods."""
        if place is None:
            return ()
        if isinstance(place, Vacant):
            return AT_VACANT
        if isinstance(place, AddPath):
            return AT_ADD if place.path.area is Area.STORE else AT_ADD[:1]
        if isinstance(place, Path):
            kind = kind_in(place.area, is_collection=True)
            return self.common(place.area) if place.names else self.at_root[kind]
        return self.kinds[Kind.PART if isinstance(place, PartPath) else kind_of(place)].methods


@lru_cache(maxsize=16)
def offer_with(functions: Functions) -> Offer:
    """Return the offer of a server with these functions."""
    off = ALL - functions
    methods = frozenset([method for one in off for method in METHODS_OF.get(one, ())])
    reports = frozenset([report for one in off for report in REPORTS_OF.get(one, ())])
    return Offer(
        {kind: Row(_less(row.methods, methods), _less(row.reports, reports)) for kind, row in KINDS.items()},
        {kind: _less(row, methods) for kind, row in AT_ROOT.items()},
        {kind: _less(row, methods) for kind, row in UNMAPPED.items()},
        ", ".join([name for name, method in _CLASSES.items() if method in STORE_METHODS - methods]),
        methods,
        reports,
    )


def _less(items: Iterable[str], without: frozenset[str]) -> tuple[str, ...]:
    return tuple([item for item in items if item not in without])


def kind_in(area: int, *, is_collection: bool | int) -> Kind:
    """Return the kind of a resource in an area of a store."""
    if area == Area.THREADS:
        return Kind.THREAD if is_collection else Kind.MEMBER
    return Kind.COLLECTION if is_collection else Kind.RESOURCE


def kind_of(place: Fixed) -> Kind:
    """Return the kind of a fixed collection."""
    if is_drop(place):
        return Kind.DROP
    if is_device(place):
        return Kind.DEVICE
    if is_list(place):
        return Kind.LIST
    if is_group(place):
        return Kind.GROUP
    return Kind.PRINCIPAL if place.is_principal else Kind.FIXED
