"""Targets of an export for mail: a Maildir with its folders, and an mbox for each folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from davstore.interchange import flags, maildir, mbox
from davstore.interchange.files import NEW, Writing, sync_directory
from davstore.interchange.items import Outgoing
from davstore.interchange.names import substitute
from davstore.interchange.targets import Directories, Marked, Names, is_same, make_directory

MOST_NAME_BYTES: Final = 200
"""The longest name of a file in a Maildir before its flags and keywords, which need room behind it."""
NO_MAIL: Final = "no message: --format files has it"
MBOX: Final = "mbox"
"""The file of the messages of a folder, in the directory of the folder."""


class Maildir:
    """A Maildir, with the folders beneath its top as Maildir++ has them, and keywords as Dovecot has them."""

    def __init__(self, marked: Marked) -> None:
        self._marked, self._writing = marked, Writing()
        self._directory = marked.top
        self._there: dict[str, Path] = {}
        self._letters: dict[str, str] = {}
        self._known, self._renamed = 0, False
        self._names = Names(folds_case=marked.folds_case)

    def begin(self, folder: tuple[str, ...]) -> None:
        """Make the directories of a folder, and look at what an earlier export left there."""
        self._directory = self._marked.top / maildir.subfolder_directory(folder)
        for directory in (self._directory, *(self._directory / part for part in maildir.PARTS)):
            if directory != self._marked.top:
                make_directory(directory)
        self._writing.begin(self._directory, within=self._directory / "tmp")
        if folder:
            self._writing.write(self._directory / "maildirfolder", [])
        self._there = {
            file.name.partition(":")[0]: file for part in ("new", "cur") for file in (self._directory / part).iterdir()
        }
        self._letters = {keyword: letter for letter, keyword in maildir.read_keywords(self._directory).items()}
        self._known = len(self._letters)
        self._names = Names(folds_case=self._marked.folds_case)

    def write(self, one: Outgoing) -> str:
        """Write a message, with its flags in the name of the file."""
        if not one.is_mail:
            return NO_MAIL
        keywords = flags.keywords_of(one.flags, one.keywords, flags.MAILDIR_LETTERS)
        lost = [keyword for keyword in keywords if not self._has_letter(keyword)]
        unique = self._unique(one.name)
        file = self._directory / "cur" / f"{unique}{maildir.info_of(one.flags, self._letters, keywords)}"
        old = self._there.get(unique)
        if old is None or not is_same(old, one):
            self._writing.write(file, one.pieces(), modified_us=one.modified_us)
            if old is not None and old != file:
                self._writing.finish()
                old.unlink()
        elif old != file:
            old.replace(file)
            self._renamed = True
        return f"without the keywords {' '.join(lost)}: a folder of Maildir has 26" if lost else ""

    def _has_letter(self, keyword: str) -> bool:
        """Tell whether a keyword has a letter in this folder, and give it one if there is one left."""
        if keyword not in self._letters:
            free = next((mark for mark in maildir.LETTERS if mark not in self._letters.values()), None)
            if free is None or "\n" in keyword:
                return False
            self._letters[keyword] = free
        return True

    def _unique(self, name: str) -> str:
        """Return the name of a message's file without flags: that of the message, without `.eml` where that is free."""
        plain = name.removesuffix(maildir.ENDING)
        wanted = [
            word
            for word in (plain, name)
            if word and ":" not in word and word[0] != "." and len(word.encode()) <= MOST_NAME_BYTES
        ]
        other = substitute(name.replace(":", "_").lstrip(".")).encode()[-MOST_NAME_BYTES:]
        return self._names.choose(*wanted, other.decode(errors="ignore"))

    def finish(self) -> None:
        """Bring messages and keywords of the folder to the disk."""
        if len(self._letters) > self._known:
            numbers = sorted((maildir.LETTERS.index(letter), keyword) for keyword, letter in self._letters.items())
            lines = "".join(f"{number} {keyword}\n" for number, keyword in numbers)
            self._writing.write(self._directory / maildir.KEYWORDS_FILE, [lines.encode()])
        self._writing.finish()
        if self._renamed:
            sync_directory(self._directory / "cur")
            self._renamed = False


class Mbox:
    """A file `mbox` in the directory of each folder that has messages, written anew each time."""

    def __init__(self, marked: Marked) -> None:
        self._directories = Directories(marked, MBOX)
        self._directory = marked.top
        self._descriptor = -1

    def begin(self, folder: tuple[str, ...]) -> None:
        """Make the directory of a folder."""
        self._directory = self._directories.make(folder)

    def write(self, one: Outgoing) -> str:
        """Append a message; one that cannot be read to its end is taken off again."""
        if not one.is_mail:
            return NO_MAIL
        if self._descriptor < 0:
            kind = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._directory / f"{MBOX}{NEW}", kind, 0o600)
        start = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            for piece in mbox.render_message(one):
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except BaseException:
            os.ftruncate(self._descriptor, start)
            os.lseek(self._descriptor, start, os.SEEK_SET)
            raise
        return ""

    def finish(self) -> None:
        """Bring the mbox of the folder to the disk, and give it its name."""
        if self._descriptor < 0:
            return
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
        (self._directory / f"{MBOX}{NEW}").replace(self._directory / MBOX)
        sync_directory(self._directory)
