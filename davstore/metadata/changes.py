"""What a report is made of: rows by change number, ways up to a scope, tombstones and former members (SYNC.md)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, literal_column, null, select, union_all

from davstore.metadata.listings import BOUND, FACTS, Member
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, gone
from davstore.metadata.unit import Unit

BATCH = 256
"""Rows fetched at first where the reader may stop at any of them: most reports end within them."""


class Above(NamedTuple):
    """Where a collection is bound."""

    node_id: int
    parent_id: int
    name: str
    mapped: int


class Incarnation(NamedTuple):
    """A binding that a name has or had; `unmapped` is None while it is open."""

    parent_id: int
    name: str
    node_id: int
    is_coll: int
    mapped: int
    unmapped: int | None


class Former(NamedTuple):
    """A binding in the past: a name meant a node over [mapped, unmapped). `live` is the node it means now, if any."""

    parent_id: int
    name: str
    node_id: int
    is_coll: int
    mapped: int
    unmapped: int
    live: int | None = None


_in_store = binding.c.store_id == bindparam("s")
_window = and_(binding.c.changed > bindparam("after"), binding.c.changed < bindparam("before"))
_ROWS = select(binding.c.parent_id, *FACTS).select_from(BOUND).order_by(binding.c.changed).limit(bindparam("limit"))
_CHANGED = Statement(_ROWS.where(_in_store, _window), Member)
_CHANGED_IN = Statement(_ROWS.where(_in_store, binding.c.parent_id == bindparam("p"), _window), Member)
_CHANGED_IN_MANY = Statement(_ROWS.where(_in_store, among(binding.c.parent_id, bindparam("ps")), _window), Member)
_UP = Statement(
    select(binding.c.node_id, binding.c.parent_id, binding.c.name, binding.c.mapped).where(
        _in_store, among(binding.c.node_id, bindparam("ids")), binding.c.is_coll == literal_column("1")
    ),
    Above,
)
_MOVED = Statement[tuple[int]](
    select(binding.c.node_id).where(
        _in_store, binding.c.moved == literal_column("1"), binding.c.mapped >= bindparam("number")
    )
)

_live = binding.alias("live")
_FORMER = (gone.c.parent_id, gone.c.name, gone.c.node_id, gone.c.is_coll, gone.c.mapped, gone.c.unmapped)
_now_there = and_(
    _live.c.store_id == gone.c.store_id, _live.c.parent_id == gone.c.parent_id, _live.c.name == gone.c.name
)
_TOPS = (
    select(*_FORMER, _live.c.node_id)
    .select_from(gone.outerjoin(_live, _now_there))
    .where(
        gone.c.store_id == bindparam("s"), gone.c.unmapped > bindparam("after"), gone.c.nested == literal_column("0")
    )
)
_GONE = Statement(_TOPS, Former)
_GONE_FROM = Statement(_TOPS.where(gone.c.parent_id == bindparam("p")), Former)

_under = bindparam("live_parent", type_=BigInteger)
_FORMER_MEMBERS = Statement(
    union_all(
        select(*_FORMER, _live.c.node_id)
        .select_from(
            gone.outerjoin(
                _live,
                and_(_live.c.store_id == gone.c.store_id, _live.c.parent_id == _under, _live.c.name == gone.c.name),
            )
        )
        .where(
            gone.c.store_id == bindparam("s"),
            gone.c.parent_id == bindparam("p"),
            gone.c.unmapped > bindparam("after"),
            gone.c.mapped < bindparam("before"),
        ),
        select(
            binding.c.parent_id,
            binding.c.name,
            binding.c.node_id,
            binding.c.is_coll,
            binding.c.mapped,
            bindparam("before", type_=BigInteger),
            _live.c.node_id,
        )
        .select_from(
            binding.outerjoin(
                _live,
                and_(
                    _live.c.store_id == binding.c.store_id,
                    _live.c.parent_id == _under,
                    _live.c.name == binding.c.name,
                ),
            )
        )
        .where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.mapped < bindparam("before")),
    ),
    Former,
)
_NAMED = Statement(
    union_all(
        select(*_FORMER).where(
            gone.c.store_id == bindparam("s"), gone.c.parent_id == bindparam("p"), gone.c.name == bindparam("name_")
        ),
        select(
            binding.c.parent_id, binding.c.name, binding.c.node_id, binding.c.is_coll, binding.c.mapped, null()
        ).where(_in_store, binding.c.parent_id == bindparam("p"), binding.c.name == bindparam("name_")),
    ),
    Incarnation,
)

AT_ONCE = 64
"""Collections whose rows are merged one by one; more are sorted together."""


def each_changed(unit: Unit, store_id: int, *, after: int, wanted: int) -> Iterator[list[Member]]:
    """Yield (parent id, facts) of every binding of a store changed after a number, in that order and in batches.

    Any number of them may be read; no more than wanted is fetched before the reader has taken so many.
    """
    return _batches(unit, _CHANGED, {"s": store_id, "before": 2**62}, after, wanted)


def each_changed_in(
    unit: Unit, store_id: int, parent_id: int, *, after: int, before: int = 2**62, wanted: int
) -> Iterator[Member]:
    """Yield (parent id, facts) of the members of one collection changed between two numbers, both left out."""
    return _flat(_batches(unit, _CHANGED_IN, {"s": store_id, "p": parent_id, "before": before}, after, wanted))


def each_changed_in_many(
    unit: Unit, store_id: int, parent_ids: Iterable[int], *, after: int, before: int, wanted: int
) -> Iterator[Member]:
    """Yield as `each_changed_in` for many collections together."""
    values = {"s": store_id, "ps": array(parent_ids), "before": before}
    return _flat(_batches(unit, _CHANGED_IN_MANY, values, after, wanted))


_flat = itertools.chain.from_iterable


def _batches(
    unit: Unit, statement: Statement[Member], values: Mapping[str, object], after: int, wanted: int
) -> Iterator[list[Member]]:
    size = BATCH
    while True:
        rows = unit.all(statement, {**values, "after": after, "limit": size})
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1].changed
        wanted -= size
        size = min(2 * size, 32 * BATCH, wanted if wanted > 0 else 32 * BATCH)


def list_above(unit: Unit, store_id: int, node_ids: Iterable[int]) -> list[Above]:
    """Return where collections are bound; the root and dead ones are not."""
    return unit.all(_UP, {"s": store_id, "ids": array(node_ids)})


def list_moved(unit: Unit, store_id: int, *, since: int) -> list[int]:
    """Return the nodes of the collections that a MOVE mapped at or after a number."""
    return [node_id for (node_id,) in unit.all(_MOVED, {"s": store_id, "number": since})]


def list_gone(unit: Unit, store_id: int, *, after: int, parent_id: int | None = None) -> list[Former]:
    """Return what was closed after a number, but not with a collection above it; of one collection or of all."""
    if parent_id is None:
        return unit.all(_GONE, {"s": store_id, "after": after})
    return unit.all(_GONE_FROM, {"s": store_id, "after": after, "p": parent_id})


def list_former_members(
    unit: Unit, store_id: int, node_id: int, *, after: int, before: int, live_parent: int
) -> list[Former]:
    """Return what a collection held before a number and still after another.

    `live` tells what the name means now in another collection, live_parent.
    """
    values = {"s": store_id, "p": node_id, "after": after, "before": before, "live_parent": live_parent}
    return unit.all(_FORMER_MEMBERS, values)


def list_incarnations(unit: Unit, store_id: int, parent_id: int, name: str) -> list[Incarnation]:
    """Return every binding a name in a collection has or had."""
    return unit.all(_NAMED, {"s": store_id, "p": parent_id, "name_": name})
