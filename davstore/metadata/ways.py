"""The ways to nodes from the root of a store, in the area of clients: what hrefs of them are made of."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, select

from davstore.metadata.statements import Statement, among, array
from davstore.metadata.stores import get_root
from davstore.metadata.tables import binding
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Area


class _Binding(NamedTuple):
    node_id: int
    parent_id: int
    name: str


_in_store = (binding.c.store_id == bindparam("s"), binding.c.area == literal_column(str(int(Area.STORE))))
_up = (
    select(binding.c.node_id, binding.c.parent_id, binding.c.name)
    .where(*_in_store, among(binding.c.node_id, bindparam("ids")))
    .cte("up", recursive=True)
)
_UP = Statement(
    select(
        _up.union(
            select(binding.c.node_id, binding.c.parent_id, binding.c.name).where(
                *_in_store, binding.c.node_id == _up.c.parent_id
            )
        )
    ),
    _Binding,
)


def list_names(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names that lead to each of some nodes from the root of the store; none do to those left out."""
    rows = unit.all(_UP, {"s": store.id, "ids": array(node_ids)}) if node_ids else []
    above = {row.node_id: row for row in rows}
    root_id = get_root(unit, store, Area.STORE) if rows else 0
    found = ((node_id, _follow(above, node_id, root_id)) for node_id in node_ids)
    return {node_id: names for node_id, names in found if names}


def _follow(above: dict[int, _Binding], node_id: int, root_id: int) -> tuple[str, ...]:
    names: list[str] = []
    while node_id in above:
        names.append(above[node_id].name)
        node_id = above[node_id].parent_id
    return tuple(reversed(names)) if node_id == root_id else ()
