"""The access control lists of nodes, and the entries of a store that name one principal."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, delete, exists, insert, literal, literal_column, or_, select, update

from davstore.metadata.memberships import my_principals
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import ace, binding, store
from davstore.metadata.unit import Unit
from davstore.model.acl import AUTHENTICATED, Ace
from davstore.model.nodes import HOLDS_ACES
from davstore.model.where import parse_json, to_json


class _Row(NamedTuple):
    principal_id: int
    denies: int
    privileges: int
    expires_us: int | None
    filter: str | None

    def ace(self) -> Ace:
        bound = None if self.filter is None else parse_json(self.filter)
        return Ace(self.principal_id, self.denies == 1, self.privileges, self.expires_us, bound)


class _Of(NamedTuple):
    node_id: int


_s = bindparam("s", type_=BigInteger)
_ENTRY = (ace.c.principal_id, ace.c.denies, ace.c.privileges, ace.c.expires_us, ace.c.filter)
_LIST = Statement(
    select(ace.c.node_id, *_ENTRY)
    .where(ace.c.store_id == _s, among(ace.c.node_id, bindparam("ids")))
    .order_by(ace.c.node_id, ace.c.position),
    _Of,
    _Row,
)
_NAMING = Statement(
    select(ace.c.node_id, *_ENTRY).where(
        ace.c.store_id == _s,
        or_(
            ace.c.principal_id == literal_column(str(AUTHENTICATED)),
            ace.c.principal_id.in_(select(my_principals().c.id)),
        ),
        or_(ace.c.expires_us.is_(None), ace.c.expires_us > bindparam("now_us")),
    ),
    _Of,
    _Row,
)
_REMOVE = Write(delete(ace).where(ace.c.store_id == _s, ace.c.node_id == bindparam("n")))
_INSERT = Write(insert(ace).values({c.name: bindparam(c.name) for c in ace.c}))
_is_controlled = exists().where(ace.c.store_id == store.c.id)
_HOLDS = Write(update(store).where(store.c.id == _s).values(traits=store.c.traits.bitwise_or(literal(HOLDS_ACES))))
_HOLDS_NONE = Write(
    update(store)
    .where(store.c.id == _s, ~_is_controlled)
    .values(traits=store.c.traits.bitwise_and(literal(~HOLDS_ACES)))
)
_home = and_(binding.c.store_id == _s, binding.c.area == literal_column("0"))
_up = (
    select(binding.c.node_id.label("start"), binding.c.node_id, binding.c.parent_id, literal_column("0").label("level"))
    .where(_home, among(binding.c.node_id, bindparam("ids")))
    .cte("up", recursive=True)
)
_HOMES = Statement[tuple[int, int]](
    select(
        _up.union_all(
            select(_up.c.start, binding.c.node_id, binding.c.parent_id, _up.c.level + literal_column("1")).where(
                _home, binding.c.node_id == _up.c.parent_id
            )
        )
    )
    .with_only_columns(_up.c.start, _up.c.parent_id)
    .order_by(_up.c.start, _up.c.level.desc())
)


def list_aces(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[Ace]]:
    """Return the own entries of nodes, in their order, expired ones too."""
    found: dict[int, list[Ace]] = {node_id: [] for node_id in node_ids}
    for (node_id,), row in unit.all(_LIST, {"s": store_id, "ids": array(node_ids)}) if node_ids else ():
        found[node_id].append(row.ace())
    return found


def list_naming(unit: Unit, store_id: int, user_id: int, groups: Iterable[str], *, now_us: int) -> dict[int, list[Ace]]:
    """Return the entries of a store that hold now and name a user, a group or list with it, or everybody, by node."""
    found: defaultdict[int, list[Ace]] = defaultdict(list)
    values = {"s": store_id, "me": user_id, "groups": json.dumps(sorted(groups)), "now_us": now_us}
    for (node_id,), row in unit.all(_NAMING, values):
        found[node_id].append(row.ace())
    return found


def set_aces(unit: Unit, store_id: int, node_id: int, entries: Sequence[Ace]) -> None:
    """Replace the entries of a node, and note in the row of the store whether there are any."""
    unit.run(_REMOVE, {"s": store_id, "n": node_id})
    rows = [
        {
            "store_id": store_id,
            "node_id": node_id,
            "position": position,
            "principal_id": one.principal_id,
            "denies": int(one.denies),
            "privileges": one.privileges,
            "expires_us": one.expires_us,
            "filter": None if one.filter is None else to_json(one.filter),
        }
        for position, one in enumerate(entries)
    ]
    if rows:
        unit.many(_INSERT, rows)
    unit.run(_HOLDS if rows else _HOLDS_NONE, {"s": store_id})


def list_home_chains(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the collections above nodes in the area of the store, the root first; none for one that is not there."""
    found: dict[int, list[int]] = {node_id: [] for node_id in node_ids}
    for start, above in unit.all(_HOMES, {"s": store_id, "ids": array(node_ids)}) if node_ids else ():
        found[start].append(above)
    return found
