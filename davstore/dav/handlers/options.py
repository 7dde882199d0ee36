"""OPTIONS (RFC 9110 §9.3.7, RFC 4918 §10.1)."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.places import ALLOWED, ALLOWED_ROOT, ALLOWED_UNMAPPED, Fixed, Kind
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import NotFound
from davstore.store import reading

COMPLIANCE = "1, 2, 3, extended-mkcol"
"""The DAV header (RFC 4918 §18)."""


def handle_options(request: Request) -> Response:
    """Tell what can be done with a URL (RFC 4918 §10.1). An unmapped URL of the own store can be made."""
    request.refuse_body()
    kind, allowed = _allowed(request)
    headers = [
        ("DAV", COMPLIANCE),
        ("Allow", ", ".join(allowed)),
        ("MS-Author-Via", "DAV"),
        ("Accept-Ranges", "bytes"),
        *request.located(is_collection=kind not in (None, Kind.RESOURCE)),
    ]
    return Response(HTTPStatus.OK, headers)


def _allowed(request: Request) -> tuple[Kind | None, tuple[str, ...]]:
    """Return what the URL names, None for nothing, and the methods that it has."""
    place = request.place
    if isinstance(place, Fixed):
        judge_if(request)
        return place.kind, ALLOWED[place.kind]
    try:
        top = reading.find(request.context, place, request.if_alone)
    except NotFound:
        return None, ALLOWED_UNMAPPED
    kind = Kind.COLLECTION if top.is_collection else Kind.RESOURCE
    return kind, ALLOWED[kind] if place.names else ALLOWED_ROOT
