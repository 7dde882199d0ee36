"""Resources: the facts of a node, seen through one binding."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from davstore.model.paths import Area, Path

BY_CLIENT: Final = 1
"""Of `modified_by`: a client set the time, or a MOVE brought it along. It gives no order: it may have gone back."""
AGAIN: Final = 2
"""Of `modified_by`: the URL may have shown another representation that was modified in the same second."""

HOLDS_LOCKS: Final = 1
"""A bit of `traits`."""
HOLDS_THREADS: Final = 2
"""A bit of `traits`: set with the first thread, for good."""
HOLDS_ACES: Final = 4
"""A bit of `traits`: set as long as nodes have access control entries."""


class ResourceType(IntEnum):
    """The types of resources: values of `node.type`, each one digit. A non-collection has that of its body."""

    MEDIA = 0
    COLLECTION = 1
    MESSAGE = 2
    FILE_TRANSFER = 3
    SESSION_INFO = 4
    GROUP_STATE = 5
    IMDN = 6
    THREAD = 7
    SESSION_HISTORY = 8

    @property
    def word(self) -> str:
        """The kind of a resource as `C:kind` has it; a plain collection has none."""
        return self.name.lower().replace("_", "-")


COLLECTIONS: Final = frozenset({ResourceType.COLLECTION, ResourceType.THREAD, ResourceType.SESSION_HISTORY})
"""The types of collections: all others are those of bodies."""
COLLECTION_DIGITS: Final = frozenset({str(int(type_)) for type_ in COLLECTIONS})
"""Their digits, as columns have them."""
MESSAGES: Final = frozenset(ResourceType) - COLLECTIONS - {ResourceType.MEDIA}
"""The types of bodies that say something of themselves (`MessageFacts`)."""


class Resource(NamedTuple):
    """One URL of a store and the facts of the node it names. Times are microseconds since the epoch, UTC.

    `parent` holds the names from the root of an area to the collection that binds `name`; rows of one listing share the
    tuple. A collection has no etag, no length and no content type. `modified_by` says who set the time of modification:
    0 is the server, whose times are each later than those before; else the sum of `BY_CLIENT` and `AGAIN`. `type` is a
    `ResourceType`, `flags` a sum of `Flag`. `changed` is the number of the last change at this URL, `modseq` that of
    the last change of the node's body, states or properties, the same at every URL.
    """

    parent: tuple[str, ...]
    name: str
    node_id: int
    is_collection: int
    changed: int
    resource_id: str
    etag: str | None
    length: int | None
    content_type: str | None
    created_us: int
    modified_us: int
    modified_by: int
    type: int
    flags: int
    modseq: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names from the root of its area down to this resource."""
        return (*self.parent, self.name) if self.name else ()


class StoreFacts(NamedTuple):
    """The row of a store as one snapshot saw it.

    entries counts the names that are bound or remembered as gone, but for those in threads. root_id is the node at the
    root of the area that was asked for, and area the number of that area. traits is a sum of `HOLDS_LOCKS`, set as long
    as the store may hold locks, `HOLDS_THREADS` and `HOLDS_ACES`.
    """

    id: int
    owner: str
    epoch: int
    seq: int
    floor: int
    used_bytes: int
    quota_bytes: int | None
    root_id: int
    area: int
    entries: int
    traits: int

    def at(self, names: tuple[str, ...]) -> Path:
        """Return the place that names lead to from the root."""
        return Path(self.owner, names, Area(self.area))

    @property
    def may_hold_locks(self) -> bool:
        """Whether the store may hold locks."""
        return self.traits & HOLDS_LOCKS != 0

    @property
    def may_hold_threads(self) -> bool:
        """Whether the store may hold threads."""
        return self.traits & HOLDS_THREADS != 0

    @property
    def may_hold_aces(self) -> bool:
        """Whether nodes of the store may have access control entries: the rights of others are somewhere."""
        return self.traits & HOLDS_ACES != 0
