"""GET of a collection as one file: a zip, or a multipart with a body for each member (docs/protocol.md#downloads)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Final

from davstore.dav.content import disposition
from davstore.dav.rendering import Plan, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Headers, Listed, Response, Stream
from davstore.interchange import zip_writing
from davstore.interchange.zip_writing import MOST_BYTES, Member
from davstore.model.nodes import Resource
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import CONTENT_TYPE
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.http.accept import ZIP
from davstore.protocol.http.media_types import UNKNOWN_TYPE
from davstore.protocol.http.multipart import render_end, render_head
from davstore.store import reading
from davstore.store.reading import OpenSet

_HEADERS: Final[Headers] = [
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept, Authorization"),
    ("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_TOLD: Final = PropFind(
    PropFindKind.PROP,
    (names.RESOURCETYPE, names.GETETAG, names.GETCONTENTLENGTH, names.GETCONTENTTYPE, names.GETLASTMODIFIED),
)
"""The properties of the members, which stand in front of their bodies."""


def send_set(request: Request, media_type: str) -> Response:
    """Return the answer with all beneath a collection that the asker is shown.

    Raises:
        As `reading.open_set`; SyncRefused, SyncDeferred: the gate does not let a listing.
    """
    view = request.view
    found = reading.open_set(request.context, request.path, request.if_alone, view=view, most_bytes=MOST_BYTES)
    try:
        return _zip(request, found) if media_type == ZIP else _multipart(request, found)
    except BaseException:
        found.bodies.close()
        raise


def _zip(request: Request, found: OpenSet) -> Response:
    top, *resources = found.resources
    members = [_member(found, len(top.names), one) for one in resources]
    name = f"{top.name or request.path.store}.zip"
    headers = [("Content-Type", ZIP), ("Content-Disposition", disposition("attachment", name)), *_HEADERS]
    stream = Stream(zip_writing.each_piece(members), zip_writing.find_length(members), found.bodies.close)
    return Response(HTTPStatus.OK, headers, stream, Listed())


def _member(found: OpenSet, depth: int, resource: Resource) -> Member:
    path = "/".join(resource.names[depth:])
    if resource.is_collection:
        return Member(f"{path}/", resource.modified_us)
    return Member(path, resource.modified_us, resource.length or 0, partial(found.bodies.read, resource.node_id))


def _multipart(request: Request, found: OpenSet) -> Response:
    """Write a multistatus, and behind it each body under the URL of its resource (RFC 2387, RFC 2557 §4.2)."""
    boundary, hrefs = uuid.uuid4().hex, request.hrefs(request.path)
    told: list[bytes] = []
    answer = Multistatus(told.append)
    write_stored(answer, Plan(_TOLD, request.property_context(found.facts), minimal=True), hrefs, found.resources)
    answer.close()
    pieces: list[tuple[bytes, Callable[[], Iterable[bytes]], int]] = []
    first = b"".join(told)
    pieces.append((render_head(boundary, [("Content-Type", CONTENT_TYPE)]), lambda: [first], len(first)))
    for one in found.resources:
        if not one.is_collection:
            head = render_head(boundary, _fields_of(one, hrefs.path(one)))
            pieces.append((head, partial(found.bodies.read, one.node_id), one.length or 0))
    pieces.append((render_end(boundary), tuple, 0))
    length = sum(len(head) + size for head, _, size in pieces)
    headers = [("Content-Type", f'multipart/related; boundary={boundary}; type="application/xml"'), *_HEADERS]
    return Response(HTTPStatus.OK, headers, Stream(_each(pieces), length, found.bodies.close), Listed())


def _fields_of(resource: Resource, href: str) -> Headers:
    return [
        ("Content-Type", resource.content_type or UNKNOWN_TYPE),
        ("Content-Location", href),
        ("ETag", f'"{resource.etag}"'),
        ("Content-Length", str(resource.length or 0)),
        ("Content-Transfer-Encoding", "binary"),
    ]


def _each(pieces: list[tuple[bytes, Callable[[], Iterable[bytes]], int]]) -> Iterator[bytes]:
    for head, read, _ in pieces:
        yield head
        yield from read()
