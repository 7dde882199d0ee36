"""The live properties of RFC 4918 §15, `resource-id` (RFC 5842 §3.1), and the supported sets (RFC 3253 §3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from davstore.dav.kinds import AT_ROOT_REPORTS, Kind, offer_with
from davstore.dav.properties.live import (
    COLLECTION,
    EVERY,
    PART,
    RESOURCE,
    STORED,
    Column,
    Live,
    PropertyContext,
    Settable,
)
from davstore.dav.properties.times import set_time
from davstore.model.nodes import COLLECTIONS, Resource, ResourceType
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, empty, escape
from davstore.protocol.http.dates import render_http_date, render_iso_date

_COLLECTION_TYPE: Final = element(names.RESOURCETYPE, empty(names.COLLECTION))
_PRINCIPAL_TYPE: Final = element(names.RESOURCETYPE, empty(names.COLLECTION), empty(names.PRINCIPAL))
_OTHER_TYPES: Final = {
    **dict.fromkeys((Kind.PRINCIPAL, Kind.DEVICE, Kind.GROUP, Kind.LIST), _PRINCIPAL_TYPE),
    Kind.PART: empty(names.RESOURCETYPE),
}
_ELEMENTS: Final = {
    **{type_: f"<C:{type_.word}/>" for type_ in ResourceType},
    **{type_: f"<D:collection/><C:{type_.word}/>" for type_ in COLLECTIONS},
    ResourceType.COLLECTION: "<D:collection/>",
}
_TYPES: Final = {one: text for type_, text in _ELEMENTS.items() for one in (int(type_), str(int(type_)))}
"""What `D:resourcetype` holds, by the type of a resource of a store and the digit of it."""


def _resourcetype(_context: PropertyContext, kind: Kind) -> bytes:
    return _OTHER_TYPES.get(kind, _COLLECTION_TYPE)


@lru_cache(maxsize=16_384)
def _http_date(time_us: int | str) -> str:
    return render_http_date(int(time_us) // SECOND_US)


@lru_cache(maxsize=16_384)
def iso_date(time_us: int | str) -> str:
    """Return a time in microseconds, or the digits of it, as RFC 3339 has it."""
    return render_iso_date(int(time_us) // SECOND_US)


@lru_cache(maxsize=256)
def _media_type(text: str) -> str:
    return escape(text).decode()


def _supported_report_set(context: PropertyContext, kind: Kind) -> bytes | None:
    return None if kind is Kind.COLLECTION else _reports(offer_with(context.functions).kinds[kind].reports)


def _supported_report_set_of(context: PropertyContext, resource: Resource) -> bytes:
    offer = offer_with(context.functions)
    at_root = () if resource.name else AT_ROOT_REPORTS
    return _reports(
        [*offer.kinds[Kind.COLLECTION].reports, *(one for one in at_root if one not in offer.reports_without)]
    )


def _reports(reports: Iterable[str]) -> bytes:
    supported = [element("{DAV:}supported-report", element("{DAV:}report", empty(name))) for name in reports]
    return element(names.SUPPORTED_REPORT_SET, *supported)


def _supported_method_set(context: PropertyContext, kind: Kind) -> bytes:
    methods = offer_with(context.functions).kinds[kind].methods
    return element(
        names.SUPPORTED_METHOD_SET, *[f'<D:supported-method name="{method}"/>'.encode() for method in methods]
    )


CORE: Final = (
    Live(names.RESOURCETYPE, EVERY - STORED, same=_resourcetype, in_allprop=True),
    Live(
        names.RESOURCETYPE,
        COLLECTION,
        column=Column("type", "<D:resourcetype>%s</D:resourcetype>", _TYPES.__getitem__),
        in_allprop=True,
        in_its_place=_COLLECTION_TYPE,
    ),
    Live(
        names.RESOURCETYPE,
        RESOURCE,
        column=Column("type", "<D:resourcetype>%s</D:resourcetype>", _TYPES.__getitem__),
        in_allprop=True,
        in_its_place=empty(names.RESOURCETYPE),
    ),
    Live(names.GETETAG, RESOURCE | PART, column=Column("etag", '<D:getetag>"%s"</D:getetag>'), in_allprop=True),
    Live(
        names.GETCONTENTLENGTH,
        RESOURCE | PART,
        column=Column("length", "<D:getcontentlength>%s</D:getcontentlength>"),
        in_allprop=True,
    ),
    Live(
        names.GETCONTENTTYPE,
        RESOURCE | PART,
        column=Column("content_type", "<D:getcontenttype>%s</D:getcontenttype>", _media_type),
        in_allprop=True,
    ),
    Live(
        names.GETLASTMODIFIED,
        STORED | PART,
        column=Column("modified_us", "<D:getlastmodified>%s</D:getlastmodified>", _http_date),
        set=Settable(set_time),
        in_allprop=True,
    ),
    Live(
        names.CREATIONDATE,
        STORED | PART,
        column=Column("created_us", "<D:creationdate>%s</D:creationdate>", iso_date),
        in_allprop=True,
    ),
)

IDENTITY: Final = (
    Live(
        names.RESOURCE_ID,
        STORED,
        column=Column("resource_id", "<D:resource-id><D:href>urn:uuid:%s</D:href></D:resource-id>"),
    ),
)

SUPPORTED: Final = (
    Live(names.SUPPORTED_REPORT_SET, EVERY, same=_supported_report_set, each=_supported_report_set_of),
    Live(names.SUPPORTED_METHOD_SET, EVERY, same=_supported_method_set),
)
