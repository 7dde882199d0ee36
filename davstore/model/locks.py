"""Write locks (RFC 4918 §6, §7): each on one node, taken at one URL."""

from __future__ import annotations

import enum
from collections.abc import Set
from typing import NamedTuple

from davstore.model.paths import Path


class LockScope(enum.Enum):
    """Exclusive, or shared: then others may hold a shared lock on the same resource (RFC 4918 §6.2)."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


class LockInfo(NamedTuple):
    """The request of a LOCK: `owner` is the client's own element, returned as it came."""

    scope: LockScope
    owner: bytes | None


class Lock(NamedTuple):
    """A lock that is held. `root` is the place of the URL it was taken at.

    The root never changes: the lock ends when that URL is unmapped, or a collection above it is moved.
    """

    token: str
    node_id: int
    user_id: int
    scope: LockScope
    infinite: bool
    owner: bytes | None
    expires_us: int
    root: Path
    is_collection: bool

    def covers(self, node_id: int | None, above: Set[int]) -> bool:
        """Tell whether the lock protects a node that lies beneath others, along any of its bindings."""
        return self.node_id == node_id or (self.infinite and self.node_id in above)

    def reaches(self, node_id: int, path: Path) -> bool:
        """Tell whether the lock protects the resource at one URL."""
        return self.node_id == node_id or (self.infinite and self.root.holds(path))
