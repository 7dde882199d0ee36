"""Directories: files as they are, and the mailboxes among them, Maildir and mbox. Links are not followed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from davstore.errors import Malformed
from davstore.interchange import maildir, mbox, postmarks
from davstore.interchange.files import NEW, open_file
from davstore.interchange.items import Entry, Folder, Item, LeftOut
from davstore.interchange.names import decode_utf7, legal_name
from davstore.model.states import NO_CHANGE, StateChange

MARKER: Final = ".davstore-export"
"""The file in the top of an export that tells what it is, as JSON."""
MOST_MARKER_BYTES: Final = 1 << 16
FILES: Final = "files"
"""The format of an export whose files are nothing but files."""
_MBOX: Final = ".mbox"
"""The extension of mbox files. Those of another are not looked at: a single mail may begin with a postmark."""


def each_entry(top: Path, without: Path) -> Iterator[Entry]:
    """Yield all in a directory and beneath it, folder by folder in the order of their names.

    The directory `without` is left out, which is named as `Path.resolve` does. In an export of davstore hidden files
    are content; in one of plain files all are, and none is a mailbox.
    """
    marker = read_marker(top)
    form = marker.get("format") if isinstance(marker, dict) else None
    waiting: list[tuple[Path, tuple[str, ...]]] = [(top, ())]
    while waiting:
        directory, folder = waiting.pop()
        if directory.resolve() == without:
            yield LeftOut(str(directory), "the data directory of a store")
            continue
        try:
            with os.scandir(directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield LeftOut(str(directory), error.strerror or "cannot be read")
            continue
        yield Folder(folder, str(directory))
        is_mailbox = form != FILES and maildir.is_maildir(directory)
        if is_mailbox:
            yield from _each_message(directory, folder)
        below: list[tuple[Path, tuple[str, ...]]] = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names = _folder_names(entry, is_in_mailbox=is_mailbox) if form is None or is_mailbox else (entry.name,)
                if names:
                    below.append((Path(entry.path), (*folder, *names)))
                elif names is None:
                    yield LeftOut(entry.path, "hidden", is_control=maildir.is_control(entry.name))
            elif form == FILES and entry.name != MARKER and not entry.name.endswith(NEW):
                yield _item(entry, folder, legal_name(entry.name))
            else:
                yield from _each_of_file(entry, folder, is_in_mailbox=is_mailbox)
        waiting += reversed(below)


def read_marker(top: Path) -> Any:
    """Return what the file in the top of an export says; None where there is none, or another's."""
    try:
        with open_file(top / MARKER) as opened:
            return json.loads(opened.read(MOST_MARKER_BYTES))
    except (OSError, Malformed, ValueError, RecursionError):
        return None


def _folder_names(entry: os.DirEntry[str], *, is_in_mailbox: bool) -> tuple[str, ...] | None:
    """Return the names that a directory adds to a folder; none for a part of a Maildir, None for a hidden one."""
    if is_in_mailbox and entry.name in maildir.PARTS:
        return ()
    if is_in_mailbox and maildir.is_control(entry.name) and not maildir.is_maildir(Path(entry.path)):
        return None
    if entry.name.startswith("."):
        is_folder = is_in_mailbox and maildir.is_maildir(Path(entry.path))
        return maildir.subfolder_names(entry.name) if is_folder else None
    name = decode_utf7(entry.name) if maildir.is_maildir(Path(entry.path)) else entry.name
    return (legal_name(name),)


def _each_message(directory: Path, folder: tuple[str, ...]) -> Iterator[Entry]:
    keywords = maildir.read_keywords(directory)
    for part in ("cur", "new"):
        try:
            with os.scandir(directory / part) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield LeftOut(str(directory / part), error.strerror or "cannot be read")
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) or entry.name.startswith("."):
                yield LeftOut(entry.path, "no message of a Maildir", is_control=maildir.is_control(entry.name))
                continue
            states = maildir.message_states(entry.name, keywords, is_new=part == "new")
            yield _item(entry, folder, maildir.message_name(entry.name), states)


def _each_of_file(entry: os.DirEntry[str], folder: tuple[str, ...], *, is_in_mailbox: bool) -> Iterator[Entry]:
    if entry.name == MARKER:
        return
    is_control = maildir.is_control(entry.name) and (is_in_mailbox or entry.name.startswith("."))
    if is_control or entry.name.endswith(NEW):
        yield LeftOut(entry.path, "no mail and no file of a user", is_control=True)
    elif entry.name.startswith("."):
        yield LeftOut(entry.path, "hidden")
    elif (below := mbox_folder(entry.name, folder, partial(_read_begin, Path(entry.path)))) is not None:
        yield Folder(below, entry.path)
        yield from mbox.each_message(Path(entry.path), below)
    else:
        yield _item(entry, folder, legal_name(entry.name))


def mbox_folder(name: str, folder: tuple[str, ...], read_begin: Callable[[], bytes | None]) -> tuple[str, ...] | None:
    """Return the folder of the messages of an mbox that lies in a folder, None for another file.

    It is called `mbox` or `*.mbox`, and then may be empty, or has no extension, as mail programs call theirs (`Sent`),
    IMAP servers in modified UTF-7. read_begin returns how the file begins, None where it cannot be read.
    """
    is_called = name.lower() == "mbox" or name.lower().endswith(_MBOX)
    if not is_called and "." in name:
        return None
    begin = read_begin()
    if begin is None or not (mbox.begins_as_mbox(begin) if begin else is_called):
        return None
    if name.lower() == "mbox":
        return folder
    return (*folder, legal_name(name[: -len(_MBOX)] if is_called else decode_utf7(name)))


def _item(
    entry: os.DirEntry[str] | Path, folder: tuple[str, ...], name: str, states: StateChange = NO_CHANGE
) -> Item | LeftOut:
    path = os.fspath(entry)
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError as error:
        return LeftOut(path, error.strerror or "cannot be read")
    if not stat.S_ISREG(facts.st_mode):
        return LeftOut(path, "a link, which is not followed" if stat.S_ISLNK(facts.st_mode) else "no plain file")
    modified_us = facts.st_mtime_ns // 1_000
    return Item(folder, name, path, partial(open_file, path), facts.st_size, facts.st_size, modified_us, states)


def single_file(file: Path) -> Item | LeftOut:
    """Return one file as an item."""
    return _item(file, (), legal_name(file.name))


def is_mbox(file: Path) -> bool:
    """Tell whether a file is an mbox: it begins with a postmark, or is empty."""
    begin = _read_begin(file)
    return begin is not None and (not begin or mbox.begins_as_mbox(begin))


def _read_begin(file: Path) -> bytes | None:
    try:
        with open_file(file) as opened:
            return opened.read(postmarks.MOST_BYTES)
    except (OSError, Malformed):
        return None
