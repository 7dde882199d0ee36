"""The one hand that changes the content of a store: verbs on a store that is locked (`transaction.write`).

COPY is `trees.copy`, of parts of these verbs; `locks` grants and ends locks. It decides nothing: `deciding` has allowed
a change before. It runs no effect: it notes each change, and `effects` run over these notes at the end of the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.engine.context import Context
from davstore.engine.rights import find_sight
from davstore.engine.sight import Sight
from davstore.errors import NotFound
from davstore.metadata import aces, bindings, bodies, locks, nodes, properties, several, states, uploads
from davstore.metadata.bindings import Resolved
from davstore.metadata.bodies import Received
from davstore.metadata.nodes import NodeRow, empty_collection, leaf
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.model.acl import Ace
from davstore.model.locks import Lock
from davstore.model.nodes import MESSAGES, Resource, ResourceType
from davstore.model.paths import Area, Path
from davstore.model.states import NO_CHANGE, StateChange
from davstore.policy.preconditions import find_modified_by

NO_ELEMENTS: Final[Mapping[str, bytes]] = MappingProxyType({})


class Member(NamedTuple):
    """A URL that a request is about: the collection that holds its last name, and the resource there.

    The root of a store is no member of any: its parent_id is 0.
    """

    path: Path
    parent_id: int
    place: Resolved

    @property
    def resource(self) -> Resource | None:
        """The resource at the URL; None: it is unmapped."""
        return self.place.resource

    def get(self) -> Resource:
        """Return the resource at the URL. Raises NotFound: it is unmapped."""
        if self.place.resource is None:
            raise NotFound(self.path.name)
        return self.place.resource


class PropertyChange(NamedTuple):
    """Dead properties of a node: the removed, the written, and the bytes of all of them before and after."""

    removed: Sequence[str]
    written: Mapping[str, bytes]
    old_bytes: int
    new_bytes: int


class Shown(NamedTuple):
    """A resource as a URL shows it; property_bytes is 0 on both sides of a change that leaves dead properties alone."""

    resource: Resource
    property_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """The bytes of the body and of the dead properties."""
        return (self.resource.length or 0) + self.property_bytes


class Change(NamedTuple):
    """A resource that is new (before is None), has other content or properties, or another name.

    is_move: it has another name, or the same in another collection. MOVE of a collection is one such change: what lies
    beneath keeps its rows. The end of a resource is a `TreeChange`.
    """

    before: Shown | None
    after: Shown
    is_move: bool = False


class TreeChange(NamedTuple):
    """Nodes that came beneath a copied collection, or that ended, of trees or of single resources.

    Those that came are known by the change numbers of their bindings, from first to last; those that ended by their
    ids, where there may be messages among them. names is how many bindings were made: 0 when trees ended. size_bytes
    is what bodies and dead properties add, less than nothing when trees ended.
    """

    first: int
    last: int
    names: int
    size_bytes: int
    ended: Sequence[int] = ()


class Writer:
    """One unit of work on one store. It reads only the rows that it changes."""

    __slots__ = ("_held", "_sight", "changes", "context", "ledger", "unit")

    def __init__(self, context: Context, unit: Unit, ledger: Ledger) -> None:
        self.context = context
        self.unit = unit
        self.ledger = ledger
        self.changes: list[Change | TreeChange] = []
        self._held: list[Lock] | None = None if ledger.facts.may_hold_locks else []
        self._sight: list[Sight | None] = []

    def sight(self) -> Sight | None:
        """Return the entries of the store that name the asker, which are read once; None: it owns the store.

        Raises:
            NotFound: no entry names the asker.
        """
        if not self._sight:
            self._sight.append(find_sight(self.context, self.unit, self.ledger.facts))
        return self._sight[0]

    def held(self) -> list[Lock]:
        """Return the locks that are held in the store, which are read once. A store without any costs nothing."""
        if self._held is None:
            self._held = locks.list_locks(self.unit, self.ledger.facts, now_us=self.context.now_us)
        return self._held

    def forget_held(self) -> None:
        """Read the locks again when they are asked for: they have changed."""
        self._held = None

    def make(
        self,
        member: Member,
        received: Received | None = None,
        *,
        type_: ResourceType = ResourceType.COLLECTION,
        content_type: str | None = None,
        modified_us: int | None = None,
        elements: Mapping[str, bytes] = NO_ELEMENTS,
        over: Resource | None = None,
        state: StateChange = NO_CHANGE,
    ) -> Resource:
        """Make a resource with a body, or a collection (None) of a type, at an unmapped URL.

        modified_us is given when the client sets it, over is what the URL showed before this unit unmapped it. Only
        what state sets counts, and only for a body.
        """
        now_us = self.context.now_us
        time_us = now_us if modified_us is None else modified_us
        if received is None:
            row = empty_collection(now_us=now_us, type_=type_)
        else:
            body_id = self._name_body(received)
            row = leaf(body_id, received.stored, content_type, now_us=now_us, type_=received.type)
            row = row._replace(flags=state.set) if state.set else row
        whose = self._whose(time_us, client=modified_us is not None, old=over)
        if (time_us, whose) != (now_us, 0):
            row = row._replace(modified_us=time_us, modified_by=whose)
        made = self.map_new(member, row)
        if elements:
            properties.set_properties(self.unit, self.ledger.store_id, {made.node_id: elements})
        if state.added:
            states.change_keywords(self.unit, self.ledger, [made.node_id], added=state.added, dropped=frozenset())
        self.changes.append(Change(None, Shown(made, sum(map(len, elements.values())))))
        return made

    def replace(
        self, old: Resource, received: Received, *, content_type: str | None, modified_us: int | None = None
    ) -> Resource:
        """Give a resource another body. Of two writes in one microsecond the second gets a later time."""
        time_us = max(self.context.now_us, old.modified_us + 1) if modified_us is None else modified_us
        new = old._replace(
            etag=received.stored.sha256,
            length=received.stored.length,
            content_type=content_type,
            modified_us=time_us,
            modified_by=self._whose(time_us, client=modified_us is not None, old=old),
            type=received.type,
            modseq=self.ledger.seq + 1,
        )
        body_id = self._name_body(received)
        nodes.replace_body(self.unit, self.ledger, new, body_id)
        new = new._replace(changed=bindings.touch(self.unit, self.ledger, new.node_id))
        self.changes.append(Change(Shown(old), Shown(new)))
        return new

    def alter(
        self,
        old: Resource,
        change: PropertyChange | None,
        *,
        modified_us: int | None = None,
        state: StateChange = NO_CHANGE,
    ) -> Resource:
        """Change the dead properties of a resource, its states, its time of modification, or some of these."""
        flags = old.flags & ~state.clear | state.set
        new = old._replace(flags=flags, modseq=self.ledger.seq + 1)
        if modified_us is not None:
            whose = self._whose(modified_us, client=True, old=old)
            new = new._replace(modified_us=modified_us, modified_by=whose)
        nodes.alter(self.unit, self.ledger, new, state)  # a move of a collection above may have changed modified_by
        if state.added or state.dropped:
            states.change_keywords(self.unit, self.ledger, [old.node_id], added=state.added, dropped=state.dropped)
        if change is not None:
            properties.remove_properties(self.unit, self.ledger.store_id, old.node_id, change.removed)
            properties.set_properties(self.unit, self.ledger.store_id, {old.node_id: change.written})
        new = new._replace(changed=bindings.touch(self.unit, self.ledger, old.node_id))
        sizes = (0, 0) if change is None else (change.old_bytes, change.new_bytes)
        self.changes.append(Change(Shown(old, sizes[0]), Shown(new, sizes[1])))
        return new

    def control(self, old: Resource, entries: Sequence[Ace]) -> Resource:
        """Replace the access control entries of a resource."""
        aces.set_aces(self.unit, self.ledger.store_id, old.node_id, entries)
        return self.alter(old, None)

    def alter_all(self, resources: Sequence[Resource], state: StateChange) -> None:
        """Change the states of resources, each of which it changes, as `alter` does of one."""
        if not resources:
            return
        ids = [one.node_id for one in resources]
        modseqs = several.alter(self.unit, self.ledger, ids, state)
        states.change_keywords(self.unit, self.ledger, ids, added=state.added, dropped=state.dropped)
        for old in resources:
            number = modseqs[old.node_id]
            new = old._replace(flags=old.flags & ~state.clear | state.set, modseq=number, changed=number)
            self.changes.append(Change(Shown(old), Shown(new)))

    def unbind_all(self, resources: Sequence[Resource]) -> None:
        """Unmap URLs, none of which lies beneath another, with all beneath them, and end the locks taken there."""
        if not resources:
            return
        self.end_locks(*(self.ledger.facts.at(one.names) for one in resources))
        first = self.ledger.seq + 1
        several.close(self.unit, self.ledger, resources)
        self._end_unbound(first, self.ledger.seq)

    def unbind(self, member: Member) -> Resource:
        """Unmap a URL with all beneath it, and end the locks that were taken there."""
        resource = member.get()
        self.end_locks(member.path)
        self.end(resource, self.close(member))
        return resource

    def unbind_nodes(self, node_ids: Sequence[int]) -> None:
        """Unmap the URLs of non-collections, given by their nodes, and end the locks that were taken there."""
        ended = {*node_ids}
        self._end_locks([lock.token for lock in self.held() if lock.node_id in ended])
        first = self.ledger.seq + 1
        bindings.close_nodes(self.unit, self.ledger, node_ids, Area.STORE)
        self._end_unbound(first, self.ledger.seq)

    def rebind(self, source: Member, target: Member, *, modified_us: int | None = None) -> Resource:
        """Move the resource at source to target, in the place of the one there. Locks do not move (RFC 4918 §7.6).

        The time of modification may be older than the target's was, so it counts as a client's, but for a collection.
        """
        resource, over = source.get(), target.resource
        self.end_locks(source.path, target.path)
        self.close(source)
        closed = None if over is None else self.close(target)
        number = self.bind(target, resource.node_id, is_collection=bool(resource.is_collection), moved=True)
        new = resource._replace(parent=target.path.names[:-1], name=target.path.name, changed=number)
        is_dated = modified_us is not None or not resource.is_collection
        if is_dated:
            new = self._timed(new, resource.modified_us if modified_us is None else modified_us, over=over)
        if over is not None:  # else the number of the other resource would hold in an `If` for this one
            new = new._replace(modseq=number)
            nodes.alter(self.unit, self.ledger, new, NO_CHANGE)
        elif is_dated:
            self._write_time(new)
        self.changes.append(Change(Shown(resource), Shown(new), is_move=True))
        if over is not None and closed is not None:  # after mapping: source and target may be one node
            self.end(over, closed)
        return new

    # The parts of the verbs, and of `trees`.

    def map_new(self, member: Member, row: NodeRow) -> Resource:
        """Make a node and bind it to an unmapped URL."""
        node_id, resource_id = nodes.insert_node(self.unit, self.ledger, row)
        path = member.path
        number = self.bind(member, node_id, is_collection=row.is_collection)
        facts = (resource_id, row.etag, row.length, row.content_type, row.created_us, row.modified_us, row.modified_by)
        end = (row.type, row.flags, number)
        return Resource(path.names[:-1], path.names[-1], node_id, int(row.is_collection), number, *facts, *end)

    def bind(self, member: Member, node_id: int, *, is_collection: bool, moved: bool = False) -> int:
        """Map a URL to a node, and return the change number."""
        return bindings.bind(
            self.unit,
            self.ledger,
            member.parent_id,
            member.path.name,
            node_id=node_id,
            is_collection=is_collection,
            area=member.path.area,
            moved=moved,
        )

    def close(self, member: Member) -> int:
        """Unmap a URL, and return the change number. The tree beneath it stays until `end`."""
        return bindings.close(self.unit, self.ledger, member.parent_id, member.path.name)

    def end(self, resource: Resource, number: int) -> None:
        """Close the bindings beneath one that was closed at a number, and end the nodes that nothing binds now."""
        if resource.is_collection:
            bindings.close_beneath(self.unit, self.ledger, resource.node_id, number)
        self._end_unbound(number, number, with_messages=bool(resource.is_collection) or resource.type in MESSAGES)

    def _end_unbound(self, first: int, last: int, *, with_messages: bool = True) -> None:
        ended = nodes.end_unbound(self.unit, self.ledger, first, last)
        self.changes.append(TreeChange(first, last, 0, -ended.size_bytes, ended.node_ids if with_messages else ()))

    def end_locks(self, *unmapped: Path) -> None:
        """End the locks that were taken at URLs that are unmapped now, or beneath them (RFC 4918 §7.6, §9.6)."""
        self._end_locks([lock.token for lock in self.held() if any(path.holds(lock.root) for path in unmapped)])

    def _end_locks(self, tokens: Sequence[str]) -> None:
        if tokens:
            locks.remove_locks(self.unit, self.ledger.store_id, tokens, now_us=self.context.now_us)
            self.forget_held()

    def set_time(self, resource: Resource, time_us: int, *, over: Resource | None) -> Resource:
        """Give a resource the time of modification that a client wants; over is what its URL showed."""
        new = self._timed(resource, time_us, over=over)
        self._write_time(new)
        return new

    def _timed(self, resource: Resource, time_us: int, *, over: Resource | None) -> Resource:
        return resource._replace(modified_us=time_us, modified_by=self._whose(time_us, client=True, old=over))

    def _write_time(self, resource: Resource) -> None:
        times = {"modified_us": resource.modified_us, "modified_by": resource.modified_by}
        nodes.set_modified(self.unit, self.ledger, resource.node_id, **times)

    def _whose(self, time_us: int, *, client: bool, old: Resource | None = None) -> int:
        return find_modified_by(time_us, client=client, old=old, unmapped_us=self.ledger.unmapped_us)

    def _name_body(self, received: Received) -> int:
        """Write the row that names a body; an upload of it is over."""
        if received.stored.blob is not None:
            uploads.release(self.unit, self.ledger.store_id, received.stored.blob)
        return bodies.insert_body(self.unit, self.ledger, *received, now_us=self.context.now_us)
