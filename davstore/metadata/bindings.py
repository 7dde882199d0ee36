"""Bindings: which name in which collection means which node, from which change number to which (docs/sync.md)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
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
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from davstore.errors import NotFound
from davstore.metadata import bodies, stores
from davstore.metadata.bodies import Stored
from davstore.metadata.listings import NODE_FACTS, NodeFacts, list_collections_beneath
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import binding, body, gone, node, store, store_root
from davstore.metadata.unit import Unit
from davstore.model.nodes import AGAIN, BY_CLIENT, Resource, StoreFacts
from davstore.model.paths import Area, Path

HOP = 8
"""Segments resolved by one statement: deeper paths take another."""
_NAMES = tuple(f"n{i}" for i in range(HOP))
"""The parameters for them."""

_in_store = binding.c.store_id == bindparam("s")
_INSERT = Write(insert(binding).values({c.name: bindparam(c.name) for c in binding.c}))
_other = binding.alias("other")
_TOUCH = Write(
    update(binding)
    .where(_in_store, binding.c.node_id == bindparam("n"))
    .values(
        changed=bindparam("number", type_=BigInteger)
        + select(func.count())
        .where(
            _other.c.store_id == binding.c.store_id,
            _other.c.node_id == binding.c.node_id,
            _other.c.area < binding.c.area,
        )
        .scalar_subquery()
    )
)
_closed = (
    binding.c.store_id,
    binding.c.parent_id,
    binding.c.name,
    binding.c.node_id,
    binding.c.is_coll,
    binding.c.area,
    binding.c.mapped,
)
_GONE_COLUMNS = ("store_id", "parent_id", "name", "node_id", "is_coll", "area", "mapped", "unmapped", "nested")
_one = and_(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name == bindparam("name_"))
_beneath = and_(_in_store, among(binding.c.parent_id, bindparam("ps")))
_at = bindparam("number", type_=BigInteger)

_CLOSE = Write(insert(gone).from_select(_GONE_COLUMNS, select(*_closed, _at, literal(0, SmallInteger)).where(_one)))
_UNBIND = Write(delete(binding).where(_one))
_CLOSE_BENEATH = Write(
    insert(gone).from_select(_GONE_COLUMNS, select(*_closed, _at, literal(1, SmallInteger)).where(_beneath))
)
_UNBIND_BENEATH = Write(delete(binding).where(_beneath))
_of_nodes = and_(_in_store, among(binding.c.node_id, bindparam("ids")), binding.c.area == bindparam("area"))
_in_turn = _at + func.row_number().over(order_by=(binding.c.parent_id, binding.c.name))
_CLOSE_NODES = Write(
    insert(gone).from_select(_GONE_COLUMNS, select(*_closed, _in_turn, literal(0, SmallInteger)).where(_of_nodes))
)
_UNBIND_NODES = Write(delete(binding).where(_of_nodes))
_up = (
    select(binding.c.node_id.label("start"), binding.c.parent_id.label("above"))
    .where(_in_store, among(binding.c.node_id, bindparam("ids")))
    .cte("up", recursive=True)
)
_ABOVE = Statement[tuple[int, int]](
    select(
        _up.union(
            select(_up.c.start, binding.c.parent_id).where(
                binding.c.store_id == bindparam("s"), binding.c.node_id == _up.c.above
            )
        )
    )
)


class Step(NamedTuple):
    """One binding on the way to a place; `moved` as in the table."""

    node_id: int
    mapped: int
    moved: int


class Resolved(NamedTuple):
    """A path resolved: the collections on the way, root first, then the resource at its end, if there is one.

    `steps` is shorter than the way when a name on it is missing or not a collection; `last` is the end's own binding.
    """

    steps: list[Step]
    last: Step | None
    resource: Resource | None


class Bound(NamedTuple):
    """A name in a collection, and the node that it is to be mapped to."""

    parent_id: int
    name: str
    node_id: int
    is_coll: int


Way = tuple[Any, ...]
"""Of each binding on a way: node, `mapped`, `moved` and `is_coll`; None where a name is not there."""


@lru_cache(maxsize=HOP)
def _resolving(count: int) -> Statement[tuple[NodeFacts, Way]]:
    """Return the statement that follows count names from a collection: a join for each, the facts of the last."""
    first, *_ = aliases = [binding.alias(f"b{i}") for i in range(count)]
    return Statement(
        select(*_end_columns(aliases), *_way_columns(aliases))
        .select_from(_follow(first, aliases, bindparam("s")))
        .where(
            first.c.store_id == bindparam("s"),
            first.c.parent_id == bindparam("p"),
            first.c.name == bindparam(_NAMES[0]),
        ),
        NodeFacts,
        Way,
    )


@lru_cache(maxsize=HOP + 1)
def _finding(count: int) -> Statement[tuple[StoreFacts, NodeFacts, Way]]:
    """Return the statement that follows count names from the store of an owner: its row, then as `_resolving`."""
    joined, aliases = _follow_from_store(count)
    columns = [*stores.FACTS, *_end_columns(aliases), *_way_columns(aliases)]
    return Statement(select(*columns).select_from(joined).where(_of_owner), StoreFacts, NodeFacts, Way)


@lru_cache(maxsize=HOP + 1)
def _opening(count: int) -> Statement[tuple[StoreFacts, NodeFacts, Stored, Way]]:
    """Return the statement that follows count names as `_finding` does, with the body of the last."""
    joined, aliases = _follow_from_store(count)
    joined = joined.outerjoin(body, and_(body.c.store_id == store.c.id, body.c.id == node.c.body_id))
    columns = [*stores.FACTS, *_end_columns(aliases), *bodies.STORED, *_way_columns(aliases)]
    return Statement(select(*columns).select_from(joined).where(_of_owner), StoreFacts, NodeFacts, Stored, Way)


_of_owner = store.c.owner == bindparam("owner")


def _end_columns(aliases: Sequence[FromClause]) -> list[ColumnElement[Any]]:
    """Return the columns of the end's `NodeFacts`. The root has no binding: it is as new as its store."""
    changed = aliases[-1].c.changed if aliases else store.c.seq
    return [changed, *NODE_FACTS[1:]]


def _way_columns(aliases: Sequence[FromClause]) -> list[ColumnElement[Any]]:
    return [column for alias in aliases for column in (alias.c.node_id, alias.c.mapped, alias.c.moved, alias.c.is_coll)]


def _follow_from_store(count: int) -> tuple[FromClause, Sequence[FromClause]]:
    aliases = [binding.alias(f"b{i}") for i in range(count)]
    joined: FromClause = stores.ROOTED
    if aliases:
        start = aliases[0].c
        in_root = start.parent_id == store_root.c.node_id
        joined = joined.outerjoin(
            aliases[0], and_(start.store_id == store.c.id, in_root, start.name == bindparam(_NAMES[0]))
        )
    return _follow(joined, aliases, store.c.id), aliases


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
                below.c.name == bindparam(_NAMES[i]),
            ),
        )
    last = aliases[-1].c.node_id if aliases else store_root.c.node_id
    return joined.outerjoin(node, and_(node.c.store_id == store_id, node.c.id == last))


class Found(NamedTuple):
    """A store's row and a path of it resolved, in one snapshot; the body is there only where it was asked for."""

    facts: StoreFacts
    place: Resolved
    body: Stored | None


def finds_at_once(names: tuple[str, ...]) -> bool:
    """Tell whether `find` takes one statement for a path."""
    return len(names) <= HOP


def find(unit: Unit, path: Path, *, with_body: bool = False) -> Found:
    """Follow a path from the root of its area: one statement, for more than eight names some.

    Raises:
        NotFound: no user of that name has a store.
    """
    owner, names, area = path
    if len(names) > HOP:
        return _find_deep(unit, path, with_body=with_body)
    values: dict[str, object] = {"owner": owner, "area": int(area)}
    for at, name in enumerate(names):  # half the time of a `zip`
        values[_NAMES[at]] = name
    stored: Stored | None = None
    if with_body:
        opened = unit.one(_opening(len(names)), values)
        if opened is None:
            raise NotFound(owner)
        facts, end, stored, way = opened
    else:
        found = unit.one(_finding(len(names)), values)
        if found is None:
            raise NotFound(owner)
        facts, end, way = found
    if not names:
        top = Resource((), "", facts.root_id, 1, *end)
        return Found(facts, Resolved([], Step(facts.root_id, 0, 0), top), None)
    steps = [Step(facts.root_id, 0, 0)]
    place = _walk(names, way, end, steps) or Resolved(steps, None, None)
    return Found(facts, place, stored if stored and stored.sha256 else None)


def _find_deep(unit: Unit, path: Path, *, with_body: bool) -> Found:
    facts = stores.get(unit, path.store, path.area)
    place = resolve(unit, facts, path)
    stored = bodies.find_body(unit, facts.id, place.resource.node_id) if with_body and place.resource else None
    return Found(facts, place, stored)


def resolve(unit: Unit, facts: StoreFacts, path: Path) -> Resolved:
    """Follow a path of a store from the root of its area: one statement for each eight names."""
    names = path.names
    if not names:
        return find(unit, path).place
    steps = [Step(stores.get_root(unit, facts, path.area), 0, 0)]
    for start in range(0, len(names), HOP):
        hop = names[start : start + HOP]
        values: dict[str, object] = dict(zip(_NAMES, hop, strict=False))
        row = unit.one(_resolving(len(hop)), {"s": facts.id, "p": steps[-1].node_id, **values})
        place = None if row is None else _walk(names, row[1], row[0], steps)
        if row is None or place is not None:
            return place or Resolved(steps, None, None)
    return Resolved(steps, None, None)


def _walk(names: tuple[str, ...], way: Way, end: NodeFacts, steps: list[Step]) -> Resolved | None:
    """Go down a way and add its collections to steps; None when the path goes on below."""
    columns = iter(way)
    for node_id, mapped, moved, is_coll in zip(columns, columns, columns, columns, strict=True):
        step = Step(node_id, mapped, moved)
        if len(steps) == len(names):
            if node_id is None:
                break
            return Resolved(steps, step, _end(names, step, is_coll, end, steps))
        if is_coll != 1:
            break
        steps.append(step)
    else:
        return None
    return Resolved(steps, None, None)


def _end(names: tuple[str, ...], step: Step, is_coll: int, end: NodeFacts, above: list[Step]) -> Resource:
    found = tuple.__new__(Resource, (names[:-1], names[-1], step.node_id, is_coll, *end))
    for one in above:
        if one.moved and one.mapped > found.changed:  # a MOVE leaves the times beneath as they are
            return found._replace(modified_by=BY_CLIENT | AGAIN)
    return found


def list_above(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, set[int]]:
    """Return the collections that each of many nodes lies beneath, along all of its bindings."""
    above: dict[int, set[int]] = {node_id: set() for node_id in node_ids}
    for start, collection in unit.each(_ABOVE, {"s": store_id, "ids": array(above)}):
        above[start].add(collection)
    return above


def bind(
    unit: Unit,
    ledger: Ledger,
    parent_id: int,
    name: str,
    *,
    node_id: int,
    is_collection: bool,
    area: Area = Area.STORE,
    moved: bool = False,
) -> int:
    """Map a name to a node under a new number and return the number."""
    number = ledger.number()
    unit.run(
        _INSERT,
        {
            "store_id": ledger.store_id,
            "parent_id": parent_id,
            "name": name,
            "node_id": node_id,
            "is_coll": int(is_collection),
            "moved": int(moved and is_collection),
            "area": int(area),
            "mapped": number,
            "changed": number,
        },
    )
    return number


def bind_each(unit: Unit, ledger: Ledger, area: Area, rows: Iterable[Bound]) -> None:
    """Map names to nodes in an area other than the store's, each under a number of its own."""
    values = []
    for row in rows:
        number = ledger.number()
        mapping = {"store_id": ledger.store_id, **row._asdict(), "moved": 0, "area": int(area)}
        values.append({**mapping, "mapped": number, "changed": number})
    unit.many(_INSERT, values)


def touch(unit: Unit, ledger: Ledger, node_id: int) -> int:
    """Give each binding of a node a number of its own, because the node changed; return the first (I1, I3).

    A node has one binding in each area at most. A root has none; its change has a number too, or two changes of it
    would look like one.
    """
    number = ledger.number()
    if unit.run(_TOUCH, {"s": ledger.store_id, "n": node_id, "number": number}) > 1:
        ledger.number()
    return number


def close(unit: Unit, ledger: Ledger, parent_id: int, name: str) -> int:
    """Close one binding under a new number and return the number. The tree beneath is not touched."""
    number = ledger.number()
    ledger.unmaps = True
    values = {"s": ledger.store_id, "p": parent_id, "name_": name, "number": number}
    unit.run(_CLOSE, values)
    unit.run(_UNBIND, values)
    return number


def close_nodes(unit: Unit, ledger: Ledger, node_ids: Collection[int], area: Area) -> None:
    """Close the bindings of non-collections in one area, each under a number of its own."""
    values = {"s": ledger.store_id, "ids": array(node_ids), "area": int(area), "number": ledger.seq}
    closed = unit.run(_CLOSE_NODES, values)
    unit.run(_UNBIND_NODES, values)
    ledger.seq += closed
    ledger.unmaps = ledger.unmaps or closed > 0


def close_beneath(unit: Unit, ledger: Ledger, node_id: int, number: int) -> None:
    """Close every binding beneath a collection under the number that closed the collection itself (I5)."""
    inside = [node_id, *(row.node_id for row in list_collections_beneath(unit, ledger.store_id, node_id))]
    values = {"s": ledger.store_id, "ps": array(inside), "number": number}
    unit.run(_CLOSE_BENEATH, values)
    unit.run(_UNBIND_BENEATH, values)
