"""The way down to collections that are known by their nodes: the names of each from the root of the store."""

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


class _Above(NamedTuple):
    """The binding of a collection."""

    node_id: int
    parent_id: int
    name: str


_up = (
    select(binding.c.node_id, binding.c.parent_id, binding.c.name)
    .where(
        binding.c.store_id == bindparam("s"),
        among(binding.c.node_id, bindparam("ids")),
        binding.c.is_coll == literal_column("1"),
    )
    .cte("up", recursive=True)
)
_ABOVE = Statement(
    select(
        _up.union(
            select(binding.c.node_id, binding.c.parent_id, binding.c.name).where(
                binding.c.store_id == bindparam("s"),
                binding.c.node_id == _up.c.parent_id,
                binding.c.is_coll == literal_column("1"),
            )
        )
    ),
    _Above,
)


def find_names(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names of collections from the root of the store; those in other areas are left out."""
    rows = unit.all(_ABOVE, {"s": store.id, "ids": array(node_ids)}) if node_ids else []
    above = {row.node_id: row for row in rows}
    root_id = get_root(unit, store, Area.STORE)
    found = {node_id: _climb(root_id, above, node_id) for node_id in node_ids}
    return {node_id: names for node_id, names in found.items() if names is not None}


def _climb(root_id: int, above: dict[int, _Above], node_id: int) -> tuple[str, ...] | None:
    names: list[str] = []
    while node_id in above:
        names.append(above[node_id].name)
        node_id = above[node_id].parent_id
    return tuple(reversed(names)) if node_id == root_id else None
