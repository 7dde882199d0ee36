"""Places that the server has and does not show to this device (`C:out-of-view`), by a policy or a preference.

Nothing is deleted on the server there. What this device put there itself stays in the folder, too.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from davstore.client.tree import Trees, is_covered, parent_of

KEPT: Final = "outside of what this device is shown: it stays here, and what is changed here is sent"


class Outside:
    """The places, each with all beneath it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.paths: set[str] = {path for (path,) in database.execute("SELECT path FROM outside")}

    def covers(self, path: str) -> bool:
        """Tell whether path or a folder above it is such a place."""
        return is_covered(path, self.paths)

    def add(self, path: str) -> None:
        """Remember a place."""
        if path not in self.paths:
            self.paths.add(path)
            self._database.execute("INSERT INTO outside VALUES (?)", (path,))

    def drop(self, path: str) -> None:
        """Forget a place."""
        if path in self.paths:
            self.paths.remove(path)
            self._database.execute("DELETE FROM outside WHERE path = ?", (path,))

    def clear(self) -> None:
        """Forget all places: everything is shown."""
        if self.paths:
            self.paths.clear()
            self._database.execute("DELETE FROM outside")

    def show(self, path: str) -> None:
        """Remember that path is shown, and so are the folders above it."""
        while path and self.paths:
            self.drop(path)
            path = parent_of(path)


def list_kept(trees: Trees) -> list[str]:
    """Return the places outside that stay here; of a folder that this device made only its top."""
    kept: list[str] = []
    tops: set[str] = set()
    for path in sorted(trees.local.rows) if trees.outside else ():
        remote = trees.remote.get(path)
        if remote is None or not trees.is_outside(path) or is_covered(path, tops):
            continue
        if not remote.folder:
            kept.append(path)
        elif remote.own:
            kept.append(path)
            tops.add(path)
    return kept
