"""Answers that succeed: always with a length (DECISIONS 6), given to the server's own start_response (DECISIONS 4)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from davstore.middleware.boundary import START_RESPONSE
from davstore.model.nodes import Resource
from davstore.protocol.dav.elements import CONTENT_TYPE
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.http.dates import render_http_date

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Headers = list[tuple[str, str]]

SPOOL_BYTES = 1 << 20
BLOCK_BYTES = 1 << 18

_LINES = {status: f"{status.value} {status.phrase}" for status in HTTPStatus}
_NO_LENGTH = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


def send(
    environ: WSGIEnvironment,
    status: HTTPStatus,
    *,
    headers: Headers | None = None,
    body: bytes = b"",
) -> Iterable[bytes]:
    """Answer with a body that is at hand; HEAD gets its headers only."""
    if status not in _NO_LENGTH:
        headers = [*(headers or ()), ("Content-Length", str(len(body)))]
    environ[START_RESPONSE](_LINES[status], headers or [])
    return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []


def stream(
    environ: WSGIEnvironment, status: HTTPStatus, *, headers: Headers, length_bytes: int, parts: Iterable[bytes]
) -> Iterable[bytes]:
    """Answer with a body that is still to be read."""
    environ[START_RESPONSE](_LINES[status], [*headers, ("Content-Length", str(length_bytes))])
    return parts


def send_multistatus(
    environ: WSGIEnvironment, write: Callable[[Multistatus], str | None], *, headers: Headers | None = None
) -> Iterable[bytes]:
    """Answer 207 with what write tells; it returns the sync token of a report, None for any other answer.

    headers leave after write, which may add to them.
    """

    def tell(out: Callable[[bytes], object]) -> Headers:
        answer = Multistatus(out)
        answer.close(sync_token=write(answer))
        return [("Content-Type", CONTENT_TYPE), *(headers or ())]

    return send_spooled(environ, HTTPStatus.MULTI_STATUS, tell)


def send_spooled(
    environ: WSGIEnvironment, status: HTTPStatus, write: Callable[[Callable[[bytes], object]], Headers]
) -> Iterable[bytes]:
    """Answer with what write gives to its argument, and with the headers that it returns; HEAD with those alone.

    The answer waits in memory, then in a temporary file, until its length is known.
    """
    with contextlib.ExitStack() as held:
        spool: Any = held.enter_context(tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))
        headers = write(spool.write)
        length_bytes = spool.tell()
        if environ["REQUEST_METHOD"] == "HEAD":
            return stream(environ, status, headers=headers, length_bytes=length_bytes, parts=())
        spool.seek(0)
        held.pop_all()
        return stream(environ, status, headers=headers, length_bytes=length_bytes, parts=_parts(spool))


def _parts(spool: Any) -> Iterator[bytes]:
    with spool:
        while piece := spool.read(BLOCK_BYTES):
            yield piece


def validators(resource: Resource) -> Headers:
    """Return ETag and Last-Modified of a resource."""
    headers = [("Last-Modified", render_http_date(resource.modified_us // 1_000_000))]
    if resource.etag is not None:
        headers.append(("ETag", f'"{resource.etag}"'))
    return headers
