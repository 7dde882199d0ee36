"""REPORT (RFC 3253 §3.6): one module for each report, chosen by the type of its query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.handlers.reports.collecting import handle_multiget
from davstore.dav.handlers.reports.expanding import handle_expand_property, handle_expand_property_of_fixed
from davstore.dav.handlers.reports.explaining import handle_explain_sync
from davstore.dav.handlers.reports.history import handle_conversation_history
from davstore.dav.handlers.reports.resolving import handle_resolve
from davstore.dav.handlers.reports.sync import handle_sync_collection
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import UnsupportedReport
from davstore.protocol.dav.reports import (
    ExpandQuery,
    ExplainQuery,
    HistoryQuery,
    MultigetQuery,
    ReportQuery,
    ResolveQuery,
    SyncQuery,
)
from davstore.protocol.urls import Fixed

_HANDLERS: Final[dict[type[ReportQuery], Callable[[Request, Any], Response]]] = {
    SyncQuery: handle_sync_collection,
    ExpandQuery: handle_expand_property,
    ExplainQuery: handle_explain_sync,
    HistoryQuery: handle_conversation_history,
    MultigetQuery: handle_multiget,
    ResolveQuery: handle_resolve,
}


def handle_report(request: Request) -> Response:
    """Hand the query to the handler of its report. Raises as `reports.parse`, and as the handler."""
    query = request.read_report()
    return _HANDLERS[type(query)](request, query)


def handle_report_of_fixed(request: Request, place: Fixed) -> Response:
    """Report properties of a fixed collection. Raises UnsupportedReport: any other report; as `reports.parse`."""
    query = request.read_report()
    if isinstance(query, ExpandQuery):
        return handle_expand_property_of_fixed(request, place, query)
    raise UnsupportedReport("no store keeps this collection")
