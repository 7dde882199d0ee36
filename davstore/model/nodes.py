"""What a URL names: the facts of a node, seen through one binding."""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """One URL of a store and the facts of the node it names. Times are microseconds since the epoch, UTC.

    `parent` holds the names from the store's root to the collection that binds `name`; rows of one listing share the
    tuple. A collection has no etag, no length and no content type.
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

    @property
    def names(self) -> tuple[str, ...]:
        """The names from the store's root down to this resource."""
        return (*self.parent, self.name) if self.name else ()


class StoreFacts(NamedTuple):
    """The row of a store as one snapshot saw it. entries counts the names that are bound or remembered as gone."""

    id: int
    owner: str
    epoch: int
    seq: int
    floor: int
    used_bytes: int
    quota_bytes: int | None
    root_id: int
    entries: int
