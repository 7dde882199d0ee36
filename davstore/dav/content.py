"""What GET sends: conditions, ranges, and headers that keep a user's content inert in a browser (RFC 9110 §14)."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from davstore.dav.rendering import Hrefs
from davstore.dav.request import Request
from davstore.dav.responses import Headers, send, stream, validators
from davstore.errors import Malformed, PreconditionFailed
from davstore.model.conditions import Preconditions
from davstore.model.nodes import Resource
from davstore.policy.preconditions import SECOND_US, Verdict, is_strong, judge
from davstore.protocol.http.integrity import render_digest, wants_digest
from davstore.protocol.http.media_types import UNKNOWN_TYPE
from davstore.protocol.http.ranges import ByteRange, parse_ranges, range_applies
from davstore.store.reading import Body

_WHOLE_BYTES: Final = 1 << 18
"""Up to here a body is read before the status leaves, so that a lost one is an error and not a cut answer."""
_SHOWN: Final = re.compile(
    r"(?:image/(?:avif|bmp|gif|jpeg|png|webp)|(?:audio|video)/[a-z0-9.-]+|text/plain)[ \t]*(?:;[^,]*)?", re.IGNORECASE
)
"""What a browser shows in place: none of these can hold code. No comma: of several types browsers take the last. All
else is an attachment, PDF too: no browser shows one in a sandbox, and it is the one that may carry scripts."""
_SHOWN_POLICY: Final = (
    "sandbox allow-same-origin; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)
"""No script, no form, no window. Its origin is kept, for a player asks for its film again, with the credentials; the
styles are those of the player."""
_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
_FRESH: Final = ("Cache-Control", "no-cache")
"""A browser asks whether its copy is still right; without this it guesses from Last-Modified."""
_TYPE: Final = re.compile(r"[\x20-\x7e]{1,255}")


def find_content_type(request: Request) -> str | None:
    """Return the media type that is sent with a body, None without one.

    Raises:
        Malformed: longer than 255 characters, or not printable ASCII.
    """
    sent = request.environ.get("CONTENT_TYPE")
    if not sent:
        return None
    if _TYPE.fullmatch(sent) is None:
        raise Malformed("not a Content-Type")
    return str(sent)


def send_content(request: Request, resource: Resource, body: Body, conditions: Preconditions) -> Iterable[bytes]:
    """Answer GET or HEAD of a resource, and let go of its body when that is done.

    Raises:
        PreconditionFailed, RangeNotSatisfiable, CorruptBlob.
    """
    with contextlib.ExitStack() as held:
        held.callback(body.close)
        verdict = judge(
            conditions,
            exists=True,
            etag=resource.etag,
            modified_us=resource.modified_us,
            modified_by=resource.modified_by,
            now_us=request.context.now_us,
            safe=True,
        )
        if verdict is Verdict.FAILED:
            raise PreconditionFailed("the conditions of the request do not hold")
        if verdict is Verdict.NOT_MODIFIED:
            return send(request.environ, HTTPStatus.NOT_MODIFIED, headers=[*validators(resource), _FRESH])
        headers = _headers(resource, body)
        if wants_digest(request.header("WANT_REPR_DIGEST")):
            headers.append(("Repr-Digest", render_digest(body.sha256)))
        if wants_digest(request.header("WANT_CONTENT_DIGEST")) and request.header("RANGE") is None:
            headers.append(("Content-Digest", render_digest(body.sha256)))
        if request.environ["REQUEST_METHOD"] == "HEAD":
            return stream(request.environ, HTTPStatus.OK, headers=headers, length_bytes=body.length, parts=())
        ranges = _ranges(request, resource, body)
        if ranges is None:
            return _send_range(request, HTTPStatus.OK, headers, body, ByteRange(0, body.length), held)
        if len(ranges) == 1:
            headers.append(("Content-Range", _content_range(ranges[0], body)))
            return _send_range(request, HTTPStatus.PARTIAL_CONTENT, headers, body, ranges[0], held)
        held.pop_all()
        return _send_ranges(request, headers, body, ranges)


def send_representation(
    request: Request, status: HTTPStatus, resource: Resource, body: Body, headers: Headers
) -> Iterable[bytes]:
    """Answer a write with the body that is there now, and let go of it (RFC 8144 §3, RFC 9110 §8.7)."""
    with contextlib.ExitStack() as held:
        held.callback(body.close)
        location = Hrefs(request.spelling, request.root).path(resource)
        told = [*_headers(resource, body), ("Content-Location", location), *headers]
        return _send_range(request, status, told, body, ByteRange(0, body.length), held)


def _ranges(request: Request, resource: Resource, body: Body) -> list[ByteRange] | None:
    value, if_range = request.header("RANGE"), request.header("IF_RANGE")
    if value is None:
        return None
    is_dated = is_strong(resource.modified_us, resource.modified_by, request.context.now_us)
    modified = resource.modified_us // SECOND_US if is_dated else None
    if not range_applies(if_range, etag=resource.etag, modified=modified):
        return None
    return parse_ranges(value, length=body.length)


def _content_range(span: ByteRange, body: Body) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{body.length}"


def _send_range(
    request: Request, status: HTTPStatus, headers: Headers, body: Body, span: ByteRange, held: contextlib.ExitStack
) -> Iterable[bytes]:
    if span.stop - span.start <= _WHOLE_BYTES:
        return send(request.environ, status, headers=headers, body=b"".join(body.read(*span)))
    held.pop_all()
    return stream(
        request.environ, status, headers=headers, length_bytes=span.stop - span.start, parts=_parts(body, [(b"", span)])
    )


def _send_ranges(request: Request, headers: Headers, body: Body, ranges: list[ByteRange]) -> Iterable[bytes]:
    """Answer with several ranges (RFC 9110 §14.6, §15.3.7.2): each under a head of its own."""
    boundary = uuid.uuid4().hex
    type_line = f"\r\n--{boundary}\r\n{headers[0][0]}: {headers[0][1]}\r\n"
    pieces = [(f"{type_line}Content-Range: {_content_range(one, body)}\r\n\r\n".encode(), one) for one in ranges]
    pieces.append((f"\r\n--{boundary}--\r\n".encode(), ByteRange(0, 0)))
    headers[0] = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    length_bytes = sum(len(head) + one.stop - one.start for head, one in pieces)
    if length_bytes <= _WHOLE_BYTES:
        return send(request.environ, HTTPStatus.PARTIAL_CONTENT, headers=headers, body=b"".join(_parts(body, pieces)))
    return stream(
        request.environ,
        HTTPStatus.PARTIAL_CONTENT,
        headers=headers,
        length_bytes=length_bytes,
        parts=_parts(body, pieces),
    )


def _parts(body: Body, pieces: list[tuple[bytes, ByteRange]]) -> Iterator[bytes]:
    with contextlib.closing(body):
        for head, span in pieces:
            if head:
                yield head
            if span.stop:
                yield from body.read(*span)


def _headers(resource: Resource, body: Body) -> Headers:
    """Return the headers of the content, Content-Type first (RFC 6266, RFC 8187 for the name)."""
    content_type = resource.content_type or UNKNOWN_TYPE
    headers = [
        ("Content-Type", content_type),
        *validators(resource),
        ("Accept-Ranges", "bytes"),
        _FRESH,
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if body.checksums is not None:
        headers.append(("OC-Checksum", body.checksums.partition(" ")[0]))
    if _SHOWN.fullmatch(content_type) is not None:
        headers.append(("Content-Security-Policy", _SHOWN_POLICY))
        return headers
    plain = re.sub(r"[^ !#-\[\]-~]|%", "_", resource.name)
    exact = quote(resource.name, safe="")
    headers += [
        ("Content-Security-Policy", _POLICY),
        ("Content-Disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"),
    ]
    return headers
