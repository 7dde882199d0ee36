"""Places of collections, now and before, those that a MOVE mapped, tombstones and former members (docs/sync.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, exists, literal_column, null, or_, select, union_all

from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, gone
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts


class Above(NamedTuple):
    """The binding of a collection."""

    node_id: int
    parent_id: int
    name: str
    mapped: int


class Once(NamedTuple):
    """Where a collection was bound at some number, and whether it still is."""

    node_id: int
    parent_id: int
    name: str
    mapped: int
    is_open: int


class Collection(NamedTuple):
    """A collection in another one, and whether it holds collections itself."""

    node_id: int
    name: str
    mapped: int
    is_parent: int


class Moved(NamedTuple):
    """A collection that a MOVE mapped."""

    node_id: int
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
_grandchild = binding.alias("grandchild")
_COLLECTIONS_IN = Statement(
    select(
        binding.c.node_id,
        binding.c.name,
        binding.c.mapped,
        exists().where(
            _grandchild.c.store_id == binding.c.store_id,
            _grandchild.c.parent_id == binding.c.node_id,
            _grandchild.c.is_coll == literal_column("1"),
        ),
    )
    .where(
        _in_store,
        binding.c.parent_id == bindparam("p"),
        binding.c.is_coll == literal_column("1"),
        binding.c.node_id > bindparam("after"),
        binding.c.mapped < bindparam("before"),
    )
    .order_by(binding.c.node_id)
    .limit(bindparam("limit")),
    Collection,
)
_UP = Statement(
    select(binding.c.node_id, binding.c.parent_id, binding.c.name, binding.c.mapped).where(
        _in_store, among(binding.c.node_id, bindparam("ids")), binding.c.is_coll == literal_column("1")
    ),
    Above,
)
_BOUND_AT = Statement(
    union_all(
        select(binding.c.node_id, binding.c.parent_id, binding.c.name, binding.c.mapped, literal_column("1")).where(
            _in_store,
            binding.c.node_id == bindparam("n"),
            binding.c.is_coll == literal_column("1"),
            binding.c.mapped <= bindparam("number"),
        ),
        select(gone.c.node_id, gone.c.parent_id, gone.c.name, gone.c.mapped, literal_column("0")).where(
            gone.c.store_id == bindparam("s"),
            gone.c.node_id == bindparam("n"),
            gone.c.is_coll == literal_column("1"),
            gone.c.mapped <= bindparam("number"),
            gone.c.unmapped > bindparam("number"),
        ),
    ),
    Once,
)
_BOUND = Statement(
    select(binding.c.parent_id, binding.c.name, binding.c.node_id, binding.c.is_coll, binding.c.mapped, null()).where(
        _in_store, binding.c.area == bindparam("area"), among(binding.c.node_id, bindparam("ids"))
    ),
    Incarnation,
)
_MOVED = Statement(
    select(binding.c.node_id, binding.c.mapped)
    .where(_in_store, binding.c.moved == literal_column("1"), binding.c.mapped > bindparam("after"))
    .order_by(binding.c.mapped)
    .limit(bindparam("limit")),
    Moved,
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
        gone.c.store_id == bindparam("s"),
        gone.c.area == bindparam("area"),
        gone.c.unmapped > bindparam("after"),
        gone.c.nested == literal_column("0"),
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
        .where(
            _in_store,
            binding.c.parent_id == bindparam("p"),
            binding.c.mapped < bindparam("before"),
            or_(
                binding.c.is_coll == literal_column("1"),
                binding.c.parent_id != _under,
                among(binding.c.node_id, bindparam("hidden")),
            ),
        ),
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


def list_collections_in(
    unit: Unit, store_id: int, parent_id: int, *, after: int, before: int, limit: int
) -> list[Collection]:
    """Return the collections in one that were mapped before a number, by node id and behind one."""
    values = {"s": store_id, "p": parent_id, "after": after, "before": before, "limit": limit}
    return unit.all(_COLLECTIONS_IN, values)


def find_bound_at(unit: Unit, store_id: int, node_id: int, number: int) -> Once | None:
    """Return where a collection was bound at a change number that history reaches back to; None: it was not."""
    return unit.one(_BOUND_AT, {"s": store_id, "n": node_id, "number": number})


def list_above(unit: Unit, store_id: int, node_ids: Iterable[int]) -> list[Above]:
    """Return where collections are bound; the root and dead ones are not."""
    return unit.all(_UP, {"s": store_id, "ids": array(node_ids)})


def list_moved(unit: Unit, store_id: int, *, after: int, limit: int) -> list[Moved]:
    """Return the collections that a MOVE mapped after a number, in that order."""
    return unit.all(_MOVED, {"s": store_id, "after": after, "limit": limit})


def list_gone(unit: Unit, store: StoreFacts, *, after: int, parent_id: int | None = None) -> list[Former]:
    """Return the bindings closed after a number, but not with a collection above; of one collection or an area."""
    values = {"s": store.id, "area": store.area, "after": after}
    if parent_id is None:
        return unit.all(_GONE, values)
    return unit.all(_GONE_FROM, {**values, "p": parent_id})


def list_former_members(
    unit: Unit, store_id: int, node_id: int, *, after: int, before: int, live_parent: int, hidden: Iterable[int]
) -> list[Former]:
    """Return the members that a collection had before a number and still after another.

    `live` is the node that the name means now in another collection, live_parent. Where that is the same one, its
    non-collections that are still there are left out, but for the hidden ones.
    """
    values: dict[str, object] = {
        "s": store_id,
        "p": node_id,
        "after": after,
        "before": before,
        "live_parent": live_parent,
    }
    values["hidden"] = array(hidden)
    return unit.all(_FORMER_MEMBERS, values)


def list_bound(unit: Unit, store: StoreFacts, node_ids: Iterable[int]) -> list[Incarnation]:
    """Return the open bindings of nodes in an area."""
    return unit.all(_BOUND, {"s": store.id, "area": store.area, "ids": array(node_ids)})


def list_incarnations(unit: Unit, store_id: int, parent_id: int, name: str) -> list[Incarnation]:
    """Return every binding a name in a collection has or had."""
    return unit.all(_NAMED, {"s": store_id, "p": parent_id, "name_": name})
