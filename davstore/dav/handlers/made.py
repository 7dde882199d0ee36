"""The answer to PUT, COPY and MOVE, when something is at a place now (RFC 9110 §9.3.4, RFC 8144 §3)."""

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
    """Return the answer that something is at a place now: headers, or what it is for a client that prefers that (§3.1).

    timed: the client said when it was modified.
    """
    accepted = [("X-OC-Mtime", "accepted")] if timed else []
    answer = represented(request, path, HTTPStatus.CREATED if created else HTTPStatus.OK, accepted)
    if answer is not None:
        return answer
    return Response(HTTPStatus.CREATED if created else HTTPStatus.NO_CONTENT, [*headers, *accepted])


def represented(request: Request, path: Path, status: HTTPStatus, headers: Headers) -> Response | None:
    """Return the answer that holds what is at a place; None if nobody would like it, or nothing there has a body."""
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
