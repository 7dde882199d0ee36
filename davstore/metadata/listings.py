"""The members of collections, the facts of each as one row, and the collections beneath a collection."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import FromClause, Select, Text, and_, bindparam, case, cast, literal_column, select

from davstore.metadata.columns import ByColumn, by_column, pages_by_column
from davstore.metadata.statements import Statement, among, among_texts, array
from davstore.metadata.tables import binding, node, thread
from davstore.metadata.unit import Unit
from davstore.model.columns import BODY_AND_FLAGS, OF_THREAD, Columns
from davstore.model.nodes import MESSAGES, Resource
from davstore.model.threads import Thread

FACTS = (
    binding.c.name,
    binding.c.node_id,
    binding.c.is_coll,
    binding.c.changed,
    node.c.resource_id,
    node.c.etag,
    node.c.length,
    node.c.media_type,
    node.c.created_us,
    node.c.modified_us,
    node.c.modified_by,
    node.c.type,
    node.c.flags,
    node.c.modseq,
)
"""The columns of a `Resource`, after its parent."""
_is_message = node.c.type.in_([literal_column(str(int(type_))) for type_ in sorted(MESSAGES)])
_body = case((_is_message, cast(node.c.body_id, Text)), else_=literal_column("''"))
COLUMN_OF = {
    **dict(zip(Resource._fields[1:], FACTS, strict=True)),
    BODY_AND_FLAGS: _body.concat(literal_column("'.'")).concat(cast(node.c.flags, Text)).label("body_and_flags"),
}
"""The columns of facts that can be `Wanted`."""
THREAD_FACTS = dict(
    zip(
        [f"{OF_THREAD}{field}" for field in Thread._fields],
        (thread.c.conversation_id, thread.c.messages, thread.c.unread, thread.c.last_us),
        strict=True,
    )
)
COLUMN_OF |= THREAD_FACTS
NODE_FACTS = FACTS[3:]
"""The columns after the kind: `changed`, and those of the node."""
FactsRow = tuple[str, int, int, int, str, str | None, int | None, str | None, int, int, int, int, int, int]

BOUND = binding.join(node, and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id))


def with_threads(source: FromClause) -> FromClause:
    """Return bindings and their nodes with the rows of those that are threads."""
    return source.outerjoin(
        thread, and_(thread.c.store_id == binding.c.store_id, thread.c.node_id == binding.c.node_id)
    )


NO_LIMIT = 2**62


_new = tuple.__new__
"""Makes a NamedTuple of a tuple that has its fields; `_make` would count them each time."""


class NodeFacts(NamedTuple):
    """A row of `NODE_FACTS`."""

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


class MemberRow(NamedTuple):
    """A row of (parent id, facts): a member of some collection whose names are found apart from it."""

    parent_id: int
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

    def at(self, parent: tuple[str, ...]) -> Resource:
        """Return the member as a resource in a collection with these names from the root."""
        return _new(Resource, (parent,) + self[1:])  # noqa: RUF005  a third faster, for each row of a report


class Beneath(NamedTuple):
    """A collection somewhere beneath another."""

    parent_id: int
    name: str
    node_id: int
    mapped: int


_in_store = binding.c.store_id == bindparam("s")


def _in_order(source: FromClause) -> Select[FactsRow]:
    return (
        select(*FACTS)
        .select_from(source)
        .where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name > bindparam("after"))
        .order_by(binding.c.name)
        .limit(bindparam("limit"))
    )


_MEMBERS = Statement[FactsRow](_in_order(BOUND))
_TAKEN = Statement[tuple[str]](
    select(binding.c.name).where(
        _in_store, binding.c.parent_id == bindparam("p"), among_texts(binding.c.name, bindparam("names"))
    )
)
_MEMBERS_OF = Statement(
    select(binding.c.parent_id, *FACTS)
    .select_from(BOUND)
    .where(_in_store, among(binding.c.parent_id, bindparam("ps")))
    .order_by(binding.c.parent_id, binding.c.name)
    .limit(bindparam("limit")),
    MemberRow,
)


_down = (
    select(binding.c.parent_id, binding.c.name, binding.c.node_id, binding.c.mapped)
    .where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.is_coll == literal_column("1"))
    .cte("down", recursive=True)
)
_COLLECTIONS_BENEATH = Statement(
    select(
        _down.union_all(
            select(binding.c.parent_id, binding.c.name, binding.c.node_id, binding.c.mapped).where(
                binding.c.store_id == bindparam("s"),
                binding.c.parent_id == _down.c.node_id,
                binding.c.is_coll == literal_column("1"),
            )
        )
    ).limit(bindparam("limit")),
    Beneath,
)


def in_collection(names: tuple[str, ...], rows: Iterable[FactsRow]) -> list[Resource]:
    """Return the members of one collection, which has these names from the root."""
    new, parent = _new, (names,)
    return [new(Resource, parent + row) for row in rows]


def each_members(unit: Unit, store_id: int, top: Resource, *, after: str = "") -> Iterator[list[Resource]]:
    """Yield the members of a collection behind a name, in the order of their names and some at a time."""
    names = top.names
    for rows in unit.pages(_MEMBERS, {"s": store_id, "p": top.node_id}, after=after):
        yield in_collection(names, rows)


@lru_cache(maxsize=64)
def _by_column(facts: tuple[str, ...]) -> ByColumn:
    ordered = _in_order(BOUND if THREAD_FACTS.keys().isdisjoint(facts) else with_threads(BOUND))
    return by_column(ordered, [COLUMN_OF[fact] for fact in facts])


def each_columns(unit: Unit, store_id: int, top: Resource, facts: tuple[str, ...]) -> Iterator[Columns]:
    """Yield the members of a collection as `each_members`, by column, with no more of their facts than those."""
    statement = _by_column(("name", *facts))
    places = {top.node_id: top.names}
    for types, (names, *columns) in pages_by_column(unit, statement, {"s": store_id, "p": top.node_id}):
        parents = [top.node_id] * len(names)
        yield Columns(parents, places, types, names, dict(zip(facts, columns, strict=True)))


def list_members_of(
    unit: Unit, store_id: int, parents: dict[int, tuple[str, ...]], *, limit: int = NO_LIMIT
) -> list[Resource]:
    """Return the members of many collections, given by node with their names from the root."""
    return [row.at(parents[row.parent_id]) for row in each_members_of(unit, store_id, parents, limit=limit)]


def each_members_of(unit: Unit, store_id: int, parents: Iterable[int], *, limit: int = NO_LIMIT) -> Iterator[MemberRow]:
    """Yield the members of many collections. The unit must stay open meanwhile."""
    return unit.each(_MEMBERS_OF, {"s": store_id, "ps": array(parents), "limit": limit})


def list_collections_beneath(unit: Unit, store_id: int, node_id: int, *, limit: int = NO_LIMIT) -> list[Beneath]:
    """Return the collections beneath one, parents before children, at most limit of them."""
    return unit.all(_COLLECTIONS_BENEATH, {"s": store_id, "p": node_id, "limit": limit})


def find_taken(unit: Unit, store_id: int, parent_id: int, names: Collection[str]) -> set[str]:
    """Return those of some names that a collection binds."""
    return {name for (name,) in unit.all(_TAKEN, {"s": store_id, "p": parent_id, "names": json.dumps([*names])})}
