"""POST to the drop of an owner (RFC 5995 §3): the store files what is sent."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.handlers.put import read_headers
from davstore.dav.request import Request
from davstore.dav.responses import Response, validators
from davstore.engine.receiving import Incoming
from davstore.errors import MethodNotAllowed
from davstore.protocol import urls
from davstore.protocol.http.slug import parse_slug
from davstore.protocol.urls import Fixed, is_drop
from davstore.store import delivering
from davstore.store.delivering import Delivery, Fate

_STATUS = {
    Fate.STORED: HTTPStatus.CREATED,
    Fate.KNOWN: HTTPStatus.OK,
    Fate.COUNTED: HTTPStatus.NO_CONTENT,
    Fate.WAITING: HTTPStatus.ACCEPTED,
}


def handle_post(request: Request, place: Fixed) -> Response:
    """Deliver the body. Raises MethodNotAllowed for any other fixed collection."""
    if not is_drop(place):
        raise MethodNotAllowed
    sent = read_headers(request)
    delivery = delivering.deliver(
        request.context,
        place.segments[-1],
        Incoming(request.body, request.content_length, sent.integrity, sent.content_type),
        suggested=parse_slug(request.header("SLUG")),
        conditions=request.if_alone,
    )
    return Response(_STATUS[delivery.fate], _told(request, delivery))


def _told(request: Request, delivery: Delivery) -> list[tuple[str, str]]:
    """Return the URL of the resource, as that of a new one or of one that was there, and its entity tag."""
    if delivery.path is None:
        return []
    href = request.spelling.href(urls.segments_of(delivery.path), slash=False)
    header = "Location" if delivery.fate is Fate.STORED else "Content-Location"
    return [(header, href), *(validators(delivery.resource) if delivery.resource else ())]
