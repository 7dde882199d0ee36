"""COPY of a part of a message: its decoded bytes become a resource of their own, as by a PUT (RFC 4918 §9.8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from davstore.engine import opening, transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide_copy_of_part
from davstore.engine.opening import OpenPart
from davstore.engine.receiving import Incoming, receive
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Writer
from davstore.errors import Unavailable
from davstore.model.conditions import NONE, Preconditions
from davstore.model.paths import PartPath, Path

TRIES = 5
"""Of a message that other clients replace while one of its parts is copied."""


class _Replaced(Exception):
    """The message has another body than the one that was read."""


def copy_part(
    context: Context,
    source: PartPath,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    modified_us: int | None = None,
) -> bool:
    """Make a resource with the decoded bytes and the media type of a part; return whether its URL was unmapped.

    It is modified now unless the client says when.

    Raises:
        As `decide_copy_of_part`. SessionInfoUnique: it would be the second one of a session history.
        QuotaExceeded, DiskFull: no room; what is at the destination stays.
        Unavailable: the message is replaced faster than it can be read.
    """
    for _ in range(TRIES):
        part = opening.open_part(context, source, conditions)
        try:
            with closing(part.body):
                return _file(context, source, destination, part, conditions, overwrite, modified_us)
        except _Replaced:
            continue
    raise Unavailable("the message is replaced again and again")


def _file(
    context: Context,
    source: PartPath,
    destination: Path,
    part: OpenPart,
    conditions: Preconditions,
    overwrite: bool,
    modified_us: int | None,
) -> bool:
    def check(writer: Writer) -> int:
        _, member = decide_copy_of_part(writer, source, destination, conditions, overwrite=overwrite)
        return 0 if member.resource is None else member.resource.length or 0

    def work(writer: Writer) -> bool:
        found, member = decide_copy_of_part(writer, source, destination, conditions, overwrite=overwrite)
        if found.etag != part.resource.etag:
            raise _Replaced
        require_one_info(writer, member, received.type)
        over, content_type = member.resource, found.content_type
        if over is not None:
            writer.unbind(member)
        writer.make(member, received, content_type=content_type, modified_us=modified_us, over=over)
        return over is None

    body = Incoming(_Pieces(part.body.read_once()), part.resource.length)
    with receive(context, destination, body, check) as received:
        return transaction.write(context, destination, work)


class _Pieces:
    """Pieces of bytes as the body of a request."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes, b'' at the end."""
        piece = self._rest or next(self._pieces, b"")
        self._rest = piece[size:]
        return piece[:size]
