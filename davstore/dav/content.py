"""The content of a resource: conditions, ranges, and headers that keep it inert in a browser (RFC 9110 §13, §14)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from davstore.dav.request import Request
from davstore.dav.responses import Headers, Response, Stream, validators
from davstore.engine.opening import Body
from davstore.engine.parts import PartBody
from davstore.errors import PreconditionFailed
from davstore.model.conditions import Preconditions
from davstore.model.messages import PartResource
from davstore.model.nodes import MESSAGES, Resource
from davstore.model.paths import Path
from davstore.policy.preconditions import SECOND_US, Verdict, is_strong, judge
from davstore.protocol.http.integrity import render_digest, wants_digest
from davstore.protocol.http.media_types import UNKNOWN_TYPE
from davstore.protocol.http.ranges import ByteRange, parse_ranges, range_applies

_SHOWN: Final = re.compile(
    r"(?:image/(?:avif|bmp|gif|jpeg|png|webp)|(?:audio|video)/[a-z0-9.-]+|text/plain)[ \t]*(?:;[^,]*)?", re.IGNORECASE
)
"""Media types that a browser shows in place: none can hold code. No comma: of several types browsers take the last. Any
other type is an attachment, PDF too: it may carry scripts, and no browser shows one in a sandbox."""
_SHOWN_POLICY: Final = (
    "sandbox allow-same-origin; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)
"""No script, no form, no window. Its origin is kept, for a player asks for its film again, with the credentials; the
styles are those of the player."""
_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")
_UNQUOTED: Final = re.compile(r"[^ !#-\[\]-~]|%")
"""Characters that no quoted string holds, and `%`, which some browsers decode there."""
_FRESH: Final = ("Cache-Control", "no-cache")
"""A browser revalidates its copy; without this it guesses from Last-Modified."""


def content(
    request: Request, resource: Resource | PartResource, body: Body | PartBody, conditions: Preconditions
) -> Response:
    """Return the answer to GET or HEAD of a resource or of a part; the body is closed with it, or when there is none.

    Raises:
        PreconditionFailed, RangeNotSatisfiable.
    """
    verdict = judge(
        conditions,
        exists=True,
        etag=resource.etag,
        modified_us=resource.modified_us,
        modified_by=resource.modified_by,
        now_us=request.context.now_us,
        safe=True,
    )
    if verdict is Verdict.PASS:
        return _selected(request, resource, body)
    body.close()
    if verdict is Verdict.FAILED:
        raise PreconditionFailed("the conditions of the request do not hold")
    return Response(HTTPStatus.NOT_MODIFIED, [*validators(resource), *_varying(resource), _FRESH])


def representation(
    request: Request, path: Path, status: HTTPStatus, resource: Resource, body: Body, headers: Headers
) -> Response:
    """Return the answer to a write with the representation of the resource (RFC 8144 §3, RFC 9110 §8.7)."""
    location = request.hrefs(path).path(resource)
    headers = [*_headers(resource, body), ("Content-Location", location), *headers]
    return Response(status, headers, _whole(body))


def _selected(request: Request, resource: Resource | PartResource, body: Body | PartBody) -> Response:
    headers = _headers(resource, body)
    digest = body.sha256
    if digest is not None and wants_digest(request.header("WANT_REPR_DIGEST")):
        headers.append(("Repr-Digest", render_digest(digest)))
    if digest is not None and wants_digest(request.header("WANT_CONTENT_DIGEST")) and request.header("RANGE") is None:
        headers.append(("Content-Digest", render_digest(digest)))
    value = request.header("RANGE")
    if value is None or request.method == "HEAD":  # Range is defined for GET alone (RFC 9110 §14.2)
        return Response(HTTPStatus.OK, headers, _whole(body))
    try:
        ranges = _ranges(request, value, resource, body)
    except BaseException:
        body.close()
        raise
    if ranges is None:
        return Response(HTTPStatus.OK, headers, _whole(body))
    if len(ranges) > 1:
        return _several(headers, body, ranges)
    span = ranges[0]
    headers.append(("Content-Range", _content_range(span, body)))
    return Response(HTTPStatus.PARTIAL_CONTENT, headers, Stream(body.read(*span), span.stop - span.start, body.close))


def _ranges(
    request: Request, value: str, resource: Resource | PartResource, body: Body | PartBody
) -> list[ByteRange] | None:
    """Return the ranges to send, None for the whole. Raises RangeNotSatisfiable."""
    is_dated = is_strong(resource.modified_us, resource.modified_by, request.context.now_us)
    modified = resource.modified_us // SECOND_US if is_dated else None
    if not range_applies(request.header("IF_RANGE"), etag=resource.etag, modified=modified):
        return None
    return parse_ranges(value, length=body.length)


def _content_range(span: ByteRange, body: Body | PartBody) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{body.length}"


def _whole(body: Body | PartBody) -> Stream:
    return Stream(body.read(0, body.length), body.length, body.close)


def _several(headers: Headers, body: Body | PartBody, ranges: list[ByteRange]) -> Response:
    """Answer with several ranges (RFC 9110 §14.6, §15.3.7.2): each under a head of its own."""
    boundary = uuid.uuid4().hex
    type_line = f"\r\n--{boundary}\r\n{headers[0][0]}: {headers[0][1]}\r\n"
    pieces = [(f"{type_line}Content-Range: {_content_range(one, body)}\r\n\r\n".encode(), one) for one in ranges]
    pieces.append((f"\r\n--{boundary}--\r\n".encode(), ByteRange(0, 0)))
    headers[0] = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    length_bytes = sum(len(head) + one.stop - one.start for head, one in pieces)
    return Response(HTTPStatus.PARTIAL_CONTENT, headers, Stream(_parts(body, pieces), length_bytes, body.close))


def _parts(body: Body | PartBody, pieces: list[tuple[bytes, ByteRange]]) -> Iterator[bytes]:
    for head, span in pieces:
        yield head
        if span.stop:
            yield from body.read(*span)


def _headers(resource: Resource | PartResource, body: Body | PartBody) -> Headers:
    """Return the headers of the content, Content-Type first (RFC 6266, RFC 8187 for the name)."""
    content_type = resource.content_type or UNKNOWN_TYPE
    headers = [
        ("Content-Type", content_type),
        *validators(resource),
        ("Accept-Ranges", "bytes"),
        *_varying(resource),
        _FRESH,
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if body.checksums is not None:
        headers.append(("OC-Checksum", body.checksums.partition(" ")[0]))
    if _SHOWN.fullmatch(content_type) is not None:
        headers.append(("Content-Security-Policy", _SHOWN_POLICY))
        if isinstance(resource, PartResource):  # a browser would save it under the name of its message
            headers.append(("Content-Disposition", disposition("inline", resource.name)))
        return headers
    headers += [
        ("Content-Security-Policy", _POLICY),
        ("Content-Disposition", disposition("attachment", resource.name)),
    ]
    return headers


def _varying(resource: Resource | PartResource) -> Headers:
    """Return the header that says what chose the representation: Accept, for browsers get pages of messages."""
    is_message = isinstance(resource, Resource) and resource.type in MESSAGES
    return [("Vary", "Accept")] if is_message else []


def disposition(kind: str, name: str) -> str:
    """Return the value of Content-Disposition with a file name (RFC 6266, RFC 8187)."""
    plain = exact = name
    if _UNRESERVED.fullmatch(name) is None:
        plain, exact = _UNQUOTED.sub("_", name), quote(name, safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
