"""COPY and MOVE within a store: all of a tree or nothing (DECISIONS 16), in one unit."""

from __future__ import annotations

from davstore.errors import ForeignDestination, NotFound, PreconditionFailed, SourceIsDestination
from davstore.metadata import bindings, nodes, properties, trees
from davstore.metadata.bindings import Place
from davstore.metadata.nodes import NodeRow
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import MADE_HOME
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.policy.preconditions import SECOND_US
from davstore.store.context import Context
from davstore.store.guarding import end_locks, require, require_parent, require_unlocked, require_within
from davstore.store.writing import end_tree


def move(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    modified_us: int | None = None,
) -> bool:
    """Bind a resource, with all that lies beneath it, to another place; True when that place was unmapped.

    It keeps its modification time, to the second, unless the client says when it was modified.

    Raises:
        NotFound, ParentMissing, NameNotAllowed, PreconditionFailed.
        Locked: a lock is in the way. Locks do not move: those of the source end (RFC 4918 §7.6).
        MethodNotAllowed: source or destination is the root.
        SourceIsDestination: one of the places lies in the other.
        ForeignDestination: the destination is in another store.
        TreeTooLarge: at the destination lies more than one request may take away. What is moved has no bound.
    """

    def work(unit: Unit, ledger: Ledger) -> bool:
        resource, from_id, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        if source.holds(destination) or destination.holds(source):
            raise SourceIsDestination(source.name)
        trees = [resource.node_id] if old is None else [resource.node_id, old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[from_id, to_id], trees=trees)
        require_within(context, unit, ledger.store_id, old)
        end_locks(unit, ledger.store_id, held, source, destination)
        bindings.close(unit, ledger, from_id, source.name)
        closed = None if old is None else bindings.close(unit, ledger, to_id, destination.name)
        bindings.bind(
            unit,
            ledger,
            to_id,
            destination.name,
            node_id=resource.node_id,
            is_collection=bool(resource.is_collection),
            made=MADE_HOME,
            moved=True,
        )
        time_us = modified_us
        if time_us is None and not resource.is_collection:  # it may be older than what was here: as one set by a client
            time_us = resource.modified_us // SECOND_US * SECOND_US
        if time_us is not None:
            nodes.set_modified(unit, ledger, resource.node_id, modified_us=time_us)
        if old is not None and closed is not None:  # after mapping: source and target may be one node
            end_tree(unit, ledger, old, closed)
        return old is None

    return context.write(source.store, work)


def copy(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    recursive: bool,
    modified_us: int | None = None,
) -> bool:
    """Make new resources with the bodies and dead properties of others; True when the destination was unmapped.

    Bodies are shared, not copied, and charged again (DECISIONS 13, 30). They are modified now; when the client says
    when, the one at the destination was modified then.

    Raises:
        As move, and QuotaExceeded.
    """

    def work(unit: Unit, ledger: Ledger) -> bool:
        resource, _, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        if source == destination or destination.holds(source) or (recursive and source.holds(destination)):
            raise SourceIsDestination(source.name)
        trees = [] if old is None else [old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[to_id], trees=trees)
        require_within(context, unit, ledger.store_id, resource if recursive else None, old)
        end_locks(unit, ledger.store_id, held, destination)
        closed = None if old is None else bindings.close(unit, ledger, to_id, destination.name)
        copy_id = _plant(unit, ledger, resource, to_id, destination.name, recursive=recursive, now_us=context.now_us)
        if modified_us is not None:
            nodes.set_modified(unit, ledger, copy_id, modified_us=modified_us)
        if old is not None and closed is not None:
            end_tree(unit, ledger, old, closed)
        return old is None

    return context.write(source.store, work)


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
    target: Place = bindings.resolve(unit, ledger.facts, destination.names)
    to_id = require_parent(target, destination)
    if target.resource is not None and not overwrite:
        raise PreconditionFailed("the destination exists")
    return place.resource, from_id, target.resource, to_id


def _plant(
    unit: Unit, ledger: Ledger, source: Resource, parent_id: int, name: str, *, recursive: bool, now_us: int
) -> int:
    """Make the copies and return the node of the first."""
    body_id = nodes.find_body_id(unit, ledger.store_id, source.node_id)
    is_collection = bool(source.is_collection)
    row = NodeRow(is_collection, body_id, source.etag, source.length, source.content_type, now_us, now_us)
    copy_id, _ = nodes.insert_node(unit, ledger, row)
    bindings.bind(unit, ledger, parent_id, name, node_id=copy_id, is_collection=is_collection, made=MADE_HOME)
    ledger.used_bytes += source.length or 0
    ledger.used_bytes += properties.copy_properties(unit, ledger.store_id, source.node_id, copy_id)
    if recursive and is_collection:
        trees.copy_beneath(unit, ledger, source.node_id, copy_id, now_us=now_us)
    return copy_id
