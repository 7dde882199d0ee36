"""The nodes that have access control entries, with their places: those of a store, and those that name one principal.

Entries that name a principal stand in many stores, and one statement finds them in all of these.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, literal_column, or_, select

from davstore.metadata.aces import ENTRY, HOLDS, NAMES_ME, EntryRow
from davstore.metadata.statements import Statement
from davstore.metadata.tables import ace, binding, store, store_root
from davstore.metadata.unit import Unit
from davstore.model.acl import Ace
from davstore.model.paths import Area, Path


class Held(NamedTuple):
    """A node that has entries: its place, the entries that hold, and the nodes above it, the root first."""

    store_id: int
    node_id: int
    path: Path
    is_collection: bool
    entries: list[Ace]
    above: list[int]


class _Of(NamedTuple):
    store_id: int
    owner: str
    node_id: int
    root_of: int | None


class _Step(NamedTuple):
    store_id: int
    start: int
    parent_id: int
    name: str
    area: int
    is_coll: int


_in_store = ace.c.store_id == bindparam("s", type_=BigInteger)


def _entries(which: ColumnElement[bool]) -> Statement[Any]:
    is_root = and_(store_root.c.store_id == ace.c.store_id, store_root.c.node_id == ace.c.node_id)
    return Statement(
        select(ace.c.store_id, store.c.owner, ace.c.node_id, store_root.c.area, *ENTRY)
        .select_from(ace.join(store, store.c.id == ace.c.store_id).outerjoin(store_root, is_root))
        .where(which, HOLDS)
        .order_by(ace.c.store_id, ace.c.node_id, ace.c.position),
        _Of,
        EntryRow,
    )


def _ways(which: ColumnElement[bool]) -> Statement[_Step]:
    """Return the statement of the bindings from each node up: a message has its way through its folder."""
    step = (binding.c.parent_id, binding.c.name, binding.c.area, binding.c.is_coll)
    is_home = or_(binding.c.area == literal_column("0"), binding.c.is_coll == literal_column("1"))
    of_node = and_(binding.c.store_id == ace.c.store_id, binding.c.node_id == ace.c.node_id, is_home)
    up = (
        select(ace.c.store_id, ace.c.node_id.label("start"), *step, literal_column("0").label("level"))
        .select_from(ace.join(binding, of_node))
        .where(which, HOLDS)
        .cte("up", recursive=True)
    )
    above = and_(binding.c.store_id == up.c.store_id, binding.c.node_id == up.c.parent_id)
    ways = up.union(
        select(up.c.store_id, up.c.start, *step, up.c.level + literal_column("1")).select_from(up.join(binding, above))
    )
    columns = (ways.c[name] for name in _Step._fields)
    return Statement(select(*columns).order_by(ways.c.store_id, ways.c.start, ways.c.level.desc()), _Step)


_ENTRIES_OF_STORE = _entries(_in_store)
_WAYS_OF_STORE = _ways(_in_store)
_ENTRIES_NAMING_ME = _entries(NAMES_ME)
_WAYS_NAMING_ME = _ways(NAMES_ME)


def list_of_store(unit: Unit, store_id: int, *, now_us: int) -> list[Held]:
    """Return the nodes of a store that have entries, each with all of its own."""
    return _join(unit, _ENTRIES_OF_STORE, _WAYS_OF_STORE, {"s": store_id, "now_us": now_us})


def list_naming(unit: Unit, user_id: int, groups: Iterable[str], *, now_us: int) -> list[Held]:
    """Return the nodes of all stores that have entries which name a user, a group or list with it, or everybody.

    Each has those of its entries alone.
    """
    values = {"me": user_id, "groups": json.dumps(sorted(groups)), "now_us": now_us}
    return _join(unit, _ENTRIES_NAMING_ME, _WAYS_NAMING_ME, values)


def _join(unit: Unit, entries: Statement[Any], ways: Statement[_Step], values: dict[str, Any]) -> list[Held]:
    rows = unit.all(entries, values)
    steps: defaultdict[tuple[int, int], list[_Step]] = defaultdict(list)
    for step in unit.all(ways, values) if rows else ():
        steps[step.store_id, step.start].append(step)
    found: dict[tuple[int, int], Held] = {}
    for of, row in rows:
        key, way = (of.store_id, of.node_id), steps[of.store_id, of.node_id]
        if key not in found:
            if not way and of.root_of is None:  # it is gone, and its entries go with the sweep
                continue
            area = way[0].area if way else of.root_of
            path = Path(of.owner, tuple([step.name for step in way]), Area(area))
            is_collection = not way or way[-1].is_coll == 1
            found[key] = Held(*key, path, is_collection, [], [step.parent_id for step in way])
        found[key].entries.append(row.ace())
    return list(found.values())
