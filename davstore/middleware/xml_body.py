"""The XML body of a request, read whole: of known length or chunked, never more than 1 MiB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from davstore.errors import Malformed, TooLarge
from davstore.protocol.dav.xml import MAX_BODY_BYTES
from davstore.protocol.http.headers import parse_content_length

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def content_length(environ: WSGIEnvironment) -> int | None:
    """Return the length of the body in bytes, None when it is chunked.

    Raises:
        Malformed: no number, or a transfer coding whose end this server cannot find.
        TooLarge: more than any store can hold.
    """
    length = parse_content_length(environ.get("CONTENT_LENGTH") or None)
    if length is not None:
        return length
    if environ.get("wsgi.input_terminated"):
        return None
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise Malformed("a transfer coding without an end")
    return 0


def read_xml(environ: WSGIEnvironment) -> bytes:
    """Return the body, an XML document or nothing.

    Raises:
        TooLarge: longer than 1 MiB. Malformed: cut short.
    """
    length = content_length(environ)
    if length is not None and length > MAX_BODY_BYTES:
        raise TooLarge("an XML body")
    body: bytes = environ["wsgi.input"].read(MAX_BODY_BYTES + 1 if length is None else length)
    if length is not None and len(body) != length:
        raise Malformed("the body is shorter than its Content-Length")
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("an XML body")
    return body
