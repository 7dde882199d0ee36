"""Whether a request may do what it wants, decided in one order, in the unit that acts.

Resolve, rights, conditions, what is there, locks, room (RFC 4918 §8.5): which of two errors wins is decided here and
nowhere else. `NEEDS` is the table of what each method needs of its URLs.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from davstore.engine import rights
from davstore.engine.conditions import require_met
from davstore.engine.locks import require_open
from davstore.engine.room import require_within
from davstore.engine.writer import Member, Writer
from davstore.errors import (
    AlreadyExists,
    ForeignDestination,
    IsCollection,
    IsRoot,
    Malformed,
    NameNotAllowed,
    NotFound,
    OnlyCollection,
    ParentMissing,
    PreconditionFailed,
    SourceIsDestination,
)
from davstore.metadata import bindings
from davstore.metadata.bindings import Resolved
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import MAX_NAME_BYTES, Path


class Intent(enum.Enum):
    """What a request wants. COPY and MOVE have two URLs, and so two of them."""

    PUT = "PUT"
    MKCOL = "MKCOL"
    DELETE = "DELETE"
    PROPPATCH = "PROPPATCH"
    LOCK = "LOCK"
    UNLOCK = "UNLOCK"
    COPY_FROM = "COPY, from"
    COPY_TO = "COPY, to"
    MOVE_FROM = "MOVE, from"
    MOVE_TO = "MOVE, to"


class There(enum.Enum):
    """What a method may find at its URL."""

    ANYTHING = "anything, or nothing"
    SOMETHING = "something"
    NOTHING = "nothing"
    NO_COLLECTION = "nothing, or a resource that is no collection"


class Changes(enum.Enum):
    """What a method changes at its URL, which no lock may be in the way of (RFC 4918 §7)."""

    NOTHING = "nothing"
    NEW_MEMBER = "the collection, where the URL is unmapped"
    RESOURCE = "what is there; the collection, where the URL is unmapped"
    MAPPING = "the collection, and what is there with all beneath it"


class Needs(NamedTuple):
    """What one method needs of one URL.

    on_root: it may be the root of a store. within: what is there counts against the nodes that one request may touch.
    depths: those that a collection may be taken to, beside infinity; None: the method has no Depth.
    """

    there: There
    changes: Changes
    on_root: bool = False
    within: bool = False
    depths: tuple[int, ...] | None = None


NEEDS: Final = {
    Intent.PUT: Needs(There.NO_COLLECTION, Changes.RESOURCE),
    Intent.MKCOL: Needs(There.NOTHING, Changes.MAPPING),
    Intent.DELETE: Needs(There.SOMETHING, Changes.MAPPING, within=True, depths=()),
    Intent.PROPPATCH: Needs(There.SOMETHING, Changes.RESOURCE, on_root=True),
    Intent.LOCK: Needs(There.ANYTHING, Changes.NEW_MEMBER, on_root=True),
    Intent.UNLOCK: Needs(There.SOMETHING, Changes.NOTHING, on_root=True),
    Intent.COPY_FROM: Needs(There.SOMETHING, Changes.NOTHING, within=True, depths=(0,)),
    Intent.COPY_TO: Needs(There.ANYTHING, Changes.MAPPING, within=True),
    Intent.MOVE_FROM: Needs(There.SOMETHING, Changes.MAPPING, depths=()),  # however much lies there: one binding moves
    Intent.MOVE_TO: Needs(There.ANYTHING, Changes.MAPPING, within=True),
}


def resolve(writer: Writer, path: Path) -> Resolved:
    """Return what a path of the store meets, to somebody who may know. Raises NotFound."""
    place = bindings.resolve(writer.unit, writer.ledger.facts, path.names)
    rights.require(writer.context.asker, path)
    return place


def decide(
    writer: Writer,
    intent: Intent,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    depth: int | None = None,
    creatable: bool = True,
) -> Member:
    """Return the member that a request is about, when it may do what it wants.

    depth None is infinity. creatable says whether the URL could be that of a new resource: one with a slash could not.

    Raises:
        NotFound: nothing is there, or nothing that the asker may know of.
        PreconditionFailed: a condition does not hold. Malformed: a depth that the method has not.
        WrongKind: what is there is in the way, or it is the root, or nothing is there and nothing could be made.
        ParentMissing, NameNotAllowed: no collection would hold it, or not under this name.
        Locked: a lock is in the way. TreeTooLarge: the request would touch too many nodes.
    """
    needs = NEEDS[intent]
    place = resolve(writer, path)
    require_met(writer, place.resource, conditions)
    _require_there(needs, place.resource, path)
    _require_depth(needs, place.resource, depth)
    member = _member(needs, place, path)
    if place.resource is None and not creatable:
        raise OnlyCollection(path.name)
    require_changeable(writer, intent, member, conditions)
    return member


def require_changeable(writer: Writer, intent: Intent, member: Member, conditions: Preconditions = NONE) -> None:
    """Take the last steps of `decide`, locks and room, for a member. Raises Locked, TreeTooLarge."""
    needs = NEEDS[intent]
    nodes, trees = _touched(needs, member)
    if nodes:
        require_open(writer, conditions, nodes=nodes, trees=trees)
    if needs.within:
        require_within(writer, member.resource)


def decide_both(
    writer: Writer,
    intents: tuple[Intent, Intent],
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    depth: int | None = None,
) -> tuple[Member, Member]:
    """Return the members of the two URLs of a COPY or MOVE, when it may be done. The conditions are of the source.

    Raises:
        As `decide`. ForeignDestination: the destination is in another store.
        PreconditionFailed: something is there that is not to be overwritten.
        SourceIsDestination: one of the places lies in the other, so that one would be lost, or hold itself.
    """
    needs_from, needs_to = NEEDS[intents[0]], NEEDS[intents[1]]
    place = resolve(writer, source)
    require_met(writer, place.resource, conditions)
    _require_there(needs_from, place.resource, source)
    if destination.store != source.store:
        raise ForeignDestination(destination.store)
    old = _member(needs_from, place, source)
    new = _member(needs_to, resolve(writer, destination), destination)
    if new.resource is not None and not overwrite:
        raise PreconditionFailed("the destination exists")
    _require_depth(needs_from, old.resource, depth)
    is_whole = depth is None or needs_from.changes is Changes.MAPPING
    if source == destination or destination.holds(source) or (is_whole and source.holds(destination)):
        raise SourceIsDestination(source.name)
    touched = [_touched(needs_from, old), _touched(needs_to, new)]
    nodes, trees = ([one for part in parts for one in part] for parts in zip(*touched, strict=True))
    require_open(writer, conditions, nodes=nodes, trees=trees)
    require_within(writer, old.resource if needs_from.within and depth is None else None, new.resource)
    return old, new


def _require_there(needs: Needs, resource: Resource | None, path: Path) -> None:
    if resource is None:
        if needs.there is There.SOMETHING:
            raise NotFound(path.name)
    elif needs.there is There.NOTHING:
        raise AlreadyExists(path.name)
    elif needs.there is There.NO_COLLECTION and resource.is_collection:
        raise IsCollection(path.name)


def _require_depth(needs: Needs, resource: Resource | None, depth: int | None) -> None:
    """Raise Malformed when a collection is not to be taken whole, nor to a depth that the method has.

    Of anything else the depth says nothing (RFC 4918 §9.6.1, §9.8.3, §9.9.2): programs that list with Depth 0 send it
    with every method.
    """
    if needs.depths is None or resource is None or not resource.is_collection:
        return
    if depth is not None and depth not in needs.depths:
        raise Malformed(f"Depth {depth} for a collection")


def _member(needs: Needs, place: Resolved, path: Path) -> Member:
    """Return a place as a member of the collection that holds its last name."""
    if not path.names:
        if needs.on_root:
            return Member(path, 0, place)
        raise IsRoot(path.store)
    if len(place.steps) != len(path.names):
        raise ParentMissing(path.name)
    if place.resource is None and len(path.name.encode()) > MAX_NAME_BYTES:
        raise NameNotAllowed(path.name)
    return Member(path, place.steps[-1].node_id, place)


def _touched(needs: Needs, member: Member) -> tuple[list[int], list[int]]:
    """Return the nodes that change, and the nodes that change with all beneath them."""
    there = [] if member.resource is None else [member.resource.node_id]
    if needs.changes is Changes.NOTHING:
        return [], []
    if needs.changes is Changes.MAPPING:
        return [member.parent_id], there
    if member.resource is None:
        return [member.parent_id], []
    return there if needs.changes is Changes.RESOURCE else [], []
