"""The locks of a store: few, because their number is capped, so that one statement reads all that are held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, insert, literal, or_, select, update

from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import lock, node, store
from davstore.metadata.unit import Unit
from davstore.model.locks import Lock, LockScope
from davstore.model.nodes import HOLDS_LOCKS, StoreFacts
from davstore.model.paths import parse_key


class _Held(NamedTuple):
    """A row of a lock, with what its node is."""

    token: str
    node_id: int
    principal_id: int
    scope: str
    infinite: int
    owner: bytes | None
    expires_us: int
    root: str
    is_coll: int


_in_store = lock.c.store_id == bindparam("s")
_HELD = Statement(
    select(
        lock.c.token,
        lock.c.node_id,
        lock.c.principal_id,
        lock.c.scope,
        lock.c.infinite,
        lock.c.owner,
        lock.c.expires_us,
        lock.c.root,
        node.c.is_coll,
    )
    .select_from(lock.join(node, and_(node.c.store_id == lock.c.store_id, node.c.id == lock.c.node_id)))
    .where(_in_store, lock.c.expires_us > bindparam("now_us"))
    .order_by(lock.c.root, lock.c.token),
    _Held,
)
_INSERT = Write(insert(lock).values({c.name: bindparam(c.name) for c in lock.c}))
_REFRESH = Write(
    update(lock).where(_in_store, lock.c.token == bindparam("t")).values(expires_us=bindparam("expires_us"))
)
_REMOVE = Write(
    delete(lock).where(_in_store, or_(lock.c.token == bindparam("t"), lock.c.expires_us <= bindparam("now_us")))
)
_REMOVE_EXPIRED = Write(delete(lock).where(_in_store, lock.c.expires_us <= bindparam("now_us")))


_is_locked = exists().where(lock.c.store_id == store.c.id)
_HOLDS = Write(
    update(store).where(store.c.id == bindparam("s")).values(traits=store.c.traits.bitwise_or(literal(HOLDS_LOCKS)))
)
_HOLDS_NONE = Write(
    update(store)
    .where(store.c.id == bindparam("s"), ~_is_locked)
    .values(traits=store.c.traits.bitwise_and(literal(~HOLDS_LOCKS)))
)


def list_locks(unit: Unit, facts: StoreFacts, *, now_us: int) -> list[Lock]:
    """Return the locks of a store that are held now, by their roots; those that expired do not count."""
    return [
        Lock(
            row.token,
            row.node_id,
            row.principal_id,
            LockScope(row.scope),
            row.infinite == 1,
            row.owner,
            row.expires_us,
            parse_key(facts.owner, row.root),
            row.is_coll == 1,
        )
        for row in unit.all(_HELD, {"s": facts.id, "now_us": now_us})
    ]


def insert_lock(unit: Unit, store_id: int, new: Lock) -> None:
    """Write a new lock, and note in the store's row that there are locks. The caller has checked for conflicts."""
    unit.run(
        _INSERT,
        {
            "store_id": store_id,
            "token": new.token,
            "node_id": new.node_id,
            "principal_id": new.user_id,
            "scope": new.scope.value,
            "infinite": int(new.infinite),
            "owner": new.owner,
            "expires_us": new.expires_us,
            "root": new.root.key,
        },
    )
    unit.run(_HOLDS, {"s": store_id})


def refresh_lock(unit: Unit, store_id: int, token: str, *, expires_us: int) -> None:
    """Set when a lock expires."""
    unit.run(_REFRESH, {"s": store_id, "t": token, "expires_us": expires_us})


def remove_locks(unit: Unit, store_id: int, tokens: Iterable[str], *, now_us: int) -> None:
    """Delete locks, and with them those that expired."""
    rows = [{"s": store_id, "t": token, "now_us": now_us} for token in tokens]
    if rows:
        unit.many(_REMOVE, rows)
        unit.run(_HOLDS_NONE, {"s": store_id})


def sweep_locks(unit: Unit, store_id: int, *, now_us: int) -> None:
    """Delete the locks that expired."""
    if unit.run(_REMOVE_EXPIRED, {"s": store_id, "now_us": now_us}):
        unit.run(_HOLDS_NONE, {"s": store_id})
