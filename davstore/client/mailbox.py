"""The messages in the folder of a device, offline: a list of them, their states, and marks that a person sets.

What a file says is remembered, so only new and changed files are read, and only their beginning.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from davstore.client.contents import Contents
from davstore.client.conversations import Conversation, Message
from davstore.client.exit_status import NOT_TRANSFERRED, Changed, Stop
from davstore.client.folder import Folder, stamp_of
from davstore.client.letters import Brief, Known
from davstore.client.local_names import RESERVED, is_unicode, reason_of
from davstore.client.questions import knows_states
from davstore.client.state import State
from davstore.client.states import NO_STATES, States, apply, mark
from davstore.client.titles import COMPUTED, list_few, name_people
from davstore.client.tree import Local, Stamp, parent_of
from davstore.model.messages import MOST_HEADER_BYTES, MessageFacts
from davstore.model.nodes import ResourceType
from davstore.model.states import Flag, StateChange
from davstore.model.threads import find_participants
from davstore.protocol.message.reading import read_message

_HEAD_BYTES: Final = 2 * MOST_HEADER_BYTES
"""Enough for all headers that facts are read from, with those of a CPIM inside of others."""
_LISTED: Final = (ResourceType.MESSAGE, ResourceType.FILE_TRANSFER)


class Letter(NamedTuple):
    """A message in the folder. at_us is its date, else the time at which the file was modified."""

    path: str
    at_us: int
    brief: Brief
    states: States

    @property
    def is_unread(self) -> bool:
        """Whether a person has yet to read it, which nobody has to who sent it."""
        return not (self.states.flags & Flag.SEEN or self.brief.is_sent)


class Mailbox:
    """The messages of one folder that was synchronised. problems: why a file could not be read, by its path."""

    def __init__(self, root: Path, state: State) -> None:
        self.folder, self._state = Folder(root), state
        self.folder.probe(state, write=False)
        self._by_inode: dict[int, str] | None = None
        self.problems: dict[str, str] = {}

    def find(self, word: Path | str) -> str:
        """Return the path of what a person names, beneath the folder or from where they are; '' is the folder.

        Raises:
            Stop: (not transferred) it is not in the folder, or nothing is there.
        """
        root, given = self.folder.root, Path(word)
        inner = Path(os.path.normpath(given))
        if inner.is_absolute() or not os.path.lexists(root / inner):
            there = Path(os.path.normpath(Path.cwd() / given))
            inner = Path(os.path.relpath(there.parent.resolve() / there.name, root)) if there.name else Path("..")
        if ".." in inner.parts:
            outside = os.path.lexists(given)
            raise Stop(
                NOT_TRANSFERRED, f"{given} is not in {root}" if outside else f"{given}: there is no such file in {root}"
            )
        path = ""
        for name in inner.parts:
            path = self.folder.spelling.meet(path, name)
        if path and not self._is_there(path):
            raise Stop(NOT_TRANSFERRED, f"{given}: there is no such file in {root}")
        return path

    def _is_there(self, path: str) -> bool:
        try:
            with self.folder.open_folder(parent_of(path)) as handle:
                return self.folder.has_member(handle, path)
        except (Changed, OSError, UnicodeEncodeError):
            return False

    @property
    def is_shared(self) -> bool:
        """Whether marks go to the server: others than davstore have no states."""
        top = self._state.find_scope("")
        return top is None or knows_states(top.token)

    # A list

    def list_letters(self, top: str) -> list[Letter]:
        """Return the messages in a folder and beneath it, the oldest first.

        Raises:
            Stop: (not transferred) it is no folder.
        """
        known, fresh = self._state.letters.load(), dict[str, Known]()
        letters: list[Letter] = []
        for path, stamp in self._walk(top):
            found = known.pop(path, None)
            if found is None or found[0] != stamp:
                found = fresh[path] = stamp, self._brief(path, stamp)
            if found[1] is not None:
                at_us = stamp.mtime_ns // 1000 if found[1].date_us is None else found[1].date_us
                letters.append(Letter(path, at_us, found[1], self.states_of(path, stamp)))
        with self._state.transaction():
            self._state.letters.put({path: found for path, found in fresh.items() if path not in self.problems})
            self._state.letters.drop(path for path in known if not top or path.startswith(f"{top}/"))
        return sorted(letters, key=lambda letter: (letter.at_us, letter.path))

    def _walk(self, top: str) -> Iterator[tuple[str, Stamp]]:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                with self.folder.open_folder(folder) as handle, os.scandir(handle) as entries:
                    found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
            except (Changed, OSError) as error:
                if folder == top:
                    raise Stop(NOT_TRANSFERRED, f"{folder or self.folder.root}: there is no such folder") from error
                self.problems[folder] = reason_of(error)
                continue
            for name, facts in found:
                if RESERVED.fullmatch(name) or not is_unicode(name):
                    continue
                path = self.folder.spelling.meet(folder, name)
                if stat.S_ISDIR(facts.st_mode):
                    waiting.append(path)
                elif stat.S_ISREG(facts.st_mode):
                    yield path, stamp_of(facts)

    def _brief(self, path: str, stamp: Stamp) -> Brief | None:
        try:
            facts = read_message(self.read(path, stamp, most=_HEAD_BYTES))
        except (Changed, OSError) as error:
            self.problems[path] = reason_of(error)
            return None
        return _brief_of(facts) if facts is not None and facts.kind in _LISTED else None

    # Conversations

    def is_conversation(self, path: str) -> bool:
        """Tell whether path is the folder of a conversation."""
        entry = self._state.remote.get(path)
        return self._state.find_fact(COMPUTED) is not None and entry is not None and entry.folder

    def list_conversations(self) -> list[Conversation]:
        """Return the conversations in the folder, the newest first.

        Raises:
            Stop: (not transferred) the folder is not one of conversations.
        """
        if self._state.find_fact(COMPUTED) is None:
            raise Stop(NOT_TRANSFERRED, f"{self.folder.root} is kept by folders: name the URL of the threads")
        found: dict[str, list[Letter]] = {}
        for letter in self.list_letters(""):
            if self.is_conversation(parent_of(letter.path)):
                found.setdefault(parent_of(letter.path), []).append(letter)
        return [
            Conversation(
                self.here(path),
                letters[-1].at_us,
                list_few(dict.fromkeys(letter.brief.who for letter in letters if letter.brief.who)),
                len(letters),
                sum(letter.is_unread for letter in letters),
                letters[-1].brief.subject,
            )
            for path, letters in sorted(found.items(), key=lambda pair: -pair[1][-1].at_us)
        ]

    def list_messages(self, path: str) -> Iterator[Message]:
        """Yield the messages of a conversation, the oldest first."""
        for letter in self.list_letters(path):
            facts, contents = self.open(letter.path, self.stamp(letter.path))
            yield Message(letter.at_us, facts, contents, letter.states)

    def here(self, path: str) -> str:
        """Return path as its names are spelled here."""
        return self.folder.spelling.here(path)

    # One file

    def stamp(self, path: str) -> Stamp:
        """Return the stamp of the file at path. Raises Stop (not transferred) when none is there."""
        try:
            with self.folder.open_folder(parent_of(path)) as handle:
                name = self.folder.spelling.local_name(path)
                facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except (Changed, OSError) as error:
            raise Stop(NOT_TRANSFERRED, f"{path or self.folder.root}: {reason_of(error)}") from error
        if not path or not stat.S_ISREG(facts.st_mode):
            raise Stop(NOT_TRANSFERRED, f"{path or self.folder.root} is no file")
        return stamp_of(facts)

    def open(self, path: str, stamp: Stamp) -> tuple[MessageFacts, Contents]:
        """Return what a message says of itself, and what is in it. Raises Stop (not transferred): it is none."""
        try:
            content = self.read(path, stamp)
        except Changed as error:
            raise Stop(NOT_TRANSFERRED, str(error)) from error
        facts = read_message(content)
        if facts is None:
            raise Stop(NOT_TRANSFERRED, f"{path} is no message")
        return facts, Contents(content, facts)

    def read(self, path: str, stamp: Stamp, *, most: int | None = None) -> bytes:
        """Return the content of the file with this stamp, or its beginning. Raises Changed, OSError."""
        if not stamp.size:
            return b""
        content = bytearray()
        with self.folder.read(path, Local(folder=False, digest="", stamp=stamp, hashed_ns=0)) as chunks:
            for chunk in chunks:
                content += chunk
                if most is not None and len(content) >= most:
                    break
        return bytes(content)

    def states_of(self, path: str, stamp: Stamp) -> States:
        """Return the states of a file, with the wishes of its person."""
        key = self._key(path, stamp)
        entry = self._state.remote.get(key)
        states = NO_STATES if entry is None else entry.states
        wish = self._state.wishes.rows.get(key)
        return states if wish is None else apply(states, wish)

    def mark(self, paths: Iterable[str], change: StateChange) -> None:
        """Wish for changed states of files, and of those of conversations: of all or of none.

        Raises:
            Stop: (not transferred) one is not there, or is no file.
        """
        files: list[str] = []
        for path in paths:
            files += [one.path for one in self.list_letters(path)] if self.is_conversation(path) else [path]
        keys = [self._key(path, self.stamp(path)) for path in files]
        with self._state.transaction():
            for key in keys:
                entry = self._state.remote.get(key)
                wish = self._state.wishes.find(key)
                self._state.wishes.put(key, mark(wish, change, NO_STATES if entry is None else entry.states))

    def _key(self, path: str, stamp: Stamp) -> str:
        """Return the path at which the server has a file: another one if a person moved it since."""
        if path in self._state.remote.rows:
            return path
        if self._by_inode is None:
            rows = self._state.agreed.rows
            self._by_inode = {entry.stamp.inode: old for old, entry in rows.items() if not entry.folder}
        old = self._by_inode.get(stamp.inode)
        agreed = self._state.agreed.get(old) if old is not None else None
        if old is None or agreed is None or agreed.stamp[:3] != stamp[:3] or self._is_there(old):
            return path
        return old


def _brief_of(facts: MessageFacts) -> Brief:
    is_sent = facts.direction == "sent"
    who = facts.to if is_sent else facts.from_
    return Brief(
        facts.date_us,
        list_few(name_people(find_participants([who or ""]))),
        facts.subject or facts.filename or "",
        is_sent,
    )
