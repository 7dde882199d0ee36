"""Making, replacing and deleting: each one unit of work, checked inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from davstore.engine.context import Context
from davstore.engine.guarding import end_locks, require, require_depth, require_parent, require_unlocked, require_within
from davstore.engine.integrity import NO_PROMISES, Digesting, Promises
from davstore.engine.receiving import BLOCK_BYTES, Source, Upload, begin_upload
from davstore.errors import (
    AlreadyExists,
    ConflictingValue,
    DavstoreError,
    Malformed,
    MethodNotAllowed,
    NotFound,
    PropertiesRefused,
    Unprocessable,
)
from davstore.metadata import bindings, nodes, properties, uploads
from davstore.metadata.nodes import NodeRow, Stored, empty_collection, leaf
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import MADE_HOME
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import AGAIN, Resource
from davstore.model.paths import Path
from davstore.policy.preconditions import find_modified_by
from davstore.protocol.http.media_types import UNKNOWN_TYPE

NOTHING_REFUSED: Mapping[str, DavstoreError] = MappingProxyType({})
PROPERTY_BYTES = 1 << 20
"""The dead properties of one resource: a listing of it has to hold them all."""
NO_PROPERTIES: Mapping[str, bytes] = MappingProxyType({})


class LiveValues(NamedTuple):
    """What a client may set of the live properties: when the resource was modified, and the checksums that it has.

    claimed maps the name of a property to the checksums that it says are those of the body, as `oc:checksums` has them.
    """

    modified_us: int | None = None
    claimed: Mapping[str, frozenset[str]] = MappingProxyType({})


NO_VALUES = LiveValues()


@dataclass(frozen=True, slots=True)
class NewContent:
    """What a PUT brings; `length` is None for a chunked body, `modified_us` unless the client says when it was made.

    `content_type` is None unless it is sent: then a resource that is there keeps its own, if that says something, and
    another one gets `guessed_type` (RFC 9110 §8.3).
    """

    stream: Source
    length: int | None
    content_type: str | None
    promises: Promises = NO_PROMISES
    modified_us: int | None = None
    guessed_type: str | None = None

    def type_over(self, old: Resource | None) -> str | None:
        """Return the media type that this has in the place of old."""
        kept = None if old is None or old.content_type == UNKNOWN_TYPE else old.content_type
        return self.content_type or kept or self.guessed_type


class Written(NamedTuple):
    """What a write left at its URL, and whether the URL was unmapped before."""

    resource: Resource
    created: bool


def put(context: Context, path: Path, content: NewContent, conditions: Preconditions = NONE) -> Written:
    """Store a body under a URL, whole or not at all.

    Raises:
        ParentMissing, NameNotAllowed: no collection would hold it, or not under this name.
        MethodNotAllowed: the URL names a collection.
        PreconditionFailed: a condition does not hold. Locked: a lock is in the way.
        Malformed: the body is cut short, or not what was promised; nothing is stored.
        QuotaExceeded, DiskFull: no room; the old body stays.
    """
    if content.length is not None and content.length > context.services.limits.inline_bytes:
        return _put_large(context, path, content, b"", conditions)  # refused, it is not even invited: no `100 Continue`
    first = _read_up_to(content.stream, context.services.limits.inline_bytes + 1, content.length)
    if len(first) <= context.services.limits.inline_bytes:
        if content.length is not None and len(first) != content.length:
            raise Malformed("the body is shorter than its Content-Length")
        digesting = Digesting(content.promises)
        digesting.update(first)
        digesting.require()
        stored = Stored(first, None, len(first), digesting.sha256, digesting.checksums)
        return _put_stored(context, path, stored, content, conditions)
    return _put_large(context, path, content, first, conditions)


def _read_up_to(stream: Source, wanted: int, length: int | None) -> bytes:
    wanted = wanted if length is None else min(wanted, length)
    pieces = []
    while wanted > 0 and (piece := stream.read(min(wanted, BLOCK_BYTES))):
        pieces.append(piece)
        wanted -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _put_large(context: Context, path: Path, content: NewContent, first: bytes, conditions: Preconditions) -> Written:
    """Admit cheaply, stream to a staged blob, publish, then write the rows in a unit that checks again."""

    def admit(unit: Unit, ledger: Ledger) -> Upload:
        old, _ = _check_put(context, unit, ledger, path, conditions)
        replaced_bytes = 0 if old is None else old.length or 0
        return begin_upload(unit, ledger, context, length=content.length, replaced_bytes=replaced_bytes)

    upload = context.write(path.store, admit)
    with upload.receive(context, content.stream, first, Digesting(content.promises)) as stored:
        return _put_stored(context, path, stored, content, conditions)


def _check_put(
    context: Context, unit: Unit, ledger: Ledger, path: Path, conditions: Preconditions
) -> tuple[Resource | None, int]:
    place = bindings.resolve(unit, ledger.facts, path.names)
    require(context, unit, ledger.facts, place.resource, conditions)
    if place.resource is not None and place.resource.is_collection:
        raise MethodNotAllowed
    parent_id = require_parent(place, path)
    changed = parent_id if place.resource is None else place.resource.node_id
    require_unlocked(context, unit, ledger.store_id, conditions, nodes=[changed])
    return place.resource, parent_id


def _put_stored(
    context: Context, path: Path, stored: Stored, content: NewContent, conditions: Preconditions
) -> Written:

    def work(unit: Unit, ledger: Ledger) -> Written:
        old, parent_id = _check_put(context, unit, ledger, path, conditions)
        content_type = content.type_over(old)
        if stored.blob is not None:
            uploads.release(unit, ledger.store_id, stored.blob)
        if old is None:
            body_id = nodes.insert_body(unit, ledger, stored)
            row = leaf(body_id, stored, content_type, now_us=context.now_us, modified_us=content.modified_us)
            return Written(make_resource(unit, ledger, parent_id, path, row), created=True)
        modified_us = content.modified_us
        if modified_us is None:
            modified_us = max(context.now_us, old.modified_us + 1)
        is_clients = content.modified_us is not None
        new = old._replace(
            etag=stored.sha256,
            length=stored.length,
            content_type=content_type,
            modified_us=modified_us,
            modified_by=find_modified_by(modified_us, client=is_clients, old=old, unmapped_us=ledger.unmapped_us),
        )
        nodes.replace_body(unit, ledger, new, stored)
        ledger.used_bytes += stored.length - (old.length or 0)
        return Written(new._replace(changed=bindings.touch(unit, ledger, new.node_id)), created=False)

    return context.write(path.store, work)


def make_resource(
    unit: Unit,
    ledger: Ledger,
    parent_id: int,
    path: Path,
    row: NodeRow,
) -> Resource:
    """Make a resource with a body at an unmapped place; that it may be there is the caller's to see."""
    ledger.used_bytes += row.length or 0
    return _map(unit, ledger, parent_id, path, row)


def _map(unit: Unit, ledger: Ledger, parent_id: int, path: Path, row: NodeRow) -> Resource:
    """Make a node and bind it to path, where nothing is now and something may have been."""
    is_clients = row.modified_by != 0
    whose = find_modified_by(row.modified_us, client=is_clients, old=None, unmapped_us=ledger.unmapped_us)
    row = row._replace(modified_by=whose)
    node_id, resource_id = nodes.insert_node(unit, ledger, row)
    number = bindings.bind(
        unit, ledger, parent_id, path.name, node_id=node_id, is_collection=row.is_collection, made=MADE_HOME
    )
    names, coll = path.parent.names, int(row.is_collection)
    facts = (resource_id, row.etag, row.length, row.content_type, row.created_us, row.modified_us, whose)
    return Resource(names, path.name, node_id, coll, number, *facts)


def make_collection(
    context: Context,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    elements: Mapping[str, bytes] = NO_PROPERTIES,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    live: LiveValues = NO_VALUES,
) -> Written:
    """Make an empty collection with dead properties (RFC 5689) and live ones, or nothing.

    refused holds the properties that cannot be set at all; they are told after everything else was checked.

    Raises:
        AlreadyExists, ParentMissing, NameNotAllowed, PreconditionFailed, Locked, PropertiesRefused, QuotaExceeded.
    """

    def work(unit: Unit, ledger: Ledger) -> Written:
        place = bindings.resolve(unit, ledger.facts, path.names)
        require(context, unit, ledger.facts, place.resource, conditions)
        if place.resource is not None:
            raise AlreadyExists(path.name)
        parent_id = require_parent(place, path)
        require_unlocked(context, unit, ledger.store_id, conditions, nodes=[parent_id])
        row = empty_collection(now_us=context.now_us)
        resource = _map(unit, ledger, parent_id, path, row)
        _set_live(unit, ledger, resource, live, refused)
        _change_properties(unit, ledger, context, resource.node_id, list(elements.items()))
        return Written(resource, created=True)

    return context.write(path.store, work)


def patch_properties(
    context: Context,
    path: Path,
    changes: Sequence[tuple[str, bytes | None]],
    conditions: Preconditions = NONE,
    *,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    live: LiveValues = NO_VALUES,
) -> Resource:
    """Set (an element) and remove (None) dead properties in the order given, and live ones, all of them or none.

    Raises:
        NotFound, PreconditionFailed, Locked, PropertiesRefused, QuotaExceeded.
    """

    def work(unit: Unit, ledger: Ledger) -> Resource:
        resource = bindings.resolve(unit, ledger.facts, path.names).resource
        require(context, unit, ledger.facts, resource, conditions)
        if resource is None:
            raise NotFound(path.name)
        require_unlocked(context, unit, ledger.store_id, conditions, nodes=[resource.node_id])
        _set_live(unit, ledger, resource, live, refused)
        if not changes and live == NO_VALUES:
            return resource  # and nobody has to hear of it
        if (
            resource.modified_by & AGAIN and live.modified_us is None
        ):  # its way tells so, and no more when it is touched
            _keep_time(unit, ledger, resource)
        _change_properties(unit, ledger, context, resource.node_id, changes)
        return resource._replace(changed=bindings.touch(unit, ledger, resource.node_id))

    return context.write(path.store, work)


def _set_live(
    unit: Unit, ledger: Ledger, resource: Resource, live: LiveValues, refused: Mapping[str, DavstoreError]
) -> None:
    """Set what may be set of the live properties.

    Raises:
        PropertiesRefused: those refused before, and those that say of the body what is not true or not kept.
    """
    false: dict[str, DavstoreError] = {}
    if live.claimed:
        kept = nodes.list_checksums(unit, ledger.store_id, [resource.node_id]).get(resource.node_id, "").split(" ")
        false = {name: ConflictingValue(name) for name, claimed in live.claimed.items() if not claimed.issubset(kept)}
    if refused or false:
        raise PropertiesRefused({**refused, **false})
    if live.modified_us is not None:
        set_time(unit, ledger, resource.node_id, live.modified_us, old=resource)


def set_time(unit: Unit, ledger: Ledger, node_id: int, time_us: int, *, old: Resource | None) -> None:
    """Give a node the time of modification that a client wants; old is what its URL showed."""
    whose = find_modified_by(time_us, client=True, old=old, unmapped_us=ledger.unmapped_us)
    nodes.set_modified(unit, ledger, node_id, modified_us=time_us, modified_by=whose)


def _keep_time(unit: Unit, ledger: Ledger, resource: Resource) -> None:
    times = {"modified_us": resource.modified_us, "modified_by": resource.modified_by}
    nodes.set_modified(unit, ledger, resource.node_id, **times)


def _change_properties(
    unit: Unit,
    ledger: Ledger,
    context: Context,
    node_id: int,
    changes: Sequence[tuple[str, bytes | None]],
) -> None:
    if not changes:
        return
    old = properties.list_properties(unit, ledger.store_id, [node_id]).get(node_id, {})
    wanted: dict[str, bytes | None] = {**old, **dict(changes)}
    new = {name: element for name, element in wanted.items() if element is not None}
    new_bytes = sum(map(len, new.values()))
    if len(new) > context.services.limits.properties_per_node or new_bytes > PROPERTY_BYTES:
        raise PropertiesRefused({name: Unprocessable("too many properties") for name, _ in changes})
    touched = [name for name, element in old.items() if new.get(name) != element]
    properties.remove_properties(unit, ledger.store_id, node_id, touched)
    fresh = {name: element for name, element in new.items() if old.get(name) != element}
    properties.set_properties(unit, ledger.store_id, {node_id: fresh})
    ledger.used_bytes += new_bytes - sum(map(len, old.values()))


def delete(context: Context, path: Path, conditions: Preconditions = NONE, *, depth: int | None = None) -> Resource:
    """Delete a resource, or a collection with all that lies beneath it, at once; return what was there.

    depth None is infinity.

    Raises:
        NotFound, PreconditionFailed, Locked, TreeTooLarge; MethodNotAllowed: the root of a store stays.
        Malformed: a collection, and another depth.
    """

    def work(unit: Unit, ledger: Ledger) -> Resource:
        place = bindings.resolve(unit, ledger.facts, path.names)
        require(context, unit, ledger.facts, place.resource, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        require_depth(place.resource, depth)
        unmap(context, unit, ledger, path, require_parent(place, path), place.resource, conditions)
        return place.resource

    return context.write(path.store, work)


def unmap(
    context: Context,
    unit: Unit,
    ledger: Ledger,
    path: Path,
    parent_id: int,
    resource: Resource,
    conditions: Preconditions,
) -> None:
    """Take what is at a place away, with all beneath it. Raises Locked or TreeTooLarge before anything is done."""
    trees = [resource.node_id]
    held = require_unlocked(context, unit, ledger.store_id, conditions, nodes=[parent_id], trees=trees)
    require_within(context, unit, ledger.store_id, resource)
    end_locks(unit, ledger.store_id, held, path)
    number = bindings.close(unit, ledger, parent_id, path.name)
    end_tree(unit, ledger, resource, number)


def end_tree(unit: Unit, ledger: Ledger, resource: Resource, number: int) -> None:
    """Close what lay beneath a binding that was closed at a number, and end the nodes that nothing binds any more."""
    if resource.is_collection:
        bindings.close_beneath(unit, ledger, resource.node_id, number)
    nodes.end_unbound(unit, ledger, number)
