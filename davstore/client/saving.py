"""Attachments as files: under names that do no harm, never over a file, never outside the directory."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from davstore.client.exit_status import NOT_TRANSFERRED, Stop
from davstore.client.local_names import MAX_NAME_BYTES
from davstore.client.titles import cut
from davstore.model.messages import Part

_AWKWARD: Final = re.compile(r'[<>:"|?*]')
_MAX_SUFFIX_BYTES: Final = 32
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def safe_name(part: Part) -> str:
    """Return a file name for a part: the last name of its own, without what means something to a system."""
    name = re.split(r"[/\\]", part.filename or "")[-1]
    name = "".join(mark for mark in name if mark.isprintable())
    name = _AWKWARD.sub("_", name).strip(". ")
    if not name:
        name = f"part-{part.number}{mimetypes.guess_extension(part.media_type) or ''}"
    return _numbered(name, 1)


def save(directory: Path, part: Part, content: Iterable[bytes]) -> str:
    """Write a part to a new file in a directory, which is made if it is missing; return the name of the file.

    Raises:
        Stop: (not transferred) it cannot be written.
    """
    try:
        directory.mkdir(exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return _write(folder, safe_name(part), content)
        finally:
            os.close(folder)
    except OSError as cause:
        raise Stop(NOT_TRANSFERRED, f"{directory}: {cause.strerror}") from cause


def _write(folder: int, wanted: str, content: Iterable[bytes]) -> str:
    name, handle = _make(folder, wanted)
    try:
        with os.fdopen(handle, "wb") as file:
            for block in content:
                file.write(block)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    return name


def _make(folder: int, wanted: str) -> tuple[str, int]:
    number = 1
    while True:
        name = _numbered(wanted, number)
        try:
            return name, os.open(name, _NEW_FILE, 0o666, dir_fd=folder)
        except FileExistsError:
            number += 1


def _numbered(name: str, number: int) -> str:
    """Return a name of at most 255 bytes, from the second on with a number in front of its suffix."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:
        stem, suffix = name, ""
    mark = (f" ({number})" if number > 1 else "") + suffix
    return cut(stem, MAX_NAME_BYTES - len(mark.encode())) + mark
