"""REPORT (RFC 3253 §3.6): one module for each report, chosen by the type of its query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.handlers.reports.sync import handle_sync_collection
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import UnsupportedReport
from davstore.protocol.dav.reports import ReportQuery, SyncQuery
from davstore.protocol.urls import Fixed

_HANDLERS: Final[dict[type[ReportQuery], Callable[[Request, Any], Response]]] = {SyncQuery: handle_sync_collection}


def handle_report(request: Request) -> Response:
    """Hand the query to the handler of its report. Raises as `reports.parse`, and as the handler."""
    query = request.read_report()
    return _HANDLERS[type(query)](request, query)


def handle_no_report(request: Request, _place: Fixed) -> Response:
    """Refuse any report. Raises UnsupportedReport; Malformed and others: the body is no report at all."""
    request.read_report()
    raise UnsupportedReport("no store keeps this collection")
