"""Changes since a device's last report, and the sync tokens that mark its position (RFC 6578, docs/sync.md)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from davstore.model.acl import Rights
from davstore.model.columns import Columns
from davstore.model.facets import NO_FACTS, Facts
from davstore.model.nodes import Resource, StoreFacts


class Level(enum.Enum):
    """How deep a report goes (RFC 6578 §6.3)."""

    ONE = "1"
    INFINITE = "infinite"


Key = tuple[int, int, int]
"""The key of a row, its place in a report: number, tie and changed."""


NO_RELISTING: Final = "0"
FULL_RELISTING: Final = "1"
WHOLE: Final = "-"
"""Stands in a token in the place of the hash of a view: everything is in it."""


class Stamp(NamedTuple):
    """A view in a sync token: its hash, or WHOLE; where members leave it by their age also two times, in seconds.

    at_s is when it was judged, next_s when the next member leaves it by its age alone; 0 for none.
    """

    hash: str = WHOLE
    at_s: int = 0
    next_s: int = 0

    @property
    def text(self) -> str:
        """The stamp as text."""
        if not self.at_s:
            return self.hash
        return "-".join([self.hash, *(str(one) for one in (self.at_s, self.next_s) if one)])

    @classmethod
    def parse(cls, text: str) -> Stamp:
        """Return the stamp of a text that is one."""
        if text == WHOLE:
            return cls()
        hash_, *times = text.split("-")
        return cls(hash_, *map(int, times))


class Position(NamedTuple):
    """The key of the last row that a truncated page gave, and the base of its run.

    number, tie and changed are the row's key; base is the number up to which the device was complete when the run
    began. relisting says what a run lists again because the view changed: NO_RELISTING, FULL_RELISTING, or the text of
    the stamp of the view before: then the run tells the difference of that view and the one of the token.
    """

    number: int
    tie: int
    changed: int
    base: int
    relisting: str = NO_RELISTING

    @property
    def tells_difference(self) -> bool:
        """Whether the run tells the difference of two views."""
        return self.relisting not in (NO_RELISTING, FULL_RELISTING)

    @property
    def key(self) -> Key:
        """The key of the last row that was given."""
        return self[:3]


@dataclass(frozen=True, slots=True)
class SyncToken:
    """How far a device is in one scope of one store. `position` is None when the device has everything up to number.

    scope is a hash of the collection's path: a token is good for it alone. view is the stamp of its view, as text.
    """

    store_id: int
    epoch: int
    scope: str
    number: int
    view: str = WHOLE
    position: Position | None = None


class Removed(NamedTuple):
    """A URL that is no longer there, and whether it last named a collection. `parent` and `name` as in `Resource`.

    out_of_view: it is there, and not in the view that was asked for.
    """

    parent: tuple[str, ...]
    name: str
    is_collection: int = 0
    out_of_view: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names from the root of its area down to the URL that is gone."""
        return (*self.parent, self.name)


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of a report, oldest first: rows, the token that continues after the last of them, and their facets.

    facts is the store's row in the same snapshot. Where there are columns they stand for the rows, in the same order.
    rights are those of the asker, by node; None: it owns the store.
    """

    rows: list[Resource | Removed]
    token: SyncToken
    truncated: bool
    facts: StoreFacts
    facets: Facts = NO_FACTS
    columns: list[Columns | list[Removed]] | None = None
    rights: Mapping[int, Rights] | None = None
