"""Bindings: which name in which collection means which node, from which change number to which (SYNC.md)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    SmallInteger,
    and_,
    bindparam,
    delete,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from davstore.errors import NotFound
from davstore.metadata import nodes, stores
from davstore.metadata.columns import by_column, pages_by_column
from davstore.metadata.nodes import Stored
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import binding, body, gone, node, store
from davstore.metadata.unit import Row, Statement, Unit, among, array
from davstore.model.columns import Columns
from davstore.model.nodes import AGAIN, BY_CLIENT, Resource, StoreFacts

HOP = 8
"""Segments resolved by one statement: deeper paths take another."""

FACTS = (
    binding.c.name,
    binding.c.node_id,
    binding.c.is_coll,
    binding.c.changed,
    node.c.resource_id,
    node.c.etag,
    node.c.length,
    node.c.type,
    node.c.created_us,
    node.c.modified_us,
    node.c.modified_by,
)
"""The columns of a `Resource`, after its parent."""
_FACT = dict(zip(Resource._fields[1:], FACTS, strict=True))

BOUND = binding.join(node, and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id))

_in_store = binding.c.store_id == bindparam("s")
_ROOT = Statement(
    select(node.c.resource_id, node.c.created_us, node.c.modified_us, node.c.modified_by).where(
        node.c.store_id == bindparam("s"), node.c.id == bindparam("n")
    )
)
_MEMBERS_IN_ORDER = (
    select(*FACTS)
    .select_from(BOUND)
    .where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name > bindparam("after"))
    .order_by(binding.c.name)
    .limit(bindparam("limit"))
)
_MEMBERS = Statement(_MEMBERS_IN_ORDER)
_INSERT = Statement(insert(binding).values({c.name: bindparam(c.name) for c in binding.c}))
_TOUCH = Statement(
    update(binding)
    .where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name == bindparam("name_"))
    .values(changed=bindparam("number"))
)
_PLACES = Statement(
    select(binding.c.parent_id, binding.c.name)
    .where(_in_store, binding.c.node_id == bindparam("n"))
    .order_by(binding.c.parent_id, binding.c.name)
)
_closed = (
    binding.c.store_id,
    binding.c.parent_id,
    binding.c.name,
    binding.c.node_id,
    binding.c.is_coll,
    binding.c.made,
    binding.c.mapped,
)
_GONE_COLUMNS = ("store_id", "parent_id", "name", "node_id", "is_coll", "made", "mapped", "unmapped", "nested")
_one = and_(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name == bindparam("name_"))
_beneath = and_(_in_store, among(binding.c.parent_id, bindparam("ps")))
_at = bindparam("number", type_=BigInteger)

_CLOSE = Statement(insert(gone).from_select(_GONE_COLUMNS, select(*_closed, _at, literal(0, SmallInteger)).where(_one)))
_UNBIND = Statement(delete(binding).where(_one))
_CLOSE_BENEATH = Statement(
    insert(gone).from_select(_GONE_COLUMNS, select(*_closed, _at, literal(1, SmallInteger)).where(_beneath))
)
_UNBIND_BENEATH = Statement(delete(binding).where(_beneath))

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
    ).limit(bindparam("limit"))
)
_up = (
    select(binding.c.node_id.label("start"), binding.c.parent_id.label("above"))
    .where(_in_store, among(binding.c.node_id, bindparam("ids")))
    .cte("up", recursive=True)
)
_ABOVE = Statement(
    select(
        _up.union(
            select(_up.c.start, binding.c.parent_id).where(
                binding.c.store_id == bindparam("s"), binding.c.node_id == _up.c.above
            )
        )
    )
)
_MEMBERS_OF = Statement(
    select(binding.c.parent_id, *FACTS)
    .select_from(BOUND)
    .where(_in_store, among(binding.c.parent_id, bindparam("ps")))
    .order_by(binding.c.parent_id, binding.c.name)
    .limit(bindparam("limit"))
)

NO_LIMIT = 2**62


class Step(NamedTuple):
    """One binding on the way to a place; `moved` as in the table."""

    node_id: int
    mapped: int
    moved: int


class Resolved(NamedTuple):
    """What a path meets: the collections on the way, root first, then what is at its end, if anything is.

    `steps` is shorter than the way when a name on it is missing or not a collection; `last` is the end's own binding.
    """

    steps: list[Step]
    last: Step | None
    resource: Resource | None


class Beneath(NamedTuple):
    """A collection somewhere beneath another."""

    parent_id: int
    name: str
    node_id: int
    mapped: int


COLUMNS = 4
"""Of each binding in the statements below."""
_STORE_FACTS = len(StoreFacts._fields)


@lru_cache(maxsize=HOP)
def _resolving(count: int) -> Statement:
    """Return the statement that follows count names from a collection: a join for each, the facts of the last."""
    first, *_ = aliases = [binding.alias(f"b{i}") for i in range(count)]
    return Statement(
        select(*_columns(aliases), *FACTS[4:])
        .select_from(_follow(first, aliases, bindparam("s")))
        .where(first.c.store_id == bindparam("s"), first.c.parent_id == bindparam("p"), first.c.name == bindparam("n0"))
    )


@lru_cache(maxsize=2 * (HOP + 1))
def _finding(count: int, *, with_body: bool) -> Statement:
    """Return the statement that follows count names from the store of an owner: its row, then as `_resolving`."""
    aliases = [binding.alias(f"b{i}") for i in range(count)]
    joined: FromClause = store
    if aliases:
        start = aliases[0].c
        joined = store.outerjoin(
            aliases[0],
            and_(start.store_id == store.c.id, start.parent_id == store.c.root_id, start.name == bindparam("n0")),
        )
    joined = _follow(joined, aliases, store.c.id)
    columns = [*stores.FACTS, *_columns(aliases), *FACTS[4:]]
    if with_body:
        joined = joined.outerjoin(body, and_(body.c.store_id == store.c.id, body.c.id == node.c.body_id))
        columns += nodes.STORED
    return Statement(select(*columns).select_from(joined).where(store.c.owner == bindparam("owner")))


def _columns(aliases: Sequence[FromClause]) -> list[ColumnElement[Any]]:
    """Return `COLUMNS` of each binding, then when the last of them changed."""
    steps = [
        column for alias in aliases for column in (alias.c.node_id, alias.c.mapped, alias.c.moved, alias.c.is_coll)
    ]
    return [*steps, *(alias.c.changed for alias in aliases[-1:])]


def _follow(start: FromClause, aliases: Sequence[FromClause], store_id: ColumnElement[Any]) -> FromClause:
    """Join to the first of the aliases, which start holds, each next one, and the node of the last."""
    joined = start
    for i, (above, below) in enumerate(itertools.pairwise(aliases), start=1):
        joined = joined.outerjoin(
            below,
            and_(
                below.c.store_id == store_id,
                below.c.parent_id == above.c.node_id,
                above.c.is_coll == literal_column("1"),
                below.c.name == bindparam(f"n{i}"),
            ),
        )
    last = aliases[-1].c.node_id if aliases else store.c.root_id
    return joined.outerjoin(node, and_(node.c.store_id == store_id, node.c.id == last))


class Found(NamedTuple):
    """A store's row and what a path of it meets, in one snapshot; the body is there only where it was asked for."""

    facts: StoreFacts
    place: Resolved
    body: Stored | None


def finds_at_once(names: tuple[str, ...]) -> bool:
    """Tell whether `find` takes one statement for a path."""
    return len(names) <= HOP


def find(unit: Unit, owner: str, names: tuple[str, ...], *, with_body: bool = False) -> Found:
    """Follow a path from the root of the owner's store: one statement, for more than eight names some.

    Raises:
        NotFound: nobody of that name has a store.
    """
    if len(names) > HOP:
        return _find_deep(unit, owner, names, with_body=with_body)
    values: dict[str, object] = {f"n{i}": name for i, name in enumerate(names)}
    row = unit.one(_finding(len(names), with_body=with_body), {"owner": owner, **values})
    if row is None:
        raise NotFound(owner)
    facts = StoreFacts._make(row[:_STORE_FACTS])
    at, end = _STORE_FACTS, len(row)
    stored = None
    if with_body:
        end -= len(nodes.STORED)
        stored = Stored._make(row[end:]) if row[-2] is not None else None  # its digest
    steps = [Step(facts.root_id, 0, 0)]
    if not names:
        resource_id, _, _, _, *times = row[at:end]
        return Found(facts, Resolved([], steps[0], _root(facts, resource_id, *times)), None)
    return Found(facts, _walk(names, row[at:end], steps, len(names)) or Resolved(steps, None, None), stored)


def _find_deep(unit: Unit, owner: str, names: tuple[str, ...], *, with_body: bool) -> Found:
    facts = stores.get(unit, owner)
    place = resolve(unit, facts, names)
    stored = nodes.find_body(unit, facts.id, place.resource.node_id) if with_body and place.resource else None
    return Found(facts, place, stored)


def root(unit: Unit, facts: StoreFacts) -> Resource:
    """Return the root collection of a store."""
    row = unit.one(_ROOT, {"s": facts.id, "n": facts.root_id})
    return _root(facts, *(row or ("", 0, 0, 0)))


def _root(facts: StoreFacts, resource_id: str, created_us: int, modified_us: int, modified_by: int) -> Resource:
    return Resource(
        (), "", facts.root_id, 1, facts.seq, resource_id, *(None,) * 3, created_us, modified_us, modified_by
    )


def resolve(unit: Unit, facts: StoreFacts, names: tuple[str, ...]) -> Resolved:
    """Follow a path from the root of a store: one statement for each eight names."""
    steps = [Step(facts.root_id, 0, 0)]
    if not names:
        return Resolved([], steps[0], root(unit, facts))
    for start in range(0, len(names), HOP):
        hop = names[start : start + HOP]
        values: dict[str, object] = {f"n{i}": name for i, name in enumerate(hop)}
        row = unit.one(_resolving(len(hop)), {"s": facts.id, "p": steps[-1].node_id, **values})
        place = None if row is None else _walk(names, row, steps, len(hop))
        if row is None or place is not None:
            return place or Resolved(steps, None, None)
    return Resolved(steps, None, None)


def _walk(names: tuple[str, ...], row: Row, steps: list[Step], count: int) -> Resolved | None:
    """Go down the count bindings of a row and add them to steps; None when the path goes on below."""
    for i in range(0, COLUMNS * count, COLUMNS):
        if len(steps) == len(names):
            return Resolved(steps, *_end(names, row, i, steps))
        if row[i + 3] != 1:
            return Resolved(steps, None, None)
        steps.append(Step(*row[i : i + 3]))
    return None


def _end(names: tuple[str, ...], row: Row, at: int, above: list[Step]) -> tuple[Step | None, Resource | None]:
    step, is_coll = Step(*row[at : at + 3]), row[at + 3]
    if step.node_id is None:
        return None, None
    found = Resource(names[:-1], names[-1], step.node_id, is_coll, *row[at + COLUMNS :])
    for one in above:
        if one.moved and one.mapped > found.changed:  # a MOVE leaves the times beneath as they are
            return step, found._replace(modified_by=BY_CLIENT | AGAIN)
    return step, found


def each_members(unit: Unit, store_id: int, top: Resource, *, after: str = "") -> Iterator[list[Resource]]:
    """Yield the members of a collection behind a name, in the order of their names and some at a time."""
    names = top.names
    for rows in unit.pages(_MEMBERS, {"s": store_id, "p": top.node_id}, after=after):
        yield [Resource._make((names, *row)) for row in rows]


@lru_cache(maxsize=64)
def _members_by_column(facts: tuple[str, ...]) -> Statement:
    return by_column(_MEMBERS_IN_ORDER.with_only_columns(*(_FACT[fact] for fact in facts)))


def each_columns(unit: Unit, store_id: int, top: Resource, facts: tuple[str, ...]) -> Iterator[Columns]:
    """Yield the members of a collection as `each_members`, by column, with no more of their facts than those."""
    statement = _members_by_column(("name", "is_collection", *facts))
    parent = top.names
    for names, collections, *columns in pages_by_column(unit, statement, {"s": store_id, "p": top.node_id}):
        yield Columns(parent, "".join(collections), names, dict(zip(facts, columns, strict=True)))


def list_collections_beneath(unit: Unit, store_id: int, node_id: int, *, limit: int = NO_LIMIT) -> list[Beneath]:
    """Return the collections beneath one, parents before children, at most limit of them."""
    return [Beneath._make(row) for row in unit.all(_COLLECTIONS_BENEATH, {"s": store_id, "p": node_id, "limit": limit})]


def list_above(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, set[int]]:
    """Return the collections that each of many nodes lies beneath, along all of its bindings."""
    above: dict[int, set[int]] = {node_id: set() for node_id in node_ids}
    for start, collection in unit.each(_ABOVE, {"s": store_id, "ids": array(above)}):
        above[start].add(collection)
    return above


def list_members_of(
    unit: Unit, store_id: int, parents: dict[int, tuple[str, ...]], *, limit: int = NO_LIMIT
) -> list[Resource]:
    """Return the members of many collections, given by node with their names from the root."""
    rows = unit.all(_MEMBERS_OF, {"s": store_id, "ps": array(parents), "limit": limit})
    return [Resource._make((parents[row[0]], *row[1:])) for row in rows]


def bind(
    unit: Unit,
    ledger: Ledger,
    parent_id: int,
    name: str,
    *,
    node_id: int,
    is_collection: bool,
    made: int,
    moved: bool = False,
) -> int:
    """Map a name to a node under a new number and return the number."""
    number = ledger.number()
    ledger.entries += 1
    unit.run(
        _INSERT,
        {
            "store_id": ledger.store_id,
            "parent_id": parent_id,
            "name": name,
            "node_id": node_id,
            "is_coll": int(is_collection),
            "moved": int(moved and is_collection),
            "made": made,
            "mapped": number,
            "changed": number,
        },
    )
    return number


def touch(unit: Unit, ledger: Ledger, node_id: int) -> int:
    """Give each binding of a node a number of its own, because the node changed; return the last (I1, I3)."""
    for parent_id, name in unit.all(_PLACES, {"s": ledger.store_id, "n": node_id}):
        unit.run(_TOUCH, {"s": ledger.store_id, "p": parent_id, "name_": name, "number": ledger.number()})
    return ledger.seq


def close(unit: Unit, ledger: Ledger, parent_id: int, name: str) -> int:
    """Close one binding under a new number and return the number. What lies beneath is not touched."""
    number = ledger.number()
    ledger.unmaps = True
    values = {"s": ledger.store_id, "p": parent_id, "name_": name, "number": number}
    unit.run(_CLOSE, values)
    unit.run(_UNBIND, values)
    return number


def close_beneath(unit: Unit, ledger: Ledger, node_id: int, number: int) -> None:
    """Close every binding beneath a collection under the number that closed the collection itself (I5)."""
    inside = [node_id, *(row.node_id for row in list_collections_beneath(unit, ledger.store_id, node_id))]
    values = {"s": ledger.store_id, "ps": array(inside), "number": number}
    unit.run(_CLOSE_BENEATH, values)
    unit.run(_UNBIND_BENEATH, values)
