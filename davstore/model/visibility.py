"""The times in which resources of a store are out of a principal's sight, in change numbers (docs/sync.md)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Hides(IntEnum):
    """The part of a tree that is out of sight: a resource with all beneath it, or all beneath it alone."""

    RESOURCE = 0
    MEMBERS = 1


class Hidden(NamedTuple):
    """A time in which a node, or what is beneath it, was out of sight: [seen + 1, until).

    That it is was found out at the number since; seen is the newest one up to which the principal had been told of
    anything before. until None: it is out of sight now.
    """

    node_id: int
    hides: int
    seen: int
    since: int
    until: int | None = None
