"""The wishes: changes of states that were made on the device and that the server has not got yet.

`davstore mail mark` writes them while `davstore sync` may be at work, so rows in memory are as of the last `load`, and
every change of one goes by the row that is in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from davstore.client.states import States, combine, narrow, read_words, write_words
from davstore.model.states import NO_CHANGE, StateChange

_INSERT = "INSERT OR REPLACE INTO wish VALUES (?, ?, ?, ?, ?)"


class Wishes:
    """The wishes of one device, by path. rows are those of the last `load`, and what was done with them since."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.rows: dict[str, StateChange] = {}
        self.load()

    def load(self) -> None:
        """Read all anew."""
        self.rows.clear()
        self.rows.update(self._read(self._database.execute("SELECT * FROM wish ORDER BY path")))

    def _read(self, found: sqlite3.Cursor) -> Iterator[tuple[str, StateChange]]:
        for path, flags, cleared, added, dropped in found:
            yield path, StateChange(flags, cleared, read_words(added), read_words(dropped))

    def find(self, path: str) -> StateChange:
        """Return the wish for a path."""
        found = self._database.execute("SELECT * FROM wish WHERE path = ?", (path,))
        return next((change for _, change in self._read(found)), NO_CHANGE)

    def put(self, path: str, change: StateChange) -> None:
        """Set the wish for a path; one that changes nothing is none."""
        if change == NO_CHANGE:
            self.drop(path)
            return
        self.rows[path] = change
        words = write_words(change.added), write_words(change.dropped)
        self._database.execute(_INSERT, (path, int(change.set), int(change.clear), *words))

    def drop(self, path: str) -> None:
        """Forget the wish for a path."""
        self.rows.pop(path, None)
        self._database.execute("DELETE FROM wish WHERE path = ?", (path,))

    def settle(self, path: str, states: States) -> None:
        """Forget what of a wish is so on the server, which has these states of the file."""
        self.put(path, narrow(self.find(path), states))

    def carry(self, source: str, target: str) -> None:
        """Take the wish for source, a file that moved, to target."""
        wish = self.find(source)
        if wish != NO_CHANGE:
            self.put(target, combine(self.find(target), wish))
            self.drop(source)
