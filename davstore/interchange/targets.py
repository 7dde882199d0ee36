"""Targets of an export: what Maildir, mbox and plain files have in common.

The file `.davstore-export` in its top tells what a directory is an export of; into a directory with anything else in it
nothing is written. An export that is run again goes on with what it lacks. Nothing that it did not write is replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from davstore.errors import Malformed, Unprocessable
from davstore.interchange.files import NEW, Writing, open_file
from davstore.interchange.items import Outgoing
from davstore.interchange.names import substitute
from davstore.interchange.trees import MARKER, read_marker
from davstore.model.limits import BLOCK_BYTES


class Target(Protocol):
    """A form that resources go out in, folder by folder."""

    def begin(self, folder: tuple[str, ...]) -> None:
        """Begin a folder, and make its directory. Raises OSError."""

    def write(self, one: Outgoing) -> str:
        """Write a resource of the folder, or find it written; return the reason if it has no place in this form.

        Raises: OSError, CorruptBlob: it is not written.
        """

    def finish(self) -> None:
        """Bring what was written of the folder to the disk. Raises OSError."""


class Marked:
    """The directory of an export, with the file that tells so. It names the store by its owner and the instance."""

    def __init__(self, top: Path, form: str, owner: str, instance: str | None) -> None:
        self.top, self._facts = top, {"format": form, "owner": owner, "instance": instance}
        self.folds_case = False

    def open(self) -> None:
        """Make the directory, or take an earlier export of the same.

        Raises:
            Unprocessable: it holds something else. OSError.
        """
        self.top.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker = self.top / MARKER
        if marker.is_symlink() or not marker.is_file():
            if any(not name.name.endswith(NEW) for name in self.top.iterdir()):
                raise Unprocessable(f"{self.top}: not empty, and no export")
            writing = Writing()
            writing.write(marker, [json.dumps(self._facts).encode() + b"\n"])
            writing.finish()
        elif read_marker(self.top) != self._facts:
            raise Unprocessable(f"{self.top}: an export of something else, or in another format")
        self.folds_case = (self.top / MARKER.upper()).exists()


class Names:
    """The names that files of one folder got: none twice, on file systems that fold case neither."""

    def __init__(self, *, folds_case: bool, taken: Iterable[str] = ()) -> None:
        self._folds_case = folds_case
        self._taken = {self._fold(name) for name in taken}

    def choose(self, *wanted: str) -> str:
        """Return the first that no other file has, and that the file system can hold; the last is its own."""
        name = next((name for name in wanted[:-1] if self._fold(name) not in self._taken), wanted[-1])
        self._taken.add(self._fold(name))
        return name

    def _fold(self, name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold() if self._folds_case else name


def is_same(file: Path, one: Outgoing) -> bool:
    """Tell whether a file holds the bytes of a resource, and give it the time of it. Raises OSError."""
    try:
        with open_file(file) as opened:
            facts, digest = os.fstat(opened.fileno()), hashlib.sha256()
            if facts.st_size != one.length:
                return False
            while piece := opened.read(BLOCK_BYTES):
                digest.update(piece)
    except (FileNotFoundError, Malformed):
        return False
    if digest.hexdigest() != one.etag:
        return False
    if facts.st_mtime_ns // 1_000 != one.modified_us:
        os.utime(file, ns=(one.modified_us * 1_000, one.modified_us * 1_000), follow_symlinks=False)
    return True


def make_directory(directory: Path) -> None:
    """Make a directory, or take the one that is there. Raises OSError, Unprocessable: it is a link."""
    if directory.is_symlink():
        raise Unprocessable(f"{directory}: a link, which is not followed")
    directory.mkdir(exist_ok=True, mode=0o700)


class Directories:
    """The directories of an export's folders, with names that the file system can hold beside each other."""

    def __init__(self, marked: Marked, *reserved: str) -> None:
        self._marked, self._reserved = marked, {MARKER, *reserved}
        self._of: dict[tuple[str, ...], Path] = {(): marked.top}
        self._names: dict[Path, Names] = {}

    def make(self, folder: tuple[str, ...]) -> Path:
        """Make the directory of a folder; those above it were made before. Raises OSError, Unprocessable: a link."""
        if folder:
            above = self._of[folder[:-1]]
            self._of[folder] = above / self.choose(above, folder[-1])
            make_directory(self._of[folder])
        return self._of[folder]

    def choose(self, directory: Path, name: str) -> str:
        """Return the name of a file or directory in a directory: a substitute where its own cannot be."""
        if directory not in self._names:
            self._names[directory] = Names(folds_case=self._marked.folds_case, taken=self._reserved)
        wanted = substitute(name)
        return self._names[directory].choose(*(() if name.endswith(NEW) else (name,)), wanted)


class Files:
    """Plain files in the tree of their folders, every kind."""

    def __init__(self, marked: Marked) -> None:
        self._directories, self._writing = Directories(marked), Writing()
        self._directory = marked.top

    def begin(self, folder: tuple[str, ...]) -> None:
        """Make the directory of a folder."""
        self._directory = self._directories.make(folder)
        self._writing.begin(self._directory)

    def write(self, one: Outgoing) -> str:
        """Write a file under its name, or a substitute where the file system cannot hold both."""
        file = self._directory / self._directories.choose(self._directory, one.name)
        if file.is_dir():
            return "an earlier export has a folder there"
        if not is_same(file, one):
            self._writing.write(file, one.pieces(), modified_us=one.modified_us)
        return ""

    def finish(self) -> None:
        """Bring the files of the folder to the disk."""
        self._writing.finish()
