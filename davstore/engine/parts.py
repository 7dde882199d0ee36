"""Parts of messages as resources: found by number, and read without their transfer encoding (RFC 2045 §6).

A part is made of bytes of its message's body: it lives, and is modified, with that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Protocol

from davstore.model.facets import MESSAGE, Facts
from davstore.model.messages import Part, PartResource
from davstore.model.nodes import Resource
from davstore.protocol.message.part_types import content_type_of
from davstore.protocol.message.transfer import decode

_IDENTITIES: Final = frozenset({"7bit", "8bit", "binary"})
_PATH: Final = re.compile(r"[/\\]")
"""The separators of a file name that was declared with the directories of its sender."""


class Readable(Protocol):
    """The body of a message, open for reading."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of [start, stop) in pieces."""

    def close(self) -> None:
        """Close it."""


class PartBody:
    """The bytes of a part, decoded. They are decoded anew for each reading, so that none of them are held.

    A part that needs no decoding is read from the bytes of the message by their place. A part has no digest.
    """

    sha256: None = None
    checksums: None = None

    def __init__(self, message: Readable, part: Part) -> None:
        self._message = message
        self._part = part

    @cached_property
    def length(self) -> int:
        """The number of bytes; it takes reading the part once, unless it needs no decoding."""
        if is_plain(self._part):
            return self._part.stop - self._part.start
        return sum(map(len, self.read_once()))

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of [start, stop) in pieces. Raises CorruptBlob when those of the message are not there."""
        part = self._part
        if is_plain(part):
            yield from self._message.read(part.start + start, part.start + stop)
            return
        at = 0
        for piece in self.read_once():
            wanted = piece[max(start - at, 0) : stop - at]
            if wanted:
                yield wanted
            at += len(piece)
            if at >= stop:
                return

    def read_once(self) -> Iterator[bytes]:
        """Yield all the bytes in pieces, none of them empty; their number is not needed. Raises as `read`."""
        part = self._part
        pieces = self._message.read(part.start, part.stop)
        return pieces if is_plain(part) else filter(None, decode(pieces, part.encoding))

    def close(self) -> None:
        """Close the body of the message."""
        self._message.close()


def is_plain(part: Part) -> bool:
    """Tell whether a part is the bytes of its message as they are: composite types have no encoding (RFC 2045 §6.4)."""
    return part.encoding in _IDENTITIES or part.media_type.startswith("multipart/")


def find_part(facts: Facts, resource: Resource, number: str) -> tuple[PartResource, Part] | None:
    """Return the part of a resource that has a number; None when there is none, as of what is no message."""
    message = facts.of(MESSAGE).get(resource.node_id)
    part = None if message is None else next((one for one in message.parts if one.number == number), None)
    return None if part is None else (as_resource(resource, part), part)


def as_resource(message: Resource, part: Part) -> PartResource:
    """Return a part of a message as a resource."""
    name = None if part.filename is None else _PATH.split(part.filename)[-1]
    return PartResource(
        message.node_id,
        part.number,
        name or f"part-{part.number}",
        f"{message.etag}.{part.number}",
        part.stop - part.start if is_plain(part) else None,
        content_type_of(part),
        message.created_us,
        message.modified_us,
        message.modified_by,
        part.filename,
        part.disposition,
        part.content_id,
    )
