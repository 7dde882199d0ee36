"""One response to GET, which may continue a download (Range, If-Range and Content-Range: RFC 9110 §13.1.5, §14)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Protocol

from davstore.client.transport import HTTPError, ProtocolError, Response, describe
from davstore.model.limits import BLOCK_BYTES
from davstore.protocol.http.dates import parse_http_date

_STRONG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)", re.IGNORECASE)


class Sink(Protocol):
    """The target of a download. It holds the first size bytes of the content with this strong entity tag, or ''."""

    size: int
    etag: str

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def restart(self, etag: str) -> None:
        """Drop the bytes held: the next ones begin the content with this entity tag."""


class Fetched(NamedTuple):
    """A file as its response describes it: its strong entity tag or '', and its time of modification, in seconds."""

    etag: str
    modified: int | None


class BrokenOffError(Exception):
    """The body of a response ended early."""


def range_after(sink: Sink) -> dict[str, str]:
    """Return the headers that ask for the rest of the content that sink begins; none without a strong entity tag."""
    if not sink.size or not _STRONG.fullmatch(sink.etag):
        return {}
    return {"Range": f"bytes={sink.size}-", "If-Range": sink.etag}


def goes_on(response: Response, sink: Sink) -> bool:
    """Tell whether a response begins where sink ends, in the same content."""
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    begins = response.status == 206 and found is not None and int(found[1]) == sink.size
    return begins and find_etag(response) in ("", sink.etag)


def receive(response: Response, sink: Sink) -> Fetched:
    """Write the body of a response to sink: a part (206) after the bytes it holds, any other in their place.

    Raises:
        BrokenOffError: the body ended early; sink holds the bytes that came.
    """
    if response.status == 206:
        total = response.headers["Content-Range"].rpartition("/")[2]
    else:
        sink.restart(find_etag(response))
        total = response.headers.get("Content-Length", "")
    try:
        for chunk in response.stream(BLOCK_BYTES):
            sink.write(chunk)
        if total.isascii() and total.isdigit() and int(total) != sink.size:
            raise ProtocolError(f"{sink.size} bytes instead of {total}")
    except HTTPError as cause:
        raise BrokenOffError(describe(cause)) from cause
    return Fetched(sink.etag, find_modified(response))


def find_etag(response: Response) -> str:
    """Return the strong entity tag of a response, or ''. A weak one does not prove that content is the same."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag


def find_modified(response: Response) -> int | None:
    """Return the Last-Modified of a response in whole seconds since the epoch, or None."""
    return parse_http_date(response.headers.get("Last-Modified"))
