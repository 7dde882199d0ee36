"""The answer to a PUT, COPY or MOVE that succeeded (RFC 9110 §9.3.4, RFC 8144 §3)."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.content import representation
from davstore.dav.request import Request
from davstore.dav.responses import Headers, Response
from davstore.errors import NotFound
from davstore.model.paths import Path
from davstore.protocol.http.prefer import Prefer
from davstore.store import reading


def made(request: Request, path: Path, *, created: bool, headers: Headers, timed: bool) -> Response:
    """Return the answer to a write that succeeded: headers, or the representation if the client prefers it (§3.1).

    timed: the client set the time of modification.
    """
    accepted = [("X-OC-Mtime", "accepted")] if timed else []
    answer = represented(request, path, HTTPStatus.CREATED if created else HTTPStatus.OK, accepted)
    if answer is not None:
        return answer
    return Response(HTTPStatus.CREATED if created else HTTPStatus.NO_CONTENT, [*headers, *accepted])


def represented(request: Request, path: Path, status: HTTPStatus, headers: Headers) -> Response | None:
    """Return an answer with the representation of a place; None if the client prefers none or there is no body."""
    if not request.prefer.representation:
        return None
    try:
        content = reading.open_resource(request.context, path)
    except NotFound:
        return None
    if content.body is None:
        return None
    applied = Prefer(representation=True).applied()
    return representation(request, path, status, content.resource, content.body, [*headers, *applied])
