"""The way to a node from the root of its area, by the names that clients gave: what an href of it is made of."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, select

from davstore.metadata.statements import Statement
from davstore.metadata.tables import MADE_THREAD, binding
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts


class _Binding(NamedTuple):
    node_id: int
    parent_id: int
    name: str


_by_clients = (binding.c.store_id == bindparam("s"), binding.c.made != literal_column(str(MADE_THREAD)))
_up = (
    select(binding.c.node_id, binding.c.parent_id, binding.c.name)
    .where(*_by_clients, binding.c.node_id == bindparam("n"))
    .cte("up", recursive=True)
)
_UP = Statement(
    select(
        _up.union(
            select(binding.c.node_id, binding.c.parent_id, binding.c.name).where(
                *_by_clients, binding.c.node_id == _up.c.parent_id
            )
        )
    ),
    _Binding,
)


def find_names(unit: Unit, store: StoreFacts, node_id: int) -> tuple[str, ...] | None:
    """Return the names that lead to a node from the root of an area; None: none do."""
    above = {row.node_id: row for row in unit.all(_UP, {"s": store.id, "n": node_id})}
    names: list[str] = []
    while node_id in above:
        names.append(above[node_id].name)
        node_id = above[node_id].parent_id
    return tuple(reversed(names)) if names and node_id == store.root_id else None
