"""The facts that the files of a folder say of themselves as messages, remembered by the stamps of the files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from davstore.client.tree import Stamp


class Brief(NamedTuple):
    """The facts of a message that a list shows. who is its sender, of a sent one its recipients."""

    date_us: int | None
    who: str
    subject: str
    is_sent: bool


Known = tuple[Stamp, Brief | None]
"""The stamp of a file when it was read; None: it is no message."""


class Letters:
    """The remembered facts of one device, by path."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def load(self) -> dict[str, Known]:
        """Return all that is remembered."""
        rows = self._database.execute("SELECT * FROM letter")
        return {path: (Stamp(*stamp), Brief(*json.loads(facts)) if facts else None) for path, *stamp, facts in rows}

    def put(self, known: Mapping[str, Known]) -> None:
        """Remember facts."""
        rows = [(path, *stamp, json.dumps(brief) if brief else "") for path, (stamp, brief) in known.items()]
        self._database.executemany("INSERT OR REPLACE INTO letter VALUES (?, ?, ?, ?, ?, ?)", rows)

    def drop(self, paths: Iterable[str]) -> None:
        """Forget files that are gone."""
        self._database.executemany("DELETE FROM letter WHERE path = ?", [(path,) for path in paths])
