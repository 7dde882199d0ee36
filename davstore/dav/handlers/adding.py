"""The place where members are added to a collection: POST makes one that the server names (RFC 5995 §3)."""

from __future__ import annotations

from typing import NoReturn

from davstore.dav.handlers.made import made
from davstore.dav.handlers.options import options
from davstore.dav.handlers.put import read_headers
from davstore.dav.handlers.sets import handle_set
from davstore.dav.request import Request
from davstore.dav.responses import Response, validators
from davstore.engine.receiving import Incoming
from davstore.errors import MethodNotAllowed, NotFound
from davstore.model.paths import AddPath
from davstore.policy.preconditions import SECOND_US
from davstore.protocol import urls
from davstore.protocol.http.multipart import is_set
from davstore.protocol.http.slug import parse_slug
from davstore.store import adding, reading


def handle_options(request: Request, place: AddPath) -> Response:
    """Return the methods of the place."""
    request.refuse_body()
    _require_collection(request, place)
    return options(request, request.offer.allowed_at(place), is_collection=False)


def handle_post(request: Request, place: AddPath) -> Response:
    """Make a member of the body, and say in Location where; of a multipart a set of them."""
    if is_set(request.content_type):
        return handle_set(request, place)
    sent = read_headers(request)
    modified_us = None if sent.modified_seconds is None else sent.modified_seconds * SECOND_US
    new = adding.add_member(
        request.context,
        place.path,
        Incoming(request.body, request.content_length, sent.integrity, sent.content_type),
        request.conditions,
        suggested=parse_slug(request.header("SLUG")),
        modified_us=modified_us,
    )
    path = place.path.child(new.name)
    location = request.spelling.href(urls.segments_of(path), slash=False)
    answer = made(request, path, created=True, headers=validators(new), timed=modified_us is not None)
    answer.headers.append(("Location", location))
    return answer


def refuse_method(request: Request, place: AddPath) -> NoReturn:
    """Refuse any other method. Raises MethodNotAllowed; NotFound: there is no such collection."""
    _require_collection(request, place)
    raise MethodNotAllowed


def _require_collection(request: Request, place: AddPath) -> None:
    if not reading.find(request.context, place.path, request.if_alone).is_collection:
        raise NotFound(place.path.name)
