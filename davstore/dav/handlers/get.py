"""GET and HEAD (RFC 9110 §9.3.1, RFC 4918 §9.4)."""

from __future__ import annotations

import string
from contextlib import closing
from http import HTTPStatus
from urllib.parse import quote

from davstore.dav.content import content
from davstore.dav.handlers.conditions import judge_if
from davstore.dav.handlers.sending_sets import send_set
from davstore.dav.listing import Pages, listing
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.model.columns import Wanted
from davstore.model.nodes import COLLECTION_DIGITS
from davstore.model.paths import Path
from davstore.model.views import View
from davstore.protocol.http.accept import find_set_type
from davstore.protocol.urls import Fixed
from davstore.store import reading

_FRESH = ("Cache-Control", "no-cache")


def handle_get(request: Request) -> Response:
    """Send a body, or a list of the members of a collection.

    A collection's URL without its slash redirects: relative links in the list, and a client's writes, would start from
    its parent.
    """
    request.refuse_body()
    path, conditions = request.path, request.conditions
    found = reading.open_resource(request.context, path, conditions)
    if found.body is not None:
        return content(request, found.resource, found.body, conditions)
    if not request.target.slash:
        return _lead_to_slash(request)
    wanted = find_set_type(request.header("ACCEPT"))
    if wanted is not None:
        return send_set(request, wanted)
    return listing(request, _members(request, path, request.view))


def _members(request: Request, path: Path, view: View) -> Pages:
    with closing(reading.describe(request.context, path, depth=1, columns=Wanted(()), view=view)) as pages:
        for page in pages:
            if page.columns is not None:
                members = zip(page.columns.names, page.columns.types, strict=True)
                yield [f"{name}/" if type_ in COLLECTION_DIGITS else name for name, type_ in members]
            else:
                yield [f"{one.name}/" if one.is_collection else one.name for one in (*page.members, *page.refused)]


def handle_get_of_fixed(request: Request, place: Fixed) -> Response:
    """Send the names of a fixed collection's members."""
    request.refuse_body()
    judge_if(request)
    if not request.target.slash:
        return _lead_to_slash(request)
    files = {one.outer[-1] for one in request.mounts if not one.is_collection}
    return listing(request, (names for names in [[name if name in files else f"{name}/" for name in place.members]]))


def _lead_to_slash(request: Request) -> Response:
    """Redirect, with the query. Conditions and ranges do not apply to a redirect (RFC 9110 §13.2.1)."""
    query = quote(request.target.query, safe=string.punctuation, encoding="latin-1")
    location = f"{request.with_slash}?{query}" if query else request.with_slash
    return Response(HTTPStatus.TEMPORARY_REDIRECT, [("Location", location), _FRESH])
