"""Pages of a collection, for people: sorted, and behind a mark."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, SmallInteger, and_, bindparam, func, literal_column, or_, select

from davstore.metadata.bindings import BOUND, FACTS
from davstore.metadata.tables import binding, node
from davstore.metadata.unit import Statement, Unit
from davstore.model.nodes import Resource
from davstore.model.pages import Mark, Sort

ABOVE_ALL = 2
"""More than `is_coll` ever is: where the first page begins."""


@lru_cache(maxsize=2 * len(Sort))
def _paging(sort: Sort, descending: bool) -> Statement:
    """Return the statement of a page: the database keeps no more rows than it returns, however many there are."""
    name, is_coll = binding.c.name, binding.c.is_coll
    length = func.coalesce(node.c.length, literal_column("0"))
    key: ColumnElement[Any] = {Sort.NAME: name, Sort.SIZE: length, Sort.TIME: node.c.modified_us}[sort]
    at = bindparam("name_") if sort is Sort.NAME else bindparam("v", type_=BigInteger)
    behind = or_(key < at if descending else key > at, and_(key == at, name > bindparam("name_")))
    kind = bindparam("c", type_=SmallInteger)
    return Statement(
        select(*FACTS)
        .select_from(BOUND)
        .where(
            binding.c.store_id == bindparam("s"),
            binding.c.parent_id == bindparam("p"),
            or_(is_coll < kind, and_(is_coll == kind, behind)),
        )
        .order_by(is_coll.desc(), key.desc() if descending else key, name)
        .limit(bindparam("limit"))
    )


def list_page(
    unit: Unit, store_id: int, top: Resource, sort: Sort, *, descending: bool, after: Mark | None, limit: int
) -> list[Resource]:
    """Return at most limit members of a collection behind a mark, collections first, names in byte order."""
    mark = after or Mark(ABOVE_ALL, 0, "")
    values = {"c": mark.is_collection, "v": mark.value, "name_": mark.name}
    rows = unit.all(_paging(sort, descending), {"s": store_id, "p": top.node_id, "limit": limit, **values})
    return [Resource(top.names, *row) for row in rows]
