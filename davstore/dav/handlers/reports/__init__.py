"""REPORT (RFC 3253 §3.6): one module for each report, chosen by the type of its query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.handlers.reports.access import handle_explain_access
from davstore.dav.handlers.reports.collecting import handle_multiget
from davstore.dav.handlers.reports.expanding import handle_expand_property, handle_expand_property_of_fixed
from davstore.dav.handlers.reports.explaining import handle_explain_sync
from davstore.dav.handlers.reports.history import handle_conversation_history
from davstore.dav.handlers.reports.principals import (
    handle_acl_principal_prop_set,
    handle_principal_match,
    handle_principal_match_of_fixed,
    handle_principal_property_search,
    handle_principal_search_property_set,
)
from davstore.dav.handlers.reports.resolving import handle_resolve
from davstore.dav.handlers.reports.sync import handle_sync_collection
from davstore.dav.kinds import Kind, kind_of
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import TraversalNotSupported, UnsupportedReport
from davstore.model.changes import Level
from davstore.protocol.dav.access_report import AccessQuery
from davstore.protocol.dav.principal_reports import MatchQuery, PrincipalsQuery, SearchableQuery, SearchQuery
from davstore.protocol.dav.reports import (
    ExpandQuery,
    ExplainQuery,
    HistoryQuery,
    MultigetQuery,
    ReportQuery,
    ResolveQuery,
    SyncQuery,
)
from davstore.protocol.urls import Fixed, is_shared
from davstore.store import reading

_HANDLERS: Final[dict[type[ReportQuery], Callable[[Request, Any], Response]]] = {
    SyncQuery: handle_sync_collection,
    ExpandQuery: handle_expand_property,
    ExplainQuery: handle_explain_sync,
    HistoryQuery: handle_conversation_history,
    MultigetQuery: handle_multiget,
    ResolveQuery: handle_resolve,
    AccessQuery: handle_explain_access,
    PrincipalsQuery: handle_acl_principal_prop_set,
    MatchQuery: handle_principal_match,
}
_HANDLERS_OF_FIXED: Final[dict[type[ReportQuery], Callable[[Request, Fixed, Any], Response]]] = {
    ExpandQuery: handle_expand_property_of_fixed,
    MatchQuery: handle_principal_match_of_fixed,
    SearchQuery: handle_principal_property_search,
    SearchableQuery: handle_principal_search_property_set,
}
_OF_COLLECTIONS: Final = (MatchQuery, SearchQuery, SearchableQuery)
"""The queries that no principal and no drop answers, though these are fixed collections too."""


def handle_report(request: Request) -> Response:
    """Hand the query to the handler of its report.

    Raises:
        NotFound, PreconditionFailed; UnsupportedReport: a report of fixed collections. As `reports.parse`, and as the
        handler.
    """
    query = request.read_report()
    handle = _HANDLERS.get(type(query))
    if handle is None:
        reading.find(request.context, request.path, request.if_alone)
        raise UnsupportedReport("no resource of a store has this report")
    return handle(request, query)


def handle_report_of_fixed(request: Request, place: Fixed) -> Response:
    """Hand the query to the handler of its report. Raises UnsupportedReport: the place does not have it; as above.

    TraversalNotSupported: shares are synchronised one by one.
    """
    query = request.read_report()
    if is_shared(place) and isinstance(query, SyncQuery) and query.level is Level.INFINITE:
        raise TraversalNotSupported("each share is a scope of its own")
    handle = _HANDLERS_OF_FIXED.get(type(query))
    if handle is None or (isinstance(query, _OF_COLLECTIONS) and kind_of(place) is not Kind.FIXED):
        raise UnsupportedReport("this collection does not have the report")
    return handle(request, place, query)
