"""REPORT `C:explain-sync`: whether devices may synchronise a collection, by which rule, and what would change it."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.errors import UnsupportedReport
from davstore.middleware.errors import find_row, sync_refusal
from davstore.protocol.dav.elements import href
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.reports import ExplainQuery
from davstore.protocol.urls import Fixed
from davstore.store import reading


def handle_explain_sync(request: Request, query: ExplainQuery) -> Response:
    """Answer with a response for each device: the status and error that it would get, and sentences for a person."""
    if not reading.find(request.context, request.path, request.if_alone).is_collection:
        raise UnsupportedReport
    spelling = request.spelling
    wanted = {place.segments for one in query.devices if isinstance(place := request.find_place(one), Fixed)}
    explained = request.explain()

    def write(answer: Multistatus) -> None:
        for one in explained:
            if query.devices and one.principal not in wanted:
                continue
            principal = spelling.href(one.principal, slash=True)
            status, error = HTTPStatus.OK, b""
            if one.refusal is not None:
                status, error = find_row(one.refusal).status, sync_refusal(one.refusal, href(principal))
            answer.explained(for_xml(principal), status, error, " ".join(one.sentences))

    return multistatus(write, request.located(is_collection=True))
