"""The decision whether a request may be done, in one order, in the unit that acts.

Resolve, rights, conditions, existence and kind, locks, room (RFC 4918 §8.5): which of two errors wins is decided here
and nowhere else. `NEEDS` is the table of what each method needs of its URLs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from davstore.engine import rights
from davstore.engine.conditions import require_met
from davstore.engine.locks import require_open
from davstore.engine.parts import find_part
from davstore.engine.room import require_shallow, require_within
from davstore.engine.writer import Member, Writer
from davstore.errors import (
    AlreadyExists,
    ForeignDestination,
    IsCollection,
    IsRoot,
    Malformed,
    NameNotAllowed,
    NoCollection,
    NotFound,
    OnlyCollection,
    ParentMissing,
    PreconditionFailed,
    SourceIsDestination,
    ThreadIsComputed,
    TreeTooLarge,
)
from davstore.metadata import bindings, places, threads
from davstore.metadata.bindings import Resolved
from davstore.metadata.facets import load
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource
from davstore.model.paths import MAX_NAME_BYTES, Area, PartPath, Path
from davstore.protocol.urls import MAX_NAMES

Intent = Literal[
    "PUT",
    "MKCOL",
    "DELETE",
    "PROPPATCH",
    "POST",
    "ACL",
    "LOCK",
    "UNLOCK",
    "COPY from",
    "COPY to",
    "MOVE from",
    "MOVE to",
    "file a delivery",
    "make its folder",
]
"""The method of a request at one of its URLs. COPY and MOVE have two, and a delivery those that the store finds."""

There = Literal["anything or nothing", "something", "nothing", "no collection", "a collection"]
"""The states of a URL that a method allows."""

Changes = Literal["nothing", "new member", "resource", "mapping"]
"""The subject of a method's change, which no lock may be in the way of (RFC 4918 §7).

A change of a mapping changes the collection that holds it, and the resource at the URL with all beneath it. Where the
URL is unmapped, a resource or a new member change the collection alone.
"""


class Needs(NamedTuple):
    """The needs of one method at one URL.

    in_threads: it may be a place in the area of threads, whose members are computed.

    on_root: it may be the root of a store. within: the tree at the URL counts against the nodes that one request may
    touch. depths: those that a collection may be taken to, beside infinity; None: the method has no Depth.
    delivers: the asker need not see the store, if it may deliver into it.
    """

    there: There
    changes: Changes
    on_root: bool = False
    within: bool = False
    in_threads: bool = False
    depths: tuple[int, ...] | None = None
    delivers: bool = False


NEEDS: Final[Mapping[Intent, Needs]] = {
    "PUT": Needs("no collection", "resource"),
    "MKCOL": Needs("nothing", "mapping"),
    "DELETE": Needs("something", "mapping", within=True, in_threads=True, depths=()),
    "PROPPATCH": Needs("something", "resource", on_root=True, in_threads=True),
    "POST": Needs("a collection", "nothing", on_root=True, in_threads=True),
    "ACL": Needs("something", "resource", on_root=True, in_threads=True),
    "LOCK": Needs("anything or nothing", "new member", on_root=True),
    "UNLOCK": Needs("something", "nothing", on_root=True),
    "COPY from": Needs("something", "nothing", within=True, in_threads=True, depths=(0,)),
    "COPY to": Needs("anything or nothing", "mapping", within=True),
    "MOVE from": Needs("something", "mapping", depths=()),  # however large the tree: one binding moves
    "MOVE to": Needs("anything or nothing", "mapping", within=True),
    "file a delivery": Needs("anything or nothing", "new member", delivers=True),
    "make its folder": Needs("nothing", "mapping", delivers=True),
}


def resolve_for(
    writer: Writer, intent: Intent, path: Path, *, makes_collection: bool = False, act: str | None = None
) -> Resolved:
    """Resolve a path for a method, as its asker may know of it: what is hidden from it is not there.

    act is the row of `policy.needs`, where it is not the method's. makes_collection: a collection would come there.

    Raises:
        NotFound: the asker may not know of the URL. NeedPrivileges: it lacks a privilege.
        ThreadIsComputed: no place in threads has the method.
    """
    place = resolve(writer, path, act or intent, delivers=NEEDS[intent].delivers, makes_collection=makes_collection)
    if path.area is Area.THREADS and not NEEDS[intent].in_threads:
        raise ThreadIsComputed(path.name)
    return place


def resolve(
    writer: Writer, path: Path, act: str, *, delivers: bool = False, makes_collection: bool = False
) -> Resolved:
    """Resolve a path of the store for an asker who may do an act there, or may deliver there.

    Raises:
        NotFound, NeedPrivileges: as `resolve_for`.
    """
    if delivers:
        rights.require_delivery(writer.context.asker, path)
        return bindings.resolve(writer.unit, writer.ledger.facts, path)
    sight = writer.sight()
    place = bindings.resolve(writer.unit, writer.ledger.facts, path)
    return place if sight is None else rights.permit(sight, act, path, place, makes_collection=makes_collection)


def decide(
    writer: Writer,
    intent: Intent,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    depth: int | None = None,
    creatable: bool = True,
    submitted: Preconditions | None = None,
    act: str | None = None,
) -> Member:
    """Return the member that a request is about, if the request may do its intent.

    depth None is infinity. creatable says whether the URL could be that of a new resource: one with a slash could not.
    The lock tokens are those of submitted, where that is given. act is as in `resolve_for`.

    Raises:
        NotFound: the URL is unmapped, or the asker may not know of it. NeedPrivileges: it lacks a privilege.
        ThreadIsComputed: a place in the area of threads, and a method that would change what is where.
        PreconditionFailed: a condition does not hold. Malformed: a depth that the method has not.
        WrongKind: the resource there is in the way or the root, or nothing is there and nothing could be made.
        ParentMissing, NameNotAllowed: no collection would hold it, or not under this name.
        Locked: a lock is in the way. TreeTooLarge: the request would touch too many nodes.
    """
    needs = NEEDS[intent]
    place = resolve_for(writer, intent, path, act=act)
    require_met(writer, place.resource, conditions)
    _require_there(needs, place.resource, path)
    _require_depth(needs, place.resource, depth)
    member = _member(needs, place, path)
    if place.resource is None and not creatable:
        raise OnlyCollection(path.name)
    require_changeable(writer, intent, member, conditions if submitted is None else submitted)
    return member


def require_changeable(writer: Writer, intent: Intent, member: Member, conditions: Preconditions = NONE) -> None:
    """Take the last steps of `decide`, locks and room, for a member. Raises Locked, TreeTooLarge."""
    needs = NEEDS[intent]
    nodes, trees = _touched(needs, member)
    if nodes:
        require_open(writer, conditions, nodes=nodes, trees=trees)
    if needs.within:
        require_within(writer, member.resource)


def decide_addition(
    writer: Writer, path: Path, conditions: Preconditions = NONE, *, submitted: Preconditions | None = None
) -> Resolved:
    """Return the place of any new member of a collection, when the request may add one. No condition is met by it.

    The lock tokens are as in `decide`.

    Raises:
        NotFound: no collection is there. ThreadIsComputed: as `decide`.
        PreconditionFailed: a condition is about what is there, or does not hold.
        Locked: a lock is in the way. TreeTooLarge: a member would have no URL.
    """
    place = resolve_for(writer, "PUT", path, act="add")
    require_met(writer, None, conditions)
    if place.resource is None or place.last is None or not place.resource.is_collection:
        raise NotFound(path.name)
    if len(path.names) >= MAX_NAMES:
        raise TreeTooLarge("it lies too deep")
    require_open(writer, conditions if submitted is None else submitted, nodes=[place.last.node_id])
    return Resolved([*place.steps, place.last], None, None)


def decide_on_messages(writer: Writer, member: Member, conditions: Preconditions = NONE) -> list[int]:
    """Return the messages of a thread, or the one at a member's URL, if all of them may be deleted from their folders.

    `decide` has allowed to delete what the URL names. Raises Locked.
    """
    resource = member.get()
    unit, store_id = writer.unit, writer.ledger.store_id
    node_ids = [resource.node_id]
    if resource.is_collection:
        node_ids = [one.node_id for one in threads.list_names_in(unit, store_id, resource.node_id)]
    folders = {home.parent_id for home in places.list_homes(unit, store_id, node_ids)}
    if (sight := writer.sight()) is not None:
        rights.require_each(sight, "DELETE", member.path, resource, node_ids)
    require_open(writer, conditions, nodes=folders, trees=node_ids)
    return node_ids


def decide_both(
    writer: Writer,
    method: Literal["COPY", "MOVE"],
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
        PreconditionFailed: the destination is mapped and not to be overwritten.
        SourceIsDestination: one of the places lies in the other, so that one would be lost, or hold itself.
    """
    is_move = method == "MOVE"
    from_: Intent = "MOVE from" if is_move else "COPY from"
    to: Intent = "MOVE to" if is_move else "COPY to"
    needs_from, needs_to = NEEDS[from_], NEEDS[to]
    verb = "rename" if is_move and source.parent == destination.parent else method
    place = resolve_for(writer, from_, source, act=f"{verb} from")
    require_met(writer, place.resource, conditions)
    _require_there(needs_from, place.resource, source)
    if destination.store != source.store:
        raise ForeignDestination(destination.store)
    old = _member(needs_from, place, source)
    makes = bool(old.get().is_collection)
    new = _member(needs_to, resolve_for(writer, to, destination, makes_collection=makes, act=f"{verb} to"), destination)
    if new.resource is not None and not overwrite:
        raise PreconditionFailed("the destination exists")
    _require_depth(needs_from, old.resource, depth)
    is_whole = is_move or depth is None
    if _is_itself(old, new) or destination.holds(source) or (is_whole and source.holds(destination)):
        raise SourceIsDestination(source.name)
    touched = [_touched(needs_from, old), _touched(needs_to, new)]
    nodes, trees = ([one for part in parts for one in part] for parts in zip(*touched, strict=True))
    require_open(writer, conditions, nodes=nodes, trees=trees)
    require_within(writer, old.resource if needs_from.within and depth is None else None, new.resource)
    if is_whole:
        require_shallow(writer, old.get(), source, destination)
    return old, new


def _is_itself(old: Member, new: Member) -> bool:
    """Tell whether both URLs name one resource: they are one, or one of them is that of a message in its thread."""
    if old.path.area == new.path.area:
        return old.path == new.path
    return new.resource is not None and new.resource.node_id == old.get().node_id


def decide_copy_of_part(
    writer: Writer, source: PartPath, destination: Path, conditions: Preconditions = NONE, *, overwrite: bool
) -> tuple[PartResource, Member]:
    """Return a part of a message and the member of the other URL, when the part may be copied there.

    Raises:
        As `decide_both`. NotFound: the message has no such part.
        SourceIsDestination: the destination is the message, or holds it: it would be lost.
    """
    needs = NEEDS["COPY to"]
    place = resolve(writer, source.path, "COPY from")
    part = None if place.resource is None else _find_part(writer, place.resource, source.number)
    require_met(writer, part, conditions)
    if part is None:
        raise NotFound(source.number)
    if destination.store != source.path.store:
        raise ForeignDestination(destination.store)
    member = _member(needs, resolve_for(writer, "COPY to", destination), destination)
    if member.resource is not None and not overwrite:
        raise PreconditionFailed("the destination exists")
    if destination.holds(source.path):
        raise SourceIsDestination(source.path.name)
    require_changeable(writer, "COPY to", member, conditions)
    return part, member


def _find_part(writer: Writer, message: Resource, number: str) -> PartResource | None:
    facts, now_us = writer.ledger.facts, writer.context.now_us
    found = find_part(load(writer.unit, facts, {MESSAGE}, [message.node_id], now_us=now_us), message, number)
    return None if found is None else found[0]


def _require_there(needs: Needs, resource: Resource | None, path: Path) -> None:
    if resource is None:
        if needs.there in ("something", "a collection"):
            raise NotFound(path.name)
    elif needs.there == "nothing":
        raise AlreadyExists(path.name)
    elif needs.there == "no collection" and resource.is_collection:
        raise IsCollection(path.name)
    elif needs.there == "a collection" and not resource.is_collection:
        raise NoCollection(path.name)


def _require_depth(needs: Needs, resource: Resource | None, depth: int | None) -> None:
    """Raise Malformed when a collection is not to be taken whole, nor to a depth that the method has.

    The depth of a non-collection means nothing (RFC 4918 §9.6.1, §9.8.3, §9.9.2): programs that list with Depth 0 send
    it with every method.
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
    if needs.changes == "nothing":
        return [], []
    if needs.changes == "mapping":
        return [member.parent_id], there
    if member.resource is None:
        return [member.parent_id], []
    return there if needs.changes == "resource" else [], []
