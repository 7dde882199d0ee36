"""Statements over several resources of a store: found by path, given numbers, states and ends, however many they are.

A fixed number of statements: one of its own for each would let a request for thousands hold the writer for as long as
thousands of requests.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import SmallInteger, and_, bindparam, delete, insert, literal, literal_column, select, update

from davstore.metadata.listings import FACTS, MemberRow
from davstore.metadata.statements import Statement, Write, among, array, table
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import binding, gone, node
from davstore.metadata.unit import Unit
from davstore.model.nodes import Resource
from davstore.model.paths import Area
from davstore.model.states import StateChange

Names = tuple[str, ...]

_in_store = binding.c.store_id == bindparam("s")
_named = table(bindparam("rows"), "parent_id", text="name")
_FIND = Statement(
    select(binding.c.parent_id, *FACTS).select_from(
        _named.join(
            binding, and_(_in_store, binding.c.parent_id == _named.c.parent_id, binding.c.name == _named.c.name)
        ).join(node, and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id))
    ),
    MemberRow,
)

_placed = table(bindparam("rows"), "node_id", "area", "number")
_PLACES = Statement[tuple[int, int]](
    select(binding.c.node_id, binding.c.area)
    .where(_in_store, among(binding.c.node_id, bindparam("ids")))
    .order_by(binding.c.node_id, binding.c.area)
)
_TOUCH = Write(
    update(binding)
    .where(_in_store, binding.c.node_id == _placed.c.node_id, binding.c.area == _placed.c.area)
    .values(changed=_placed.c.number)
)
_numbered = table(bindparam("rows"), "old", "number")
_ALTER = Write(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.id == _numbered.c.old)
    .values(
        flags=node.c.flags.op("&")(bindparam("kept")).op("|")(bindparam("set")),
        modseq=_numbered.c.number,
    )
)

_GONE: Final = ("store_id", "parent_id", "name", "node_id", "is_coll", "area", "mapped", "unmapped", "nested")
_closed = [binding.c[name] for name in _GONE[:-2]]
_home = and_(_in_store, binding.c.area == literal_column(str(int(Area.STORE))))
_tops = _numbered.join(binding, and_(_home, binding.c.changed == _numbered.c.old))
_CLOSE = Write(
    insert(gone).from_select(_GONE, select(*_closed, _numbered.c.number, literal(0, SmallInteger)).select_from(_tops))
)
_UNBIND = Write(delete(binding).where(_home, among(binding.c.changed, bindparam("ids"))))
_down = (
    select(binding.c.parent_id.label("top"), binding.c.node_id)
    .where(_in_store, among(binding.c.parent_id, bindparam("ids")), binding.c.is_coll == literal_column("1"))
    .cte("down", recursive=True)
)
_INSIDE = Statement[tuple[int, int]](
    select(
        _down.union_all(
            select(_down.c.top, binding.c.node_id).where(
                binding.c.store_id == bindparam("s"),
                binding.c.parent_id == _down.c.node_id,
                binding.c.is_coll == literal_column("1"),
            )
        )
    )
)
_beneath = _numbered.join(binding, and_(_in_store, binding.c.parent_id == _numbered.c.old))
_CLOSE_BENEATH = Write(
    insert(gone).from_select(
        _GONE, select(*_closed, _numbered.c.number, literal(1, SmallInteger)).select_from(_beneath)
    )
)
_UNBIND_BENEATH = Write(delete(binding).where(_in_store, among(binding.c.parent_id, bindparam("ids"))))


class Found(NamedTuple):
    """A resource, and the collection that holds it."""

    parent_id: int
    resource: Resource


def find_beneath(unit: Unit, store_id: int, top_id: int, top: Names, wanted: Collection[Names]) -> dict[Names, Found]:
    """Follow paths that begin with that of one collection, and return the resources that they lead to.

    One statement for each level, as far down as anything is.
    """
    found: dict[Names, Found] = {}
    above = {top: top_id}
    level = len(top)
    while above:
        level += 1
        names_of = {node_id: names for names, node_id in above.items()}
        asked = {one[:level] for one in wanted if len(one) >= level and one[: level - 1] in above}
        pairs = [(above[one[:-1]], one[-1]) for one in asked]
        rows = unit.all(_FIND, {"s": store_id, "rows": json.dumps(pairs)}) if pairs else []
        met = {(*names_of[row.parent_id], row.name): row for row in rows}
        found |= {names: Found(row.parent_id, row.at(names_of[row.parent_id])) for names, row in met.items()}
        above = {names: row.node_id for names, row in met.items() if row.is_collection}
    return {names: found[names] for names in wanted if names in found}


def alter(unit: Unit, ledger: Ledger, node_ids: Iterable[int], states: StateChange) -> dict[int, int]:
    """Change the flags of nodes by masks, and return the modseq of each.

    Each binding of a node gets a number of its own, as by `bindings.touch`; the first of them is its modseq.
    """
    ids = array(node_ids)
    renumbered, modseqs = [], dict[int, int]()
    for node_id, area in unit.all(_PLACES, {"s": ledger.store_id, "ids": ids}):
        number = ledger.number()
        renumbered.append((node_id, area, number))
        modseqs.setdefault(node_id, number)
    unit.run(_TOUCH, {"s": ledger.store_id, "rows": json.dumps(renumbered)})
    masks = {"kept": ~states.clear, "set": states.set}
    unit.run(_ALTER, {"s": ledger.store_id, "rows": json.dumps([*modseqs.items()]), **masks})
    return modseqs


def close(unit: Unit, ledger: Ledger, tops: Sequence[Resource]) -> None:
    """Close the bindings of resources, none of which lies beneath another, and all beneath them (I5 in docs/sync.md).

    They are in the area of the store. Each has a number of its own, which what lies beneath it shares.
    """
    ledger.unmaps = True
    numbered = [(one, ledger.number()) for one in tops]
    _close(unit, ledger, (_CLOSE, _UNBIND), [(one.changed, number) for one, number in numbered])
    numbers = {one.node_id: number for one, number in numbered if one.is_collection}
    if numbers:
        inside = unit.all(_INSIDE, {"s": ledger.store_id, "ids": array(numbers)})
        rows = [*numbers.items(), *((node_id, numbers[top]) for top, node_id in inside)]
        _close(unit, ledger, (_CLOSE_BENEATH, _UNBIND_BENEATH), rows)


def _close(unit: Unit, ledger: Ledger, statements: tuple[Write, Write], rows: list[tuple[int, int]]) -> None:
    closing, unbinding = statements
    unit.run(closing, {"s": ledger.store_id, "rows": json.dumps(rows)})
    unit.run(unbinding, {"s": ledger.store_id, "ids": array(old for old, _ in rows)})
