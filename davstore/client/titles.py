"""Names for people of conversations and their messages: on the server theirs mean nothing (docs/messages.md#threads).

A name is made once, when the folder or file is made here, and stays (`Spelling`): what comes later renames nothing.
"""

from __future__ import annotations

import os.path
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import getaddresses
from typing import Final, NamedTuple

from davstore.client.tree import name_of

COMPUTED: Final = "computed"
"""The fact that the server computes what is where: a device takes that, and sends states and deletions only."""
MOST_BYTES: Final = 120
"""Long enough for a person, short enough for two of them in a path of 260 characters."""
MOST_PEOPLE: Final = 3
_DROPPED: Final = frozenset(':*?"<>')
_REPLACED: Final = str.maketrans("/\\|", "---")


class Title(NamedTuple):
    """The facts that a name is made of. at is the date of a message (RFC 3339), '' for a conversation.

    people is a field of addresses: the sender of a message, the participants of a conversation.
    """

    at: str
    people: str
    subject: str
    is_sent: bool

    @property
    def addresses(self) -> list[str]:
        """The addresses of the people."""
        return [address for _, address in getaddresses([self.people])]


class Titles:
    """The facts of what the server has, by path."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._own: set[str] = set()
        self._rows: dict[str, Title] = {}
        for path, at, people, subject, is_sent in database.execute("SELECT * FROM title"):
            self._keep(path, Title(at, people, subject, bool(is_sent)))

    def _keep(self, path: str, title: Title) -> None:
        self._rows[path] = title
        if title.is_sent:
            self._own.update(title.addresses)

    def put(self, path: str, title: Title) -> None:
        """Remember what a name at path is made of."""
        self._keep(path, title)
        self._database.execute("INSERT OR REPLACE INTO title VALUES (?, ?, ?, ?, ?)", (path, *title))

    def drop(self, path: str) -> None:
        """Forget a path."""
        if self._rows.pop(path, None) is not None:
            self._database.execute("DELETE FROM title WHERE path = ?", (path,))

    def suggest(self, path: str, members: Iterable[str]) -> Iterator[str]:
        """Yield names for a path with these members, the best first; none where nothing is known of it."""
        title, extension = self._rows.get(path), ""
        if title is None:
            return
        if title.at:
            extension = os.path.splitext(name_of(path))[1]  # noqa: PTH122 - a name, not a path
            words = [_time(title.at, "%Y-%m-%d %H.%M"), *name_people([title.people])]
            subject = title.subject
        else:
            messages = [found for member in members if (found := self._rows.get(member)) is not None]
            first = min(messages, default=title)
            words = [_time(first.at, "%Y-%m-%d"), _list_few(others_of(title.people, messages, self._own))]
            subject = next((one.subject for one in sorted(messages) if one.subject), "")
        stem = " - ".join(filter(None, (" ".join(filter(None, words)), subject)))
        for number in range(1, 10):
            yield _fit(stem, (f" ({number})" if number > 1 else "") + extension)
        yield _fit(stem, f" ({name_of(path)[:8]}){extension}")


def others_of(participants: str, messages: list[Title], own: set[str]) -> list[str]:
    """Return the names of the others in a conversation; who wrote, where it is not known who is the owner."""
    others = name_people([participants], own) if own else []
    return others or name_people(one.people for one in sorted(messages)) or name_people([participants])


def name_people(fields: Iterable[str], but: Iterable[str] = ()) -> list[str]:
    """Return the names in fields of addresses, or the addresses of those without."""
    people = {address: name for name, address in reversed(getaddresses(list(fields))) if address and address not in but}
    return list(dict.fromkeys(name or address for address, name in reversed(people.items())))


def _list_few(people: list[str]) -> str:
    more = len(people) - MOST_PEOPLE
    return ", ".join([*people[:MOST_PEOPLE], *([f"{more} more"] if more > 0 else [])])


def _time(at: str, form: str) -> str:
    """Return a time of this place, '' for none."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return ""


def _fit(stem: str, end: str) -> str:
    """Return a name that every file system holds as it is, and that shows no other than it is."""
    kept = "".join(
        " " if unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") else "" if mark in _DROPPED else mark
        for mark in stem.translate(_REPLACED)
    )
    text = unicodedata.normalize("NFC", " ".join(kept.split())).strip(". ")
    return text.encode()[: MOST_BYTES - len(end.encode())].decode(errors="ignore").rstrip(". ") + end
