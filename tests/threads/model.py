"""Threads by the rules of `docs/messages.md` alone: an oracle that shares no code with davstore.

What it reads of mail comes from the standard library's `email` (`tests/mail_oracles.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests import mail_oracles

Key = tuple[str, str]
"""An id and what it names: a conversation, a message, or the bytes of one."""


class Message(NamedTuple):
    """What counts of a message for its thread. date is in seconds; identity is one for all copies."""

    message_id: str | None = None
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    conversation_id: str | None = None
    date: float = 0
    identity: str = ""
    sent: bool = False

    @property
    def keys(self) -> frozenset[Key]:
        """The ids by which a message joins; those who share one are in one thread. Without ids it is its bytes."""
        own = {("message", self.message_id)} if self.message_id else set()
        if self.conversation_id:
            return frozenset(own | {("conversation", self.conversation_id)})
        found = own | {("message", named) for named in self.references or self.in_reply_to[-1:]}
        return frozenset(found or {("bytes", self.identity)})


def read(content: bytes) -> Message:
    """Return the message that mail is."""
    facts = mail_oracles.facts_of(content)
    identity = hashlib.sha256(content).hexdigest()
    return Message(facts.message_id, facts.references, facts.in_reply_to, date=facts.date or 0, identity=identity)


class Thread:
    """The names of messages that belong together, and every id that ever joined them."""

    def __init__(self, members: Iterable[str] = (), keys: Iterable[Key] = ()) -> None:
        self.members, self.keys = set(members), set(keys)


class Threads:
    """The threads of a store, whose messages have names. A thread stays the same object as long as its URL stays."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.threads: list[Thread] = []

    def put(self, name: str, message: Message) -> None:
        """Store a message, or another in the place of one."""
        if name in self.messages:
            self._leave(name, message)
        joined = [one for one in self.threads if name in one.members or one.keys & message.keys]
        self.messages[name] = message
        thread = min(joined, key=self._begun, default=Thread())
        for one in joined:
            if one is not thread:
                thread.members |= one.members
                thread.keys |= one.keys
        thread.members.add(name)
        thread.keys |= message.keys
        self.threads = [one for one in self.threads if one not in joined] + [thread]

    def delete(self, name: str) -> None:
        """Take a message away; what it joined stays together, as long as there is something of it."""
        del self.messages[name]
        for thread in self.threads:
            thread.members.discard(name)
        self.threads = [one for one in self.threads if one.members]

    def move(self, name: str, to: str) -> None:
        """Give a message another name."""
        self.messages[to] = self.messages.pop(name)
        thread = self.thread_of(name)
        thread.members.remove(name)
        thread.members.add(to)

    def thread_of(self, name: str) -> Thread:
        """Return the thread of a message."""
        [thread] = [one for one in self.threads if name in one.members]
        return thread

    @property
    def partition(self) -> set[frozenset[str]]:
        """The names of the messages, by threads."""
        return {frozenset(one.members) for one in self.threads}

    def identities(self, thread: Thread) -> dict[str, set[str]]:
        """Return the names of the copies of each message of a thread, by identity."""
        found: dict[str, set[str]] = {}
        for name in thread.members:
            found.setdefault(self.messages[name].identity or name, set()).add(name)
        return found

    def _leave(self, name: str, message: Message) -> None:
        """Take a message that gets other ids out of its thread, and make that anew of the others."""
        if self.messages[name].keys == message.keys:
            return
        thread = self.thread_of(name)
        self.threads.remove(thread)
        others = {one: self.messages[one] for one in thread.members if one != name}
        thread.members, thread.keys = set(), set()
        for names in sorted(partition(others), key=min):
            part = Thread() if thread.members else thread
            part.members |= names
            part.keys |= {key for one in names for key in others[one].keys}
            self.threads.append(part)

    def _begun(self, thread: Thread) -> float:
        return min(self.messages[name].date for name in thread.members)


def partition(messages: Mapping[str, Message]) -> set[frozenset[str]]:
    """Return the names of messages that came in any order, by threads."""
    roots: dict[Key, Key] = {}

    def find(key: Key) -> Key:
        while roots.setdefault(key, key) != key:
            roots[key] = key = roots[roots[key]]
        return key

    for name, message in messages.items():
        for key in message.keys:
            roots[find(key)] = find(("name", name))
    found: dict[Key, set[str]] = {}
    for name in messages:
        found.setdefault(find(("name", name)), set()).add(name)
    return set(map(frozenset, found.values()))
