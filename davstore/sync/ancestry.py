"""The collections of a scope by their names, and since when they are there: found by climbing from a row's parent.

Each is looked up once in a report, many at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from davstore.metadata import changes, listings
from davstore.metadata.unit import Unit
from davstore.sync.scopes import Scope
from davstore.sync.visibility import Visibility


class Located(NamedTuple):
    """A collection in the scope: its names from the root of its area, and since when it shows its members there.

    That is the newest number at which it or one above it was mapped, or came into sight again.
    """

    names: tuple[str, ...]
    fresh: int


class Ancestry:
    """The collections that were met so far: by node; None for one that is out of the scope or out of sight."""

    def __init__(self, unit: Unit, store_id: int, scope: Scope, see: Visibility) -> None:
        self._unit = unit
        self._store_id = store_id
        self._see = see
        self.known: dict[int, Located | None] = {scope.node_id: Located(scope.names, scope.fresh)}

    def locate(self, node_ids: Iterable[int]) -> None:
        """Climb from many collections at once: a statement for each level that is still unknown."""
        above: dict[int, changes.Above] = {}
        wanted = set(node_ids) - self.known.keys()
        while wanted:
            rows = changes.list_above(self._unit, self._store_id, wanted)
            above |= {row.node_id: row for row in rows}
            for lost in wanted - above.keys():  # the root of an area, or dead
                self.known[lost] = None
            wanted = {row.parent_id for row in rows} - self.known.keys() - above.keys()
        for node_id in above:
            self._settle(node_id, above)

    def _settle(self, node_id: int, above: dict[int, changes.Above]) -> None:
        way = []
        while node_id not in self.known:
            way.append(above[node_id])
            node_id = above[node_id].parent_id
        for row in reversed(way):
            self.add(row.parent_id, row.name, row.node_id, row.mapped)

    def add(self, parent_id: int, name: str, node_id: int, mapped: int) -> None:
        """Add a collection in another one that is known."""
        parent = self.known[parent_id]
        if parent is None or self._see.closes(node_id):
            self.known[node_id] = None
        else:
            self.known[node_id] = Located((*parent.names, name), max(parent.fresh, mapped, self._see.opened(node_id)))

    def find(self, node_id: int) -> Located | None:
        """Return a collection that was located; None when it is outside."""
        return self.known[node_id]

    def names(self, node_id: int) -> tuple[str, ...]:
        """Return the names of a collection that is known to be inside."""
        found = self.known[node_id]
        if found is None:
            raise KeyError(node_id)
        return found.names

    def walk(self, node_id: int, *, limit: int) -> list[int] | None:
        """Return a located collection and all beneath it, which are located now; None when they are too many."""
        beneath = listings.list_collections_beneath(self._unit, self._store_id, node_id, limit=limit)
        if len(beneath) >= limit:
            return None
        for row in beneath:
            self.add(*row)
        return [node_id, *(row.node_id for row in beneath)]
