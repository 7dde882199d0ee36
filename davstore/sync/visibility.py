"""The view that one viewer has of a store, as the report asks for it: three questions about nodes.

Their answers belong to one viewer and one snapshot. A stage of the report asks them; it never asks about rights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Visibility(Protocol):
    """The view of one viewer in one snapshot."""

    def hides(self, node_id: int) -> bool:
        """Tell whether a node, and the tree beneath it, is out of sight now."""

    def shown(self, node_id: int) -> int:
        """Return the number at which a node came into sight again; 0: it always was in sight."""

    def spans(self, node_id: int, since: int, until: int) -> Iterable[tuple[int, int]]:
        """Return the parts of [since, until) in which a node was in sight."""


class Everything:
    """The owner's view: nothing is hidden and nothing ever was."""

    def hides(self, node_id: int) -> bool:  # noqa: ARG002  every node
        """Answer as `Visibility`."""
        return False

    def shown(self, node_id: int) -> int:  # noqa: ARG002
        """Answer as `Visibility`."""
        return 0

    def spans(self, node_id: int, since: int, until: int) -> Iterable[tuple[int, int]]:  # noqa: ARG002
        """Answer as `Visibility`."""
        return ((since, until),)


EVERYTHING = Everything()
