"""The comparison of messages by what they carry, whatever their headers are."""

from __future__ import annotations

import hashlib

from davstore.engine.opening import each_piece, read_beginning
from davstore.engine.writer import Writer
from davstore.metadata.bodies import Stored
from davstore.protocol.message.reading import WINDOW_BYTES, find_entity


def carry_the_same(writer: Writer, one: Stored, other: Stored) -> bool:
    """Tell whether two messages carry equal entities: a CPIM by type and bytes, a mail by the bytes of its body.

    Of long ones nothing is read but the beginning, unless what they carry is equally long. Raises CorruptBlob.
    """
    if one.sha256 == other.sha256:
        return True
    found = [find_entity(read_beginning(writer, stored, WINDOW_BYTES)) for stored in (one, other)]
    (mine, theirs), lengths = found, (one.length - found[0].start, other.length - found[1].start)
    if mine.cpim_type != theirs.cpim_type or lengths[0] != lengths[1]:
        return False
    return _digest(writer, one, mine.start) == _digest(writer, other, theirs.start)


def _digest(writer: Writer, stored: Stored, start: int) -> bytes:
    digest = hashlib.sha256()
    for piece in each_piece(writer, stored, start):
        digest.update(piece)
    return digest.digest()
