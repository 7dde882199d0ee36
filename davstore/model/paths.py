"""Paths: a store and the names from its root down.

Names are compared byte for byte as the client sent them (ADR 20); a `Path` is made from a request target by
`protocol/dav/hrefs.py` and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_NAME_BYTES = 255
"""What every file system that a device may have can hold."""


class Path(NamedTuple):
    """A place in one user's store. `names` is empty at the store's root."""

    store: str
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last name, or '' at the root."""
        return self.names[-1] if self.names else ""

    @property
    def parent(self) -> Path:
        """The collection that holds this place; the root is its own parent."""
        return Path(self.store, self.names[:-1])

    def child(self, name: str) -> Path:
        """Return the place of a member."""
        return Path(self.store, (*self.names, name))

    def holds(self, other: Path) -> bool:
        """Tell whether other is this place or lies beneath it."""
        return self.store == other.store and other.names[: len(self.names)] == self.names
