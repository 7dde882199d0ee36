"""Answers that succeed: always with a length (DECISIONS 6), given to the server's own start_response (DECISIONS 4)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from davstore.middleware.boundary import START_RESPONSE
from davstore.model.nodes import Resource
from davstore.protocol.dates import render_http_date
from davstore.protocol.elements import CONTENT_TYPE

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Headers = list[tuple[str, str]]

SPOOL_BYTES = 8 << 20
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


class Spool:
    """A place for an answer until its length is known: memory at first, then a temporary file."""

    def __init__(self) -> None:
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  closed by `_parts`
        self.write = self._file.write

    def send_multistatus(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Answer 207 with what was written."""
        length_bytes: int = self._file.tell()
        self._file.seek(0)
        headers = [("Content-Type", CONTENT_TYPE)]
        return stream(environ, HTTPStatus.MULTI_STATUS, headers=headers, length_bytes=length_bytes, parts=self._parts())

    def _parts(self) -> Iterator[bytes]:
        with self._file:
            while piece := self._file.read(BLOCK_BYTES):
                yield piece


def validators(resource: Resource) -> Headers:
    """Return ETag and Last-Modified of a resource."""
    headers = [("Last-Modified", render_http_date(resource.modified_us // 1_000_000))]
    if resource.etag is not None:
        headers.append(("ETag", f'"{resource.etag}"'))
    return headers
