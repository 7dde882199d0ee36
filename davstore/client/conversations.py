"""The conversations of a store over HTTP (docs/messages.md#threads): a list, the messages of one, and marks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from davstore.client import questions
from davstore.client.contents import Contents
from davstore.client.exit_status import NOT_TRANSFERRED, Changed, Stop
from davstore.client.multistatus import Row, read_report
from davstore.client.refusals import describe
from davstore.client.remote import XML_TYPE, Failed, RemoteCollection
from davstore.client.states import States
from davstore.client.titles import Title, list_few, others_of
from davstore.client.transport import Response
from davstore.model.limits import BLOCK_BYTES
from davstore.model.messages import MessageFacts
from davstore.model.states import StateChange
from davstore.protocol.message.reading import read_message

_AT_ONCE: Final = 1_000
"""Messages that one request marks, fewer than a server takes."""


class Conversation(NamedTuple):
    """A line of a list. name is that by which it is found again; at_us is None where no message has a date."""

    name: str
    at_us: int | None
    people: str
    messages: int
    unread: int
    subject: str


class Message(NamedTuple):
    """A message of a conversation. at_us is its date, else the time at which it was stored."""

    at_us: int
    facts: MessageFacts
    contents: Contents
    states: States


class _Body:
    """The target of a download in memory."""

    def __init__(self) -> None:
        self.content, self.size, self.etag = bytearray(), 0, ""

    def write(self, chunk: bytes) -> None:
        self.content += chunk
        self.size += len(chunk)

    def restart(self, etag: str) -> None:
        self.content.clear()
        self.size, self.etag = 0, etag


class Conversations(RemoteCollection):
    """The root of the threads of one store."""

    def list_conversations(self) -> list[Conversation]:
        """Return all conversations, the newest first, by one report.

        Raises:
            Stop: refused, or what is at the URL holds no conversations.
        """
        threads: dict[str, Row] = {}
        messages: dict[str, list[Title]] = {}
        for path, row in self._rows("", questions.conversations):
            name, _, member = path.partition("/")
            if not member and row.is_thread:
                threads[name] = row
            elif row.title is not None:
                messages.setdefault(name, []).append(row.title)
        if messages.keys() - threads.keys():
            raise Stop(NOT_TRANSFERRED, f"{self.url} holds no conversations: name the threads of a store")
        own = {
            one.address.lower()
            for titles in messages.values()
            for title in titles
            if title.is_sent
            for one in title.people
        }
        found = [_conversation(name, row, messages.get(name, []), own) for name, row in threads.items()]
        return sorted(found, key=lambda one: (-(one.at_us or 0), one.name))

    def find(self, word: str) -> str:
        """Return the path of the conversation that a person names by its name, its URL or its `C:conversation-id`.

        Raises:
            Stop: (not transferred) there is none.
        """
        name = word.removeprefix(self.url).strip("/") if word.startswith(self.url) else word
        if "/" not in name and name not in ("", ".", "..") and self.is_folder(name):
            return name
        for path, row in self._rows("", lambda _: questions.resolve(word)):
            if row.is_thread:
                return path
        raise Stop(NOT_TRANSFERRED, f"{word}: there is no such conversation at {self.url}")

    def list_messages(self, name: str) -> Iterator[Message]:
        """Yield the messages of a conversation, the oldest first."""
        rows = [(path, row) for path, row in self._rows(name, _of_thread) if not row.folder]
        for path, row in sorted(rows, key=lambda pair: pair[1].title.at if pair[1].title else ""):
            body = _Body()
            try:
                modified = self.fetch(path, body).modified
            except Changed:
                continue  # it was deleted meanwhile
            content = bytes(body.content)
            facts = read_message(content)
            if facts is not None:
                at_us = facts.date_us if facts.date_us is not None else (modified or 0) * 1_000_000
                yield Message(at_us, facts, Contents(content, facts), row.states)

    def mark(self, names: Iterable[str], change: StateChange) -> None:
        """Change states of all messages of conversations: at once, or one by one where the server has no such request.

        Raises:
            Failed: a message is locked, or its states are not the user's to change.
        """
        for name in names:
            self._mark(name, change)

    def _mark(self, name: str, change: StateChange) -> None:
        paths = [path for path, row in self._rows(name, _of_thread) if not row.folder]
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            if not self._mark_together(name, some, change):
                for path in some:
                    self.change_states(path, change)

    def _mark_together(self, name: str, paths: list[str], change: StateChange) -> bool:
        def read(response: Response) -> None:
            rows = read_report(response.stream(BLOCK_BYTES)).rows if response.status == 207 else []
            refused = (row.refused or row.status for row in rows)
            if status := next((one for one in refused if one >= 300 and one != 404), 0):
                raise Failed(status, frozenset(), describe(status, frozenset()))

        body = questions.bulk_update([self.href(path, folder=False) for path in paths], change)
        try:
            self._send("POST", name, XML_TYPE, body, folder=True, read=read)
        except Changed:
            return False  # 405
        except Failed as failure:
            if failure.status not in (415, 422, 501):
                raise
            return False
        return True

    def _rows(self, path: str, question: Callable[[str], bytes]) -> Iterator[tuple[str, Row]]:
        """Yield the members that a report tells, page by page, with their paths."""
        token, more = "", True
        headers = {"Depth": "0", "Prefer": "return=minimal"}
        while more:
            report = self._multistatus("REPORT", path, headers, question(token))
            more = any(row.status == 507 for row in report.rows) and report.token != token
            token = report.token
            for row in report.rows:
                place = self.path(row.href) if not row.status else None
                if place and place != path:
                    yield place, row


def _of_thread(token: str) -> bytes:
    return questions.report(token, infinite=False, titled=True)


def _conversation(name: str, row: Row, messages: list[Title], own: set[str]) -> Conversation:
    messages = sorted(messages)
    newest = messages[-1] if messages else None
    people = others_of(row.title.people if row.title else (), messages, own)
    counts = row.counts
    return Conversation(
        name,
        as_us(counts.last if counts else newest.at if newest else ""),
        list_few(people),
        counts.messages if counts else len(messages),
        counts.unread if counts else 0,
        (newest.subject if newest else "") or (counts.conversation_id if counts else ""),
    )


def as_us(at: str) -> int | None:
    """Return a time of RFC 3339 in microseconds since the epoch, None for any other text."""
    try:
        return round(datetime.fromisoformat(at).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None
