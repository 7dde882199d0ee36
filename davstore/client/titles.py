"""Names for people of conversations and their messages: on the server theirs mean nothing (docs/messages.md#threads).

A name is made once, when the folder or file is made here, and stays (`Spelling`): what comes later renames nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from davstore.client.tree import name_of
from davstore.model.threads import Participant

COMPUTED: Final = "computed"
"""The fact that the server computes what is where: a device takes that, and sends states and deletions only."""
MOST_BYTES: Final = 120
"""Long enough for a person, short enough for two of them in a path of 260 characters."""
MOST_PEOPLE: Final = 3
_EXTENSION: Final = re.compile(r"\.[0-9A-Za-z]{1,8}\Z")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of marks that a name cannot hold, or that do not show."""
_DROPPED: Final = frozenset(':*?"<>')
_REPLACED: Final = str.maketrans("/\\|", "---")


class Title(NamedTuple):
    """The facts that a name is made of. at is the date of a message (RFC 3339), '' for a conversation.

    people is the sender of a message, or the participants of a conversation.
    """

    at: str
    people: tuple[Participant, ...]
    subject: str
    is_sent: bool


class Titles:
    """The facts of what the server has, by path."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._own: set[str] = set()
        self._rows: dict[str, Title] = {}
        for path, at, people, subject, is_sent in database.execute("SELECT * FROM title"):
            named = tuple(Participant(*one) for one in json.loads(people))
            self._keep(path, Title(at, named, subject, bool(is_sent)))

    def _keep(self, path: str, title: Title) -> None:
        self._rows[path] = title
        if title.is_sent:
            self._own.update(one.address.lower() for one in title.people)

    def put(self, path: str, title: Title) -> None:
        """Remember what a name at path is made of."""
        self._keep(path, title)
        row = (path, title.at, json.dumps(title.people), title.subject, title.is_sent)
        self._database.execute("INSERT OR REPLACE INTO title VALUES (?, ?, ?, ?, ?)", row)

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
            found = _EXTENSION.search(name_of(path))
            extension = found[0] if found is not None else ""
            words = [_time(title.at, "%Y-%m-%d %H.%M"), *name_people(title.people)]
            subject = title.subject
        else:
            messages = sorted(known for member in members if (known := self._rows.get(member)) is not None)
            at = messages[0].at if messages else ""
            words = [_time(at, "%Y-%m-%d"), list_few(others_of(title.people, messages, self._own))]
            subject = next((one.subject for one in messages if one.subject), "")
        stem = " - ".join(filter(None, map(_clean, (" ".join(words), subject))))
        if not stem:
            return
        for number in range(1, 10):
            yield _fit(stem, (f" ({number})" if number > 1 else "") + extension)
        yield _fit(stem, f" ({hashlib.sha256(path.encode()).hexdigest()[:8]}){extension}")


def others_of(participants: Iterable[Participant], messages: list[Title], own: set[str]) -> list[str]:
    """Return the names of the others in a conversation; who wrote, where it is not known who is the owner."""
    others = name_people(one for one in participants if one.address.lower() not in own) if own else []
    writers = (one for message in messages for one in message.people)
    return others or name_people(writers) or name_people(participants)


def name_people(people: Iterable[Participant]) -> list[str]:
    """Return the names of people, or the addresses of those without."""
    known: dict[str, Participant] = {}
    for one in people:
        if not known.setdefault(one.address.lower(), one).name and one.name:
            known[one.address.lower()] = one
    return list(dict.fromkeys(one.name or one.address for one in known.values()))


def list_few(people: Iterable[str]) -> str:
    """Return the first people, and how many the others are."""
    people = [*people]
    more = len(people) - MOST_PEOPLE
    return ", ".join([*people[:MOST_PEOPLE], *([f"{more} more"] if more > 0 else [])])


def _time(at: str, form: str) -> str:
    """Return a time of this place, '' for none."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return ""


def _clean(text: str) -> str:
    """Return text as every file system holds it, and without what shows a name as another."""
    kept = "".join(
        " " if unicodedata.category(mark) in _INVISIBLE else "" if mark in _DROPPED else mark
        for mark in text.translate(_REPLACED)
    )
    return unicodedata.normalize("NFC", " ".join(kept.split())).strip(". ")


def _fit(stem: str, end: str) -> str:
    return cut(stem, MOST_BYTES - len(end.encode())).rstrip(". ") + end


def cut(text: str, size: int) -> str:
    """Return the beginning of text that takes at most size bytes."""
    return text.encode()[:size].decode(errors="ignore")
