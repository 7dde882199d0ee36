"""Zip files that are written as they are sent: members are stored, so that the length is known before."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Final, NamedTuple, cast

from davstore.errors import LimitNotSupported

MOST_BYTES: Final = 2_000_000_000
"""The content of one zip: up to here it needs no extension, which some programs do not read."""
_FILE, _DIRECTORY = 0o100644 << 16, 0o040755 << 16 | 0x10
_TIMES: Final = 0x5455
"""The extra field of Info-ZIP that tells times in UTC."""
_FIRST_S, _LAST_S = 315_532_800, 4_354_819_198
"""The seconds since the epoch that the dates of DOS can tell: 1980 to 2107."""
_MOST_S: Final = 2**31 - 1


class Member(NamedTuple):
    """A member of a zip: its path, which ends in a slash if it is a directory, and how to read its bytes."""

    path: str
    modified_us: int
    length: int = 0
    pieces: Callable[[], Iterable[bytes]] = tuple


def find_length(members: Sequence[Member]) -> int:
    """Return how many bytes a zip of some members has. Raises LimitNotSupported: it would need the extension."""
    heads = sum(map(len, each_piece([member._replace(pieces=tuple) for member in members])))
    length = heads + sum(member.length for member in members)
    if length > zipfile.ZIP64_LIMIT:
        raise LimitNotSupported("a zip of more than 2 GiB")
    return length


def each_piece(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield the bytes of a zip; those of a member are read when its turn comes."""
    out = _Sink()
    with zipfile.ZipFile(cast(IO[bytes], out), "w") as archive:
        for member in members:
            with archive.open(_describe(member), "w") as file:
                for piece in member.pieces():
                    file.write(piece)
                    yield out.take()
        yield out.take()
    yield out.take()


def _describe(member: Member) -> zipfile.ZipInfo:
    seconds = member.modified_us // 1_000_000
    told = datetime.fromtimestamp(min(max(seconds, _FIRST_S), _LAST_S), UTC)
    info = zipfile.ZipInfo(member.path, told.timetuple()[:6])
    info.external_attr = _DIRECTORY if info.is_dir() else _FILE
    info.create_system = 3  # Unix, whose modes these are
    if 0 <= seconds <= _MOST_S:
        info.extra = struct.pack("<HHBl", _TIMES, 5, 1, seconds)
    return info


class _Sink:
    """A file that cannot be read back: what is written is taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
