"""The visibility of nodes to the asker of a report, now and in the past; no stage of the report asks about rights.

`hides` and `shown` are asked of collections, where they are climbed to (`ancestry`) and where the scope is found
(`scopes`); `spans` of each node that a URL named before, where its time is cut (`scopes`, `departures`). Members that
`arrivals` gives are not asked about, and no stage gives those that came into sight again: both come with the first
visibility that hides something. Until then every report takes EVERYTHING.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Visibility(Protocol):
    """The nodes that one asker sees, in one snapshot."""

    def hides(self, node_id: int) -> bool:
        """Tell whether a node, and the tree beneath it, is out of sight now."""

    def shown(self, node_id: int) -> int:
        """Return the change number at which a node came into sight again; 0: it always was in sight."""

    def spans(self, node_id: int, since: int, until: int) -> Iterable[tuple[int, int]]:
        """Return the parts of the change numbers [since, until) in which a node was in sight."""


class Everything:
    """The visibility of an owner's own store: nothing is hidden, and nothing ever was."""

    def hides(self, node_id: int) -> bool:  # noqa: ARG002  the same for every node
        """Return False: no node is out of sight."""
        return False

    def shown(self, node_id: int) -> int:  # noqa: ARG002
        """Return 0: every node always was in sight."""
        return 0

    def spans(self, node_id: int, since: int, until: int) -> Iterable[tuple[int, int]]:  # noqa: ARG002
        """Return all of [since, until)."""
        return ((since, until),)


EVERYTHING = Everything()
