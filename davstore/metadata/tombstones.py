"""The end of history: tombstones up to the floor go, with the nodes that nothing names then (I6 in docs/sync.md)."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, select, tuple_

from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import ace, binding, gone, hidden, keyword, lock, node, property_, store_root
from davstore.metadata.unit import Unit
from davstore.model.paths import Area

_oldest = (
    select(gone.c.parent_id, gone.c.name, gone.c.unmapped)
    .where(gone.c.store_id == bindparam("s"), gone.c.unmapped <= bindparam("floor"))
    .order_by(gone.c.unmapped)
    .limit(bindparam("limit"))
)
_SWEEP = Statement[tuple[int, int]](
    delete(gone)
    .where(gone.c.store_id == bindparam("s"), tuple_(gone.c.parent_id, gone.c.name, gone.c.unmapped).in_(_oldest))
    .returning(gone.c.node_id, gone.c.area)
)
_PURGEABLE = Statement[tuple[int]](
    select(node.c.id).where(
        node.c.store_id == bindparam("s"),
        among(node.c.id, bindparam("ids")),
        ~exists().where(binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id),
        ~exists().where(gone.c.store_id == node.c.store_id, gone.c.node_id == node.c.id),
        ~exists().where(store_root.c.store_id == node.c.store_id, store_root.c.node_id == node.c.id),
    )
)
_TOMBSTONES_IN = Statement[tuple[int, int]](
    delete(gone)
    .where(gone.c.store_id == bindparam("s"), among(gone.c.parent_id, bindparam("ids")))
    .returning(gone.c.node_id, gone.c.area)
)
_PROPERTIES = Write(
    delete(property_).where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
)
_KEYWORDS = Write(
    delete(keyword).where(keyword.c.store_id == bindparam("s"), among(keyword.c.node_id, bindparam("ids")))
)
_ACES = Write(delete(ace).where(ace.c.store_id == bindparam("s"), among(ace.c.node_id, bindparam("ids"))))
_HIDDEN = Write(delete(hidden).where(hidden.c.store_id == bindparam("s"), among(hidden.c.node_id, bindparam("ids"))))
_LOCKS = Write(delete(lock).where(lock.c.store_id == bindparam("s"), among(lock.c.node_id, bindparam("ids"))))
_NODES = Write(delete(node).where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids"))))


def forget(unit: Unit, ledger: Ledger, floor: int, *, limit: int) -> bool:
    """Delete the oldest tombstones up to floor, at most limit of them; False when none is left.

    With them go, round by round, the nodes that nothing names any more, and the tombstones in those.
    """
    store_id = ledger.store_id
    rows = unit.all(_SWEEP, {"s": store_id, "floor": floor, "limit": limit})
    is_full = len(rows) == limit
    while rows:
        ledger.entries -= sum(area != Area.THREADS for _, area in rows)
        named = {node_id for node_id, _ in rows}
        dead = unit.all(_PURGEABLE, {"s": store_id, "ids": array(named)})
        values = {"s": store_id, "ids": array(node_id for (node_id,) in dead)}
        rows = unit.all(_TOMBSTONES_IN, values)
        for statement in (_PROPERTIES, _KEYWORDS, _ACES, _HIDDEN, _LOCKS, _NODES):
            unit.run(statement, values)
    return is_full
