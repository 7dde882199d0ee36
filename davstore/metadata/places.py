"""The places of nodes: the names that lead to each of their bindings from the root of its area."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, select

from davstore.metadata.listings import BOUND, FACTS, MemberRow
from davstore.metadata.statements import Statement, among, among_texts, array
from davstore.metadata.tables import binding, node, store_root
from davstore.metadata.unit import Unit
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area


class Bound(NamedTuple):
    """A binding."""

    node_id: int
    parent_id: int
    name: str


class _InArea(NamedTuple):
    """The area of a binding; the facts of its node come beside it."""

    area: int


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
    Bound,
)
_HOMES = Statement(
    select(binding.c.node_id, binding.c.parent_id, binding.c.name).where(
        binding.c.store_id == bindparam("s"),
        among(binding.c.node_id, bindparam("ids")),
        binding.c.area == literal_column(str(int(Area.STORE))),
    ),
    Bound,
)
_ROOTS = Statement[tuple[int, int]](
    select(store_root.c.node_id, store_root.c.area).where(store_root.c.store_id == bindparam("s"))
)
_BINDINGS = Statement(
    select(binding.c.area, binding.c.parent_id, *FACTS)
    .select_from(BOUND)
    .where(binding.c.store_id == bindparam("s"), among(binding.c.node_id, bindparam("ids")))
    .order_by(binding.c.area, binding.c.node_id),
    _InArea,
    MemberRow,
)
_BY_RESOURCE_ID = Statement[tuple[int]](
    select(node.c.id).where(node.c.store_id == bindparam("s"), among_texts(node.c.resource_id, bindparam("texts")))
)


class Ways:
    """The names that lead to some collections, and to those above them, from the roots of their areas."""

    def __init__(self, unit: Unit, store_id: int, node_ids: Collection[int]) -> None:
        """Look them up: two statements."""
        rows = unit.all(_ABOVE, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
        self._above = {row.node_id: row for row in rows}
        self._roots = dict(unit.all(_ROOTS, {"s": store_id}))

    def find(self, node_id: int, area: Area) -> tuple[str, ...] | None:
        """Return the names that lead to a collection; None: it is in no area, or in another."""
        names: list[str] = []
        while node_id in self._above:
            names.append(self._above[node_id].name)
            node_id = self._above[node_id].parent_id
        return tuple(reversed(names)) if self._roots.get(node_id) == area else None

    def locate(self, node_id: int) -> tuple[Area, tuple[str, ...]] | None:
        """Return the area of a collection and the names that lead to it; None: it is in none."""
        found = [(area, names) for area in Area if (names := self.find(node_id, area)) is not None]
        return found[0] if found else None


def list_resources(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[Area, list[Resource]]:
    """Return nodes as each of their URLs shows them, by area."""
    rows = unit.all(_BINDINGS, {"s": store.id, "ids": array(node_ids)}) if node_ids else []
    ways = Ways(unit, store.id, {row.parent_id for _, row in rows})
    found: defaultdict[Area, list[Resource]] = defaultdict(list)
    for bound, row in rows:
        names = ways.find(row.parent_id, Area(bound.area))
        if names is not None:
            found[Area(bound.area)].append(row.at(names))
    return found


def list_in_store(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, Resource]:
    """Return nodes as their URLs in the area of the store show them; those without one are left out."""
    found = list_resources(unit, store, node_ids) if node_ids else {}
    return {one.node_id: one for one in found.get(Area.STORE, ())}


def list_homes(unit: Unit, store_id: int, node_ids: Collection[int]) -> list[Bound]:
    """Return the bindings in folders of those of the nodes that have one."""
    return unit.all(_HOMES, {"s": store_id, "ids": array(node_ids)}) if node_ids else []


def find_homes(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names that lead to those of the nodes that have a place in folders."""
    rows = list_homes(unit, store_id, node_ids)
    if not rows:
        return {}
    ways = Ways(unit, store_id, {row.parent_id for row in rows})
    parents = {row.node_id: ways.find(row.parent_id, Area.STORE) for row in rows}
    return {row.node_id: (*names, row.name) for row in rows if (names := parents[row.node_id]) is not None}


def find_nodes(unit: Unit, store_id: int, resource_ids: Collection[str]) -> list[int]:
    """Return the nodes of resource ids; one that is gone may be among them."""
    values = {"s": store_id, "texts": json.dumps([*resource_ids])}
    return [node_id for (node_id,) in unit.all(_BY_RESOURCE_ID, values)] if resource_ids else []
