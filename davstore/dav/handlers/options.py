"""OPTIONS (RFC 9110 §9.3.7, RFC 4918 §10.1)."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.kinds import kind_in
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.engine.rights import is_guest
from davstore.errors import NotFound
from davstore.protocol.urls import Fixed
from davstore.store import reading


def handle_options(request: Request) -> Response:
    """Return the methods of a URL in a store; an unmapped one has those that make a resource."""
    request.refuse_body()
    path, offer = request.path, request.offer
    try:
        top = reading.find(request.context, path, request.if_alone)
    except NotFound:
        if is_guest(request.context.asker, path):  # to whom what is hidden is 404, and so is what is missing
            raise
        return options(request, offer.unmapped[kind_in(path.area, is_collection=True)], is_collection=False)
    kind = kind_in(path.area, is_collection=top.is_collection)
    methods = offer.kinds[kind].methods if path.names else offer.at_root[kind]
    return options(request, methods, is_collection=bool(top.is_collection))


def handle_options_of_fixed(request: Request, place: Fixed) -> Response:
    """Return the methods of a fixed collection."""
    request.refuse_body()
    judge_if(request)
    return options(request, request.offer.allowed_at(place), is_collection=True)


def options(request: Request, methods: tuple[str, ...], *, is_collection: bool) -> Response:
    """Return the answer to OPTIONS of a resource that has some methods."""
    headers = [
        ("DAV", request.offer.compliance),
        ("Allow", ", ".join(methods)),
        ("MS-Author-Via", "DAV"),
        ("Accept-Ranges", "bytes"),
        *request.located(is_collection=is_collection),
    ]
    return Response(HTTPStatus.OK, headers)
