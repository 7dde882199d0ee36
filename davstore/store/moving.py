"""COPY and MOVE within a store: all of a tree or nothing (DECISIONS 16), in one unit."""

from __future__ import annotations

from typing import NamedTuple

from davstore.engine.context import Context
from davstore.engine.guarding import end_locks, require, require_depth, require_parent, require_unlocked, require_within
from davstore.errors import ForeignDestination, NotFound, PreconditionFailed, SourceIsDestination
from davstore.metadata import bindings, nodes, properties, trees
from davstore.metadata.bindings import Resolved
from davstore.metadata.nodes import NodeRow
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import MADE_HOME
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import AGAIN, Resource
from davstore.model.paths import Path
from davstore.policy.preconditions import find_modified_by
from davstore.store.writing import end_tree, set_time


class Placed(NamedTuple):
    """Whether the destination was unmapped, and whether what came there is a collection."""

    created: bool
    is_collection: bool


def move(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    depth: int | None = None,
    modified_us: int | None = None,
) -> Placed:
    """Bind a resource, with all that lies beneath it, to another place.

    It keeps its modification time unless the client says when it was modified.

    Raises:
        NotFound, ParentMissing, NameNotAllowed, PreconditionFailed.
        Locked: a lock is in the way. Locks do not move: those of the source end (RFC 4918 §7.6).
        MethodNotAllowed: source or destination is the root.
        SourceIsDestination: one of the places lies in the other.
        ForeignDestination: the destination is in another store.
        Malformed: a collection, and a depth that is not infinity (None).
        TreeTooLarge: at the destination lies more than one request may take away. What is moved has no bound.
    """

    def work(unit: Unit, ledger: Ledger) -> Placed:
        resource, from_id, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        require_depth(resource, depth)
        if source.holds(destination) or destination.holds(source):
            raise SourceIsDestination(source.name)
        trees = [resource.node_id] if old is None else [resource.node_id, old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[from_id, to_id], trees=trees)
        require_within(context, unit, ledger.store_id, old)
        end_locks(unit, ledger.store_id, held, source, destination)
        bindings.close(unit, ledger, from_id, source.name)
        closed = None if old is None else bindings.close(unit, ledger, to_id, destination.name)
        node_id, is_collection = resource.node_id, bool(resource.is_collection)
        name = destination.name
        bindings.bind(
            unit, ledger, to_id, name, node_id=node_id, is_collection=is_collection, made=MADE_HOME, moved=True
        )
        if modified_us is not None or not resource.is_collection:  # the time may be older than that of what was here
            kept_us = resource.modified_us if modified_us is None else modified_us
            set_time(unit, ledger, resource.node_id, kept_us, old=old)
        if old is not None and closed is not None:  # after mapping: source and target may be one node
            end_tree(unit, ledger, old, closed)
        return Placed(old is None, bool(resource.is_collection))

    return context.write(source.store, work)


def copy(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    depth: int | None = None,
    modified_us: int | None = None,
) -> Placed:
    """Make new resources with the bodies and dead properties of others.

    Depth 0 copies a collection without its members. Bodies are shared, not copied, and charged again. The copies are
    modified now; when the client says when, the one at the destination was modified then.

    Raises:
        As move, and QuotaExceeded. Malformed: a collection, and depth 1.
    """

    def work(unit: Unit, ledger: Ledger) -> Placed:
        resource, _, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        require_depth(resource, depth, 0)
        recursive = depth is None
        if source == destination or destination.holds(source) or (recursive and source.holds(destination)):
            raise SourceIsDestination(source.name)
        trees = [] if old is None else [old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[to_id], trees=trees)
        require_within(context, unit, ledger.store_id, resource if recursive else None, old)
        end_locks(unit, ledger.store_id, held, destination)
        closed = None if old is None else bindings.close(unit, ledger, to_id, destination.name)
        times = _times_of_copies(ledger, resource, old, now_us=context.now_us)
        copy_id = _plant(unit, ledger, resource, to_id, destination.name, recursive=recursive, times=times)
        if modified_us is not None:
            set_time(unit, ledger, copy_id, modified_us, old=old)
        if old is not None and closed is not None:
            end_tree(unit, ledger, old, closed)
        return Placed(old is None, bool(resource.is_collection))

    return context.write(source.store, work)


class _Times(NamedTuple):
    """The times of copies, as `NodeRow` has them."""

    created_us: int
    modified_us: int
    modified_by: int


def _times_of_copies(ledger: Ledger, source: Resource, old: Resource | None, *, now_us: int) -> _Times:
    whose = find_modified_by(now_us, client=False, old=old, unmapped_us=ledger.unmapped_us)
    if old is not None and source.is_collection:  # what lay beneath is not looked at
        whose |= AGAIN
    return _Times(now_us, now_us, whose)


def _both_ends(
    context: Context,
    unit: Unit,
    ledger: Ledger,
    source: Path,
    destination: Path,
    conditions: Preconditions,
    overwrite: bool,
) -> tuple[Resource, int, Resource | None, int]:
    """Return the source and its parent's node, what is at the destination, and the node of that place's parent."""
    place = bindings.resolve(unit, ledger.facts, source.names)
    require(context, unit, ledger.facts, place.resource, conditions)
    if place.resource is None:
        raise NotFound(source.name)
    if destination.store != source.store:
        raise ForeignDestination(destination.store)
    from_id = require_parent(place, source)
    target: Resolved = bindings.resolve(unit, ledger.facts, destination.names)
    to_id = require_parent(target, destination)
    if target.resource is not None and not overwrite:
        raise PreconditionFailed("the destination exists")
    return place.resource, from_id, target.resource, to_id


def _plant(
    unit: Unit, ledger: Ledger, source: Resource, parent_id: int, name: str, *, recursive: bool, times: _Times
) -> int:
    """Make the copies and return the node of the first."""
    body_id = nodes.find_body_id(unit, ledger.store_id, source.node_id)
    is_collection = bool(source.is_collection)
    row = NodeRow(is_collection, body_id, source.etag, source.length, source.content_type, *times)
    copy_id, _ = nodes.insert_node(unit, ledger, row)
    bindings.bind(unit, ledger, parent_id, name, node_id=copy_id, is_collection=is_collection, made=MADE_HOME)
    ledger.used_bytes += source.length or 0
    ledger.used_bytes += properties.copy_properties(unit, ledger.store_id, source.node_id, copy_id)
    if recursive and is_collection:
        trees.copy_beneath(
            unit, ledger, source.node_id, copy_id, modified_us=times.modified_us, modified_by=times.modified_by
        )
    return copy_id
