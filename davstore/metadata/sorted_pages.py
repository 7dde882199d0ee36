"""Sorted pages of a collection, for people; each begins behind a mark."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SmallInteger,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from davstore.metadata.listings import BOUND, FACTS, FactsRow, in_collection
from davstore.metadata.statements import Statement
from davstore.metadata.tables import binding, node
from davstore.metadata.unit import Unit
from davstore.model.nodes import Resource
from davstore.model.pages import Mark, Sort

ABOVE_ALL = 2
"""More than `is_coll` ever is: where the first page begins."""

_KEYS: dict[Sort, tuple[ColumnElement[Any], ...]] = {
    Sort.NAME: (),
    Sort.SIZE: (func.coalesce(node.c.length, literal_column("0")),),
    Sort.TIME: (node.c.modified_us,),
}
_BOUND_FACTS = [column for column in FACTS if column.table is binding]
_NODE_FACTS = [column for column in FACTS if column.table is node]


@lru_cache(maxsize=2 * len(Sort))
def _paging(sort: Sort, descending: bool) -> Statement[FactsRow]:
    """Return the statement of a page.

    The database looks at each member, at no more of it than the order needs, and keeps as many as it returns.
    """
    name, is_coll = binding.c.name, binding.c.is_coll
    mark = tuple_(bindparam("lower", type_=Text), bindparam("name_", type_=Text))
    names = tuple_(func.lower(name), name)
    behind = names < mark if descending and sort is Sort.NAME else names > mark
    for key in _KEYS[sort]:
        at = bindparam("v", type_=BigInteger)
        behind = or_(key < at if descending else key > at, and_(key == at, behind))
    kind = bindparam("c", type_=SmallInteger)
    page = (
        select(*_BOUND_FACTS)
        .select_from(BOUND if _KEYS[sort] else binding)
        .where(
            binding.c.store_id == bindparam("s"),
            binding.c.parent_id == bindparam("p"),
            or_(is_coll < kind, and_(is_coll == kind, behind)),
        )
        .order_by(*_order(sort, is_coll, name, descending=descending))
        .limit(bindparam("limit"))
        .cte("page")
    )
    found = page.join(node, and_(node.c.store_id == bindparam("s"), node.c.id == page.c.node_id))
    order = _order(sort, page.c.is_coll, page.c.name, descending=descending)
    return Statement[FactsRow](select(*page.c, *_NODE_FACTS).select_from(found).order_by(*order))


def _order(
    sort: Sort, is_coll: ColumnElement[Any], name: ColumnElement[Any], *, descending: bool
) -> list[ColumnElement[Any]]:
    """Return the expressions that order members. Both databases lower the letters of ASCII alone: names are bytes."""
    names = (func.lower(name), name)
    first = _KEYS[sort] or names
    turned = [key.desc() if descending else key for key in first]
    return [is_coll.desc(), *turned, *(names if _KEYS[sort] else ())]


def list_page(
    unit: Unit, store_id: int, top: Resource, sort: Sort, *, descending: bool, after: Mark | None, limit: int
) -> list[Resource]:
    """Return at most limit members of a collection behind a mark: collections first, then in the order of sort.

    Members that are equal there follow the order of the names, in which `a` and `A` stand together.
    """
    mark = after or Mark(ABOVE_ALL, 0, "")
    values = {"c": mark.is_collection, "v": mark.value, "name_": mark.name, "lower": _lower(mark.name)}
    rows = unit.all(_paging(sort, descending), {"s": store_id, "p": top.node_id, "limit": limit, **values})
    return in_collection(top.names, rows)


def _lower(name: str) -> str:
    return name.encode().lower().decode()
