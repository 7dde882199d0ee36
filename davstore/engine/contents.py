"""Whole bodies of many resources, read in one snapshot: short ones, which answers hold beside properties."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing

from davstore.engine.context import Context
from davstore.engine.opening import Body
from davstore.errors import CorruptBlob
from davstore.metadata import bodies
from davstore.metadata.bodies import Stored
from davstore.metadata.unit import Unit
from davstore.model.histories import ContentAsked
from davstore.model.nodes import Resource


def is_wanted(resource: Resource, content: ContentAsked) -> bool:
    """Tell whether the body of a resource is not longer than was asked for; a collection has none."""
    return resource.length is not None and resource.length <= content.most_bytes


def count_with_room(resources: Iterable[Resource], content: ContentAsked, *, most_bytes: int) -> int:
    """Return how many of some resources have room in one answer beside the bodies that are wanted: one always has."""
    count = 0
    for one in resources:
        most_bytes -= (one.length or 0) if is_wanted(one, content) else 0
        if most_bytes < 0 and count:
            break
        count += 1
    return count


def read_contents(context: Context, unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, bytes]:
    """Return the bytes of bodies, by node; without those that are gone, since they were replaced or ended meanwhile."""
    found = {}
    for node_id, stored in bodies.list_bodies(unit, store_id, node_ids).items():
        body = open_body(context, store_id, stored)
        if body is not None:
            with closing(body):
                found[node_id] = b"".join(body.read(0, body.length))
    return found


def open_body(context: Context, store_id: int, stored: Stored) -> Body | None:
    """Return a body open for reading; None: it is gone."""
    try:
        return Body(stored, None if stored.blob is None else context.services.blobs.open(store_id, stored.blob))
    except CorruptBlob:
        return None
