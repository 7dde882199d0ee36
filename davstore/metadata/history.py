"""The end of history: tombstones up to the floor go, and with them the nodes nothing names (SYNC.md I6)."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, or_, select

from davstore.metadata.tables import binding, gone, lock, node, property_, store
from davstore.metadata.unit import Statement, Unit, among, array

_SWEEP = Statement(
    delete(gone)
    .where(gone.c.store_id == bindparam("s"), gone.c.unmapped <= bindparam("floor"))
    .returning(gone.c.node_id)
)
_PURGEABLE = Statement(
    select(node.c.id).where(
        node.c.store_id == bindparam("s"),
        among(node.c.id, bindparam("ids")),
        ~exists().where(binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id),
        ~exists().where(gone.c.store_id == node.c.store_id, gone.c.node_id == node.c.id),
        ~exists().where(
            store.c.id == node.c.store_id, or_(store.c.root_id == node.c.id, store.c.threads_id == node.c.id)
        ),
    )
)
_TOMBSTONES_IN = Statement(
    delete(gone)
    .where(gone.c.store_id == bindparam("s"), among(gone.c.parent_id, bindparam("ids")))
    .returning(gone.c.node_id)
)
_PROPERTIES = Statement(
    delete(property_).where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
)
_LOCKS = Statement(delete(lock).where(lock.c.store_id == bindparam("s"), among(lock.c.node_id, bindparam("ids"))))
_NODES = Statement(delete(node).where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids"))))


def forget(unit: Unit, store_id: int, floor: int) -> None:
    """Delete the tombstones up to floor, then, round by round, the nodes that nothing names any more."""
    named = {row[0] for row in unit.all(_SWEEP, {"s": store_id, "floor": floor})}
    while named:
        dead = array(row[0] for row in unit.all(_PURGEABLE, {"s": store_id, "ids": array(named)}))
        values = {"s": store_id, "ids": dead}
        named = {row[0] for row in unit.all(_TOMBSTONES_IN, values)}
        for statement in (_PROPERTIES, _LOCKS, _NODES):
            unit.run(statement, values)
