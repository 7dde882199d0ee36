"""The access control lists of nodes, and the entries of a store that name one principal."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, delete, exists, insert, literal, literal_column, or_, select, update

from davstore.metadata.memberships import MY_PRINCIPALS, find_names
from davstore.metadata.places import Ways
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import ace, binding, store
from davstore.metadata.unit import Unit
from davstore.model.acl import AUTHENTICATED, WORDS, Ace, KnownAce
from davstore.model.nodes import HOLDS_ACES, StoreFacts
from davstore.model.where import parse_json, to_json


class EntryRow(NamedTuple):
    """The columns of an entry, `ENTRY`."""

    principal_id: int
    denies: int
    privileges: int
    expires_us: int | None
    filter: str | None

    def ace(self) -> Ace:
        """Return the entry."""
        bound = None if self.filter is None else parse_json(self.filter)
        return Ace(self.principal_id, self.denies == 1, self.privileges, self.expires_us, bound)


class _Of(NamedTuple):
    node_id: int


_s = bindparam("s", type_=BigInteger)
ENTRY = (ace.c.principal_id, ace.c.denies, ace.c.privileges, ace.c.expires_us, ace.c.filter)
"""The columns of an `EntryRow`."""
_LIST = Statement(
    select(ace.c.node_id, *ENTRY)
    .where(ace.c.store_id == _s, among(ace.c.node_id, bindparam("ids")))
    .order_by(ace.c.node_id, ace.c.position),
    _Of,
    EntryRow,
)
HOLDS = or_(ace.c.expires_us.is_(None), ace.c.expires_us > bindparam("now_us"))
"""The condition that an entry has not expired."""
NAMES_ME = or_(
    ace.c.principal_id == literal_column(str(AUTHENTICATED)),
    ace.c.principal_id.in_(MY_PRINCIPALS),
)
"""The condition that an entry names a user (`MY_PRINCIPALS`), or everybody."""
_NAMING = Statement(
    select(ace.c.node_id, *ENTRY).where(ace.c.store_id == _s, NAMES_ME, HOLDS),
    _Of,
    EntryRow,
)
_REMOVE = Write(delete(ace).where(ace.c.store_id == _s, ace.c.node_id == bindparam("n")))
_FORGET = Write(delete(ace).where(among(ace.c.principal_id, bindparam("ids"))))
_INSERT = Write(insert(ace).values({c.name: bindparam(c.name) for c in ace.c}))
_is_controlled = exists().where(ace.c.store_id == store.c.id)
_HOLDS_SOME = Write(update(store).where(store.c.id == _s).values(traits=store.c.traits.bitwise_or(literal(HOLDS_ACES))))
_HOLDS_NONE = Write(
    update(store)
    .where(store.c.id == _s, ~_is_controlled)
    .values(traits=store.c.traits.bitwise_and(literal(~HOLDS_ACES)))
)
_in_store = binding.c.store_id == _s
_is_home = or_(binding.c.area == literal_column("0"), binding.c.is_coll == literal_column("1"))
_up = (
    select(binding.c.node_id.label("start"), binding.c.node_id, binding.c.parent_id, literal_column("0").label("level"))
    .where(_in_store, among(binding.c.node_id, bindparam("ids")), _is_home)
    .cte("up", recursive=True)
)
_way_up = _up.union_all(
    select(_up.c.start, binding.c.node_id, binding.c.parent_id, _up.c.level + literal_column("1")).where(
        _in_store, binding.c.node_id == _up.c.parent_id
    )
)
_HOMES = Statement[tuple[int, int]](
    select(_way_up.c.start, _way_up.c.parent_id).order_by(_way_up.c.start, _way_up.c.level.desc())
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


def list_acls(unit: Unit, store: StoreFacts, node_ids: Collection[int], *, now_us: int) -> dict[int, list[KnownAce]]:
    """Return the entries of nodes that hold now, their own before those that they inherit, from the nearest on."""
    if not store.may_hold_aces or not node_ids:
        return {node_id: [] for node_id in node_ids}
    chains = list_home_chains(unit, store.id, node_ids)
    entries = list_aces(unit, store.id, {*node_ids, *itertools.chain.from_iterable(chains.values())})
    holding = {node_id: [one for one in own if one.holds(now_us)] for node_id, own in entries.items()}
    names = find_names(unit, {one.principal_id for own in holding.values() for one in own})
    ways = Ways(unit, store.id, [node_id for node_id, own in holding.items() if own])
    return {
        node_id: [
            KnownAce(who, one, None if at == node_id else ways.locate(at))
            for at in (node_id, *reversed(above))
            for one in holding[at]
            if (who := WORDS.get(one.principal_id) or names.get(one.principal_id)) is not None
        ]
        for node_id, above in chains.items()
    }


def forget(unit: Unit, principal_ids: Collection[int]) -> None:
    """Remove the entries of all stores that name principals which end: others may get their numbers."""
    unit.run(_FORGET, {"ids": array(principal_ids)})


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
    unit.run(_HOLDS_SOME if rows else _HOLDS_NONE, {"s": store_id})


def list_home_chains(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the collections above nodes, the root first; none for a root, and for one that is not there.

    Those of a message are above its folder, whatever thread it is in: its one home (docs/sharing.md).
    """
    found: dict[int, list[int]] = {node_id: [] for node_id in node_ids}
    for start, above in unit.all(_HOMES, {"s": store_id, "ids": array(node_ids)}) if node_ids else ():
        found[start].append(above)
    return found
