"""The nodes that have access control entries, with their places: those of a store, and those that name one principal.

Entries that name a principal stand in many stores, and one statement finds them in all of these.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, literal_column, or_, select

from davstore.metadata.memberships import MY_PRINCIPALS
from davstore.metadata.statements import Statement
from davstore.metadata.tables import ace, binding, store, store_root
from davstore.metadata.unit import Unit
from davstore.model.acl import AUTHENTICATED, Ace
from davstore.model.paths import Area, Path
from davstore.model.where import parse_json


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


class _Row(NamedTuple):
    principal_id: int
    denies: int
    privileges: int
    expires_us: int | None
    filter: str | None


class _Step(NamedTuple):
    store_id: int
    start: int
    parent_id: int
    name: str
    area: int
    is_coll: int


_holds = or_(ace.c.expires_us.is_(None), ace.c.expires_us > bindparam("now_us"))
_in_store = ace.c.store_id == bindparam("s", type_=BigInteger)
_names_me = or_(
    ace.c.principal_id == literal_column(str(AUTHENTICATED)),
    ace.c.principal_id.in_(MY_PRINCIPALS),
)


def _entries(which: ColumnElement[bool]) -> Statement[Any]:
    is_root = and_(store_root.c.store_id == ace.c.store_id, store_root.c.node_id == ace.c.node_id)
    entry = (ace.c.principal_id, ace.c.denies, ace.c.privileges, ace.c.expires_us, ace.c.filter)
    return Statement(
        select(ace.c.store_id, store.c.owner, ace.c.node_id, store_root.c.area, *entry)
        .select_from(ace.join(store, store.c.id == ace.c.store_id).outerjoin(store_root, is_root))
        .where(which, _holds)
        .order_by(ace.c.store_id, ace.c.node_id, ace.c.position),
        _Of,
        _Row,
    )


def _ways(which: ColumnElement[bool]) -> Statement[_Step]:
    """Return the statement of the bindings from each node up: a message has its way through its folder."""
    step = (binding.c.parent_id, binding.c.name, binding.c.area, binding.c.is_coll)
    is_home = or_(binding.c.area == literal_column("0"), binding.c.is_coll == literal_column("1"))
    of_node = and_(binding.c.store_id == ace.c.store_id, binding.c.node_id == ace.c.node_id, is_home)
    up = (
        select(ace.c.store_id, ace.c.node_id.label("start"), *step, literal_column("0").label("level"))
        .select_from(ace.join(binding, of_node))
        .where(which, _holds)
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
_ENTRIES_NAMING_ME = _entries(_names_me)
_WAYS_NAMING_ME = _ways(_names_me)


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
        bound = None if row.filter is None else parse_json(row.filter)
        found[key].entries.append(Ace(row.principal_id, row.denies == 1, row.privileges, row.expires_us, bound))
    return list(found.values())
