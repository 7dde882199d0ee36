"""Zip files of directories, and the mailboxes among them.

Nothing in them is believed: names lead down only, and they unpack to a bounded length.
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from davstore.errors import Malformed, Unprocessable
from davstore.interchange import maildir, mbox, postmarks, trees
from davstore.interchange.items import Entry, Folder, Item, LeftOut, Stream
from davstore.interchange.names import decode_utf7, legal_name
from davstore.model.limits import BLOCK_BYTES
from davstore.model.states import NO_CHANGE, StateChange

MOST_TIMES: Final = 200
"""How many times its own length a zip may unpack to, beside `FREE_BYTES`: ten times what text comes to."""
FREE_BYTES: Final = 1 << 27
_Names = tuple[str, ...]
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
    return _Zip(archive, file).each()


class _Zip:
    """An open zip. It has the keywords of each folder of Maildir in it, by the names of the directory."""

    def __init__(self, archive: zipfile.ZipFile, file: Path) -> None:
        self._archive, self._file = archive, file
        self._boxes: dict[_Names, Mapping[str, str]] = {}
        self._form: object = None

    def each(self) -> Iterator[Entry]:
        """Yield all in it, as `trees.each_entry` does of a directory."""
        with self._archive:
            members = sorted(self._archive.infolist(), key=lambda member: member.filename)
            by_names = {_names(member): member for member in members if not _find_wrong(member)}
            self._form = self._find_form(by_names.get((trees.MARKER,)))
            if self._form != trees.FILES:
                self._find_boxes(by_names)
            for member in members:
                yield from self._each_of_member(member, f"{self._file}: {member.orig_filename!r}")

    def _find_form(self, marker: zipfile.ZipInfo | None) -> object:
        """Return the format of the export that was packed, None where it is another's directory."""
        try:
            facts = json.loads(self._begin(marker, trees.MOST_MARKER_BYTES))
        except (ValueError, RecursionError):
            return None
        return facts.get("format") if isinstance(facts, dict) else None

    def _find_boxes(self, by_names: Mapping[_Names, zipfile.ZipInfo]) -> None:
        directories = {names if member.is_dir() else names[:-1] for names, member in by_names.items()}
        for box in [names[:-1] for names in directories if names[-1:] == ("cur",)]:
            if (*box, "new") in directories or (*box, "tmp") in directories:
                notes = by_names.get((*box, maildir.KEYWORDS_FILE))
                self._boxes[box] = maildir.parse_keywords(self._begin(notes, maildir.MOST_KEYWORDS_BYTES))

    def _begin(self, member: zipfile.ZipInfo | None, most_bytes: int) -> bytes:
        """Return how a member begins: b'' where there is none, or none that can be read."""
        if member is None:
            return b""
        try:
            with _open(self._archive, member) as stream:
                return stream.read(most_bytes)
        except Malformed:
            return b""

    def _each_of_member(self, member: zipfile.ZipInfo, where: str) -> Iterator[Entry]:
        names = _names(member)
        wrong = _find_wrong(member)
        folder = None if wrong else self._find_folder(names if member.is_dir() else names[:-1])
        if folder is None:
            yield LeftOut(where, wrong or "hidden", source_bytes=member.file_size)
        elif member.is_dir():
            yield Folder(folder, where)
        else:
            yield from self._each_of_file(member, folder, where)

    def _find_folder(self, directories: _Names) -> _Names | None:
        """Return the folder for a directory; None where one of its names is hidden."""
        folder: list[str] = []
        for count, name in enumerate(directories):
            above, here = directories[:count], directories[: count + 1]
            if above in self._boxes and name in maildir.PARTS:
                continue
            if self._form is not None and above not in self._boxes:
                folder.append(legal_name(name))
            elif not name.startswith("."):
                folder.append(legal_name(decode_utf7(name) if here in self._boxes else name))
            elif above in self._boxes and here in self._boxes:
                folder += maildir.subfolder_names(name)
            else:
                return None
        return tuple(folder)

    def _each_of_file(self, member: zipfile.ZipInfo, folder: _Names, where: str) -> Iterator[Entry]:
        *above, last = _names(member)
        part = above[-1] if above and above[-1] in maildir.PARTS and tuple(above[:-1]) in self._boxes else None
        if last == trees.MARKER or part == "tmp":
            return
        is_hidden = last.startswith(".") and self._form != trees.FILES
        is_control = maildir.is_control(last) and (is_hidden or tuple(above) in self._boxes)
        if is_hidden or is_control:
            yield LeftOut(where, "hidden", is_control=is_control, source_bytes=member.file_size)
        elif part is not None:
            states = maildir.message_states(last, self._boxes[tuple(above[:-1])], is_new=part == "new")
            yield self._item(member, folder, maildir.message_name(last), where, states)
        elif (below := self._find_mbox_folder(member, last, folder)) is not None:
            yield Folder(below, where)
            yield from self._each_message(member, below, where)
        else:
            yield self._item(member, folder, legal_name(last), where)

    def _find_mbox_folder(self, member: zipfile.ZipInfo, name: str, folder: _Names) -> _Names | None:
        if self._form == trees.FILES:
            return None
        return trees.mbox_folder(name, folder, partial(self._begin, member, postmarks.MOST_BYTES))

    def _each_message(self, member: zipfile.ZipInfo, folder: _Names, where: str) -> Iterator[Entry]:
        """Yield the messages of an mbox, from a copy of it: they are read at any place."""
        with tempfile.NamedTemporaryFile() as copy:
            try:
                with _open(self._archive, member) as stream:
                    while piece := stream.read(BLOCK_BYTES):
                        copy.write(piece)
            except Malformed as error:
                yield LeftOut(where, str(error), source_bytes=member.file_size)
                return
            copy.flush()
            for one in mbox.each_message(Path(copy.name), folder):
                yield one._replace(where=where + one.where.removeprefix(copy.name))

    def _item(
        self, member: zipfile.ZipInfo, folder: _Names, name: str, where: str, states: StateChange = NO_CHANGE
    ) -> Item:
        open_ = partial(_open, self._archive, member)
        size = member.file_size
        return Item(folder, name, where, open_, size, size, _find_time(member), states)


def _names(member: zipfile.ZipInfo) -> _Names:
    return tuple(name for name in member.filename.replace("\\", "/").split("/") if name not in ("", "."))


def _find_wrong(member: zipfile.ZipInfo) -> str | None:
    """Return the reason for which a member is left out, if there is one."""
    plain, names = member.orig_filename.replace("\\", "/"), _names(member)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if "\0" in plain or not (names or member.is_dir()):
        return "no name"
    if plain.startswith("/") or _DRIVE.match(plain) or ".." in names:
        return "a name that leads out of the zip"
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
