"""REPORT (RFC 3253 §3.6): one module for each report, and the answer of what has none."""

from __future__ import annotations

from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import UnsupportedReport
from davstore.protocol.urls import Fixed


def handle_no_report(request: Request, _place: Fixed) -> Response:
    """Refuse any report. Raises UnsupportedReport; Malformed and others: what is asked is no report at all."""
    request.read_report()
    raise UnsupportedReport("no store keeps this collection")
