"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7)."""

from __future__ import annotations

from davstore.dav.handlers.made import made, represented
from davstore.dav.request import Request
from davstore.dav.responses import Response, validators
from davstore.errors import Malformed, MethodNotAllowed, PreconditionFailed, UnsupportedMediaType
from davstore.middleware.errors import find_row
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.http import put_headers
from davstore.protocol.http.media_types import guess_media_type
from davstore.protocol.http.put_headers import PutHeaders
from davstore.store import putting
from davstore.store.putting import NewContent


def read_headers(request: Request) -> PutHeaders:
    """Return what the headers say of a body. Raises Malformed, UnsupportedMediaType: it is a part, or coded."""
    if request.header("CONTENT_RANGE") is not None:
        raise Malformed("PUT of a part (RFC 9110 §14.4)")
    if request.header("CONTENT_ENCODING") not in (None, "identity"):
        raise UnsupportedMediaType("a content coding")
    return put_headers.parse(request.content_type, request.header)


def handle_put(request: Request) -> Response:
    """Store a body under a URL, as sent: so the answer may carry its ETag."""
    path = request.path
    if request.target.slash:
        raise MethodNotAllowed
    sent = read_headers(request)
    content = NewContent(
        request.body,
        request.content_length,
        sent.content_type,
        sent.integrity,
        None if sent.modified_seconds is None else sent.modified_seconds * SECOND_US,
        guess_media_type(path.name),
    )
    try:
        written = putting.put(request.context, path, content, request.conditions)
    except PreconditionFailed as error:  # the representation spares the client a GET (RFC 8144 §3.2)
        answer = represented(request, path, find_row(error).status, [])
        if answer is None:
            raise
        return answer
    headers = validators(written.resource)
    return made(request, path, created=written.created, headers=headers, timed=content.modified_us is not None)
