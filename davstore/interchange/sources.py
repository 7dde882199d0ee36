"""Sources of an import, known by looking at them: a directory, a Maildir, an mbox, a zip, or one file of any kind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from davstore.errors import Unprocessable
from davstore.interchange import mbox, trees, zips
from davstore.interchange.items import Entry

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins, an empty one too. Documents and programs do as well: only what is called a zip is unpacked."""


def each_entry(source: Path, without: Path) -> Iterator[Entry]:
    """Return all that a source holds, but for the directory `without`, which is named as `Path.resolve` does.

    Raises:
        Unprocessable: there is no such source, or it cannot be read as what it is. OSError.
    """
    if source.is_dir():
        return trees.each_entry(source, without)
    if not source.is_file():
        raise Unprocessable(f"{source}: {'no file and no directory' if source.exists() else 'nothing is there'}")
    source = source.resolve()
    with source.open("rb") as opened:
        begin = opened.read(len(_ZIP[0]))
    if source.suffix.lower() in (".zip", "") and begin in _ZIP:
        return zips.each_entry(source)
    is_mail = source.suffix.lower() == ".eml"
    if begin and not is_mail and trees.is_mbox(source):
        return mbox.each_message(source, ())
    if source.name.lower().endswith("mbox") and not begin:
        return iter(())
    return iter((trees.single_file(source),))


def sum_bytes(source: Path) -> int:
    """Return how many bytes a source has, about: those of its files."""
    if not source.is_dir():
        return source.stat().st_size
    total = 0
    for directory, _, names in os.walk(source):
        for name in names:
            try:
                total += (Path(directory) / name).lstat().st_size
            except OSError:
                continue
    return total
