"""COPY and MOVE within a store: all of a tree or nothing (DECISIONS 16), in one unit."""

from __future__ import annotations

from typing import NamedTuple

from davstore.errors import ForeignDestination, NotFound, PreconditionFailed, SourceIsDestination
from davstore.metadata import bindings, nodes, properties
from davstore.metadata.bindings import Place
from davstore.metadata.nodes import Member, NodeRow
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import MADE_HOME
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.policy.preconditions import SECOND_US
from davstore.store.context import Context
from davstore.store.guarding import end_locks, require, require_parent, require_unlocked
from davstore.store.writing import end_tree


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
    modified_us: int | None = None,
) -> Placed:
    """Bind a resource, with all that lies beneath it, to another place.

    It keeps its modification time, to the second, unless the client says when it was modified.

    Raises:
        NotFound, ParentMissing, NameNotAllowed, PreconditionFailed.
        Locked: a lock is in the way. Locks do not move: those of the source end (RFC 4918 §7.6).
        MethodNotAllowed: source or destination is the root.
        SourceIsDestination: one of the places lies in the other.
        ForeignDestination: the destination is in another store.
    """

    def work(unit: Unit, ledger: Ledger) -> Placed:
        resource, from_id, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        if source.holds(destination) or destination.holds(source):
            raise SourceIsDestination(source.name)
        trees = [resource.node_id] if old is None else [resource.node_id, old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[from_id, to_id], trees=trees)
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
        return Placed(old is None, bool(resource.is_collection))

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
) -> Placed:
    """Make new resources with the bodies and dead properties of others.

    Bodies are shared, not copied, and charged again (DECISIONS 13, 30). They are modified now; when the client says
    when, the one at the destination was modified then.

    Raises:
        As move, and QuotaExceeded.
    """

    def work(unit: Unit, ledger: Ledger) -> Placed:
        resource, _, old, to_id = _both_ends(context, unit, ledger, source, destination, conditions, overwrite)
        if source == destination or destination.holds(source) or (recursive and source.holds(destination)):
            raise SourceIsDestination(source.name)
        trees = [] if old is None else [old.node_id]
        held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[to_id], trees=trees)
        end_locks(unit, ledger.store_id, held, destination)
        closed = None if old is None else bindings.close(unit, ledger, to_id, destination.name)
        copy_id = _plant(unit, ledger, resource, to_id, destination.name, recursive=recursive, now_us=context.now_us)
        if modified_us is not None:
            nodes.set_modified(unit, ledger, copy_id, modified_us=modified_us)
        if old is not None and closed is not None:
            end_tree(unit, ledger, old, closed)
        return Placed(old is None, bool(resource.is_collection))

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
    """Make the copies, parents before children, each mapping under a number of its own; return the first's node."""
    top = nodes.get_member(unit, ledger.store_id, source.node_id)._replace(name=name)
    copied = _plant_some(unit, ledger, [top], parent_id, now_us=now_us)
    if recursive and source.is_collection:
        beneath = bindings.list_collections_beneath(unit, ledger.store_id, source.node_id)
        for collection in [source.node_id, *(row.node_id for row in beneath)]:
            for members in nodes.each_contents(unit, ledger.store_id, collection):
                some = _plant_some(unit, ledger, members, copied[collection], now_us=now_us)
                copied |= {old.node_id: some[old.node_id] for old in members if old.is_coll}
    return copied[source.node_id]


def _plant_some(unit: Unit, ledger: Ledger, members: list[Member], parent_id: int, *, now_us: int) -> dict[int, int]:
    """Copy members into a collection; return which new node stands for each of them."""
    copied: dict[int, int] = {}
    new_nodes: list[tuple[int, NodeRow]] = []
    new_bindings: list[dict[str, object]] = []
    for old in members:
        node_id = copied[old.node_id] = ledger.new_id()
        number = ledger.number()
        row = NodeRow(bool(old.is_coll), old.body_id, old.etag, old.length, old.content_type, now_us, now_us)
        new_nodes.append((node_id, row))
        new_bindings.append(
            {
                "store_id": ledger.store_id,
                "parent_id": parent_id,
                "name": old.name,
                "node_id": node_id,
                "is_coll": old.is_coll,
                "moved": 0,
                "made": MADE_HOME,
                "mapped": number,
                "changed": number,
            }
        )
        ledger.used_bytes += old.length or 0
    nodes.insert_nodes(unit, ledger.store_id, new_nodes)
    bindings.insert_bindings(unit, new_bindings)
    ledger.used_bytes += properties.copy_properties(unit, ledger.store_id, copied)
    return copied
