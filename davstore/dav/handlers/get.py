"""GET and HEAD (RFC 9110 §9.3.1, RFC 4918 §9.4)."""

from __future__ import annotations

import string
from http import HTTPStatus
from urllib.parse import quote

from davstore.dav.content import content
from davstore.dav.handlers.conditions import judge_if
from davstore.dav.listing import Tell, listing
from davstore.dav.places import Fixed
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.model.nodes import Resource
from davstore.store import reading

_FRESH = ("Cache-Control", "no-cache")


def handle_get(request: Request) -> Response:
    """Send a body, or what a collection holds.

    A collection is led to by its slash: relative links would start from its parent, and so would what a client writes.
    """
    request.refuse_body()
    place = request.place
    if isinstance(place, Fixed):
        judge_if(request)
        if not request.target.slash:
            return _lead_to_slash(request)
        return listing(request, lambda tell: tell([f"{name}/" for name in place.members]))
    conditions = request.conditions
    found = reading.open_resource(request.context, place, conditions)
    if found.body is not None:
        return content(request, found.resource, found.body, conditions)
    if not request.target.slash:
        return _lead_to_slash(request)

    def tell_all(tell: Tell) -> None:
        reading.describe(request.context, place, depth=1, tell=lambda some: tell(map(_listed, some.members)))

    return listing(request, tell_all)


def _listed(member: Resource) -> str:
    return f"{member.name}/" if member.is_collection else member.name


def _lead_to_slash(request: Request) -> Response:
    """Redirect, with the query. Conditions and ranges are for what is there, not for a redirect (RFC 9110 §13.2.1)."""
    query = quote(request.target.query, safe=string.punctuation, encoding="latin-1")
    location = f"{request.with_slash}?{query}" if query else request.with_slash
    return Response(HTTPStatus.TEMPORARY_REDIRECT, [("Location", location), _FRESH])
