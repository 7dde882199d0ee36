"""A response as a value: the handlers return it, and dispatch is the only one to send it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from typing import IO, Final, NamedTuple

from davstore.model.limits import BLOCK_BYTES
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource
from davstore.protocol.dav.elements import CONTENT_TYPE
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.http.dates import render_http_date

Headers = list[tuple[str, str]]
Write = Callable[[Callable[[bytes], object]], object]
"""Passes the bytes of a body, in order, to its argument."""

SPOOL_BYTES: Final = 1 << 22
"""A listing of 10,000 members stays below it: a file takes a tenth of the time of the whole answer."""


class Stream:
    """The bytes of a body that are still to be read, their number, and the function that closes their source."""

    __slots__ = ("_close", "_parts", "length_bytes")

    def __init__(self, parts: Iterable[bytes], length_bytes: int, close: Callable[[], object]) -> None:
        self._parts = parts
        self._close: Callable[[], object] | None = close
        self.length_bytes = length_bytes

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        """Close the source, once, whether the bytes were read or not."""
        close, self._close = self._close, None
        if close is not None:
            close()


class Spooled(NamedTuple):
    """A body whose length is known when it is written: it waits in memory, then in a temporary file."""

    write: Write

    def spool(self) -> Stream:
        """Write the body. Errors of write are raised."""
        spool = _Spool()
        try:
            self.write(spool.write)
        except BaseException:
            spool.close()
            raise
        return Stream(spool.parts(), spool.length_bytes, spool.close)


class _Spool:
    """Bytes in memory, and in a temporary file when they are many."""

    __slots__ = ("_file", "_pieces", "length_bytes")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.length_bytes = 0

    def write(self, piece: bytes) -> None:
        self.length_bytes += len(piece)
        if self._file is not None:
            self._file.write(piece)
            return
        self._pieces.append(piece)
        if self.length_bytes > SPOOL_BYTES:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  `close` closes it
            self._file.writelines(self._pieces)
            self._pieces.clear()

    def parts(self) -> Iterable[bytes]:
        if self._file is None:
            return self._pieces
        self._file.seek(0)
        return iter(partial(self._file.read, BLOCK_BYTES), b"")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Listed(NamedTuple):
    """For the gate, of a listing or a report: the sync token that it gives out, and whether there is more."""

    token: str = ""
    truncated: bool = False


class Response(NamedTuple):
    """Status, headers without Content-Length, and body; of a HEAD it has the body that GET would get.

    While a spooled body is written its headers may still be added to. listed is there when the body names
    members: the gate is asked before that is written.
    """

    status: HTTPStatus
    headers: Headers
    body: bytes | Stream | Spooled = b""
    listed: Listed | None = None


def multistatus(
    write: Callable[[Multistatus], str | None], headers: Headers, *, listed: Listed | None = None
) -> Response:
    """Return the 207 that write renders; it returns the sync token of a report, None for any other answer.

    headers become those of the response, so that write may add to them.
    """

    def render(out: Callable[[bytes], object]) -> None:
        answer = Multistatus(out)
        answer.close(sync_token=write(answer))

    headers.insert(0, ("Content-Type", CONTENT_TYPE))
    return Response(HTTPStatus.MULTI_STATUS, headers, Spooled(render), listed)


def validators(resource: Resource | PartResource) -> Headers:
    """Return ETag and Last-Modified of a resource, or of a part of a message."""
    headers = [("Last-Modified", render_http_date(resource.modified_us // 1_000_000))]
    if resource.etag is not None:
        headers.append(("ETag", f'"{resource.etag}"'))
    return headers
