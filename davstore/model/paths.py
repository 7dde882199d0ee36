"""Paths: a store, one of its areas, and the names from the root of that area down.

Names are compared byte for byte as the client sent them (ADR 20); a `Path` is made from a request target by
`protocol/urls.py` and nowhere else.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

MAX_NAME_BYTES = 255
"""The longest name that every file system of a device can hold."""


class Area(enum.IntEnum):
    """A tree of a store: each has a root of its own in the URL space. The values are those of the table of roots."""

    STORE = 0
    THREADS = 1


class Path(NamedTuple):
    """A place in one user's store. `names` is empty at the root of the area."""

    store: str
    names: tuple[str, ...] = ()
    area: Area = Area.STORE

    @property
    def name(self) -> str:
        """The last name, or '' at the root."""
        return self.names[-1] if self.names else ""

    @property
    def parent(self) -> Path:
        """The collection that holds this place; the root is its own parent."""
        return Path(self.store, self.names[:-1], self.area)

    @property
    def root(self) -> Path:
        """The root of the area."""
        return Path(self.store, (), self.area)

    @property
    def key(self) -> str:
        """The place in its store as one text, for the database and for hashes; `parse_key` reads it.

        The names, behind the number of their area unless that is `STORE`. No name is empty or holds a slash: only the
        number has one before it.
        """
        return "/".join(self.names if self.area == Area.STORE else ("", f"{self.area:d}", *self.names))

    def child(self, name: str) -> Path:
        """Return the place of a member."""
        return Path(self.store, (*self.names, name), self.area)

    def holds(self, other: Path) -> bool:
        """Tell whether other is this place or lies beneath it."""
        if self.store != other.store or self.area != other.area:
            return False
        return other.names[: len(self.names)] == self.names


class PartPath(NamedTuple):
    """A place that is a part of the message at a path, by its number (RFC 9051 §6.4.5). It is no member of anything."""

    path: Path
    number: str


class AddPath(NamedTuple):
    """The place where members are added to the collection at a path (RFC 5995). It is no member of anything."""

    path: Path


def parse_key(store: str, key: str) -> Path:
    """Return the place in a store that has a key."""
    if key.startswith("/"):
        _, number, *names = key.split("/")
        return Path(store, tuple(names), Area(int(number)))
    return Path(store, tuple(key.split("/")) if key else ())
