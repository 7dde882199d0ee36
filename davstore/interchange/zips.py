"""Zip files of directories. Nothing in them is believed: names lead down only, and they unpack to a bounded length."""

from __future__ import annotations

import contextlib
import re
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from davstore.errors import Malformed, Unprocessable
from davstore.interchange.items import Entry, Folder, Item, LeftOut, Stream
from davstore.interchange.names import legal_name

MOST_TIMES: Final = 200
"""How many times its own length a zip may unpack to, beside `FREE_BYTES`: ten times what text comes to."""
FREE_BYTES: Final = 1 << 27
_ENCRYPTED: Final = 1
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""The errors of a member that cannot be read: lzma and bz2 have ValueError and OSError."""


def each_entry(file: Path) -> Iterator[Entry]:
    """Return the members of a zip in the order of their names.

    Raises:
        Unprocessable: the file is no zip, or would unpack to more than any real one does. OSError.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (*_DAMAGE[:-1],) as error:
        raise Unprocessable(f"{file}: no zip that can be read: {error}") from error
    most = MOST_TIMES * file.stat().st_size + FREE_BYTES
    if (told := sum(member.file_size for member in archive.infolist())) > most:
        archive.close()
        raise Unprocessable(f"{file}: would unpack to {told} bytes; more than {most} is not believed")
    return _each(archive, file)


def _each(archive: zipfile.ZipFile, file: Path) -> Iterator[Entry]:
    with archive:
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            yield from _each_of_member(archive, member, f"{file}: {member.orig_filename!r}")


def _each_of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Iterator[Entry]:
    wrong = _find_wrong(member)
    if wrong:
        yield LeftOut(where, wrong, source_bytes=member.file_size)
        return
    names = tuple(map(legal_name, _names(member)))
    if member.is_dir():
        yield Folder(names, where)
        return
    open_ = partial(_open, archive, member)
    yield Item(names[:-1], names[-1], where, open_, member.file_size, member.file_size, _find_time(member))


def _names(member: zipfile.ZipInfo) -> list[str]:
    return [name for name in member.filename.replace("\\", "/").split("/") if name not in ("", ".")]


def _find_wrong(member: zipfile.ZipInfo) -> str | None:
    """Return the reason for which a member is left out, if there is one."""
    plain, names = member.orig_filename.replace("\\", "/"), _names(member)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if "\0" in plain or not (names or member.is_dir()):
        return "no name"
    if plain.startswith("/") or _DRIVE.match(plain) or ".." in names:
        return "a name that leads out of the zip"
    if any(name.startswith(".") for name in names):
        return "hidden"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link, which is not followed" if kind == stat.S_IFLNK else "no plain file"
    return None


class _Member:
    """The bytes of a member, no more than it has by its own word."""

    def __init__(self, opened: Stream) -> None:
        self._opened = opened

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""
        try:
            return self._opened.read(size)
        except _DAMAGE as error:
            raise Malformed(f"damaged in the zip: {error}") from error


@contextlib.contextmanager
def _open(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[Stream]:
    try:
        opened = archive.open(member)
    except _DAMAGE as error:
        raise Malformed(f"cannot be unpacked: {error}") from error
    with opened:
        yield _Member(opened)


def _find_time(member: zipfile.ZipInfo) -> int | None:
    """Return when a member was modified: UTC where Info-ZIP tells it, else local time, as DOS has it."""
    extra = member.extra
    while len(extra) >= 9:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455 and length >= 5 and extra[4] & 1:
            return int(struct.unpack_from("<i", extra, 5)[0]) * 1_000_000
        extra = extra[4 + length :]
    try:
        return int(time.mktime((*member.date_time, 0, 0, -1))) * 1_000_000
    except (ValueError, OverflowError):
        return None
