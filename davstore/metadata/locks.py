"""The locks of a store: few, because their number is capped, so that one statement reads all that are held."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, bindparam, delete, insert, select, update

from davstore.metadata.tables import KIND_COLLECTION, lock, node
from davstore.metadata.unit import Statement, Unit
from davstore.model.locks import Lock, LockScope

_in_store = lock.c.store_id == bindparam("s")
_HELD = Statement(
    select(
        lock.c.token,
        lock.c.node_id,
        lock.c.user_id,
        lock.c.scope,
        lock.c.infinite,
        lock.c.owner,
        lock.c.expires_us,
        lock.c.root,
        node.c.kind,
    )
    .select_from(lock.join(node, and_(node.c.store_id == lock.c.store_id, node.c.id == lock.c.node_id)))
    .where(_in_store, lock.c.expires_us > bindparam("now_us"))
    .order_by(lock.c.root, lock.c.token)
)
_INSERT = Statement(insert(lock).values({c.name: bindparam(c.name) for c in lock.c}))
_REFRESH = Statement(
    update(lock).where(_in_store, lock.c.token == bindparam("t")).values(expires_us=bindparam("expires_us"))
)
_REMOVE = Statement(delete(lock).where(_in_store, lock.c.token == bindparam("t")))
_REMOVE_EXPIRED = Statement(delete(lock).where(_in_store, lock.c.expires_us <= bindparam("now_us")))


def list_locks(unit: Unit, store_id: int, *, now_us: int) -> list[Lock]:
    """Return the locks that are held now, by their roots; those that expired do not count."""
    return [
        Lock(
            token,
            node_id,
            user_id,
            LockScope(scope),
            infinite == 1,
            owner,
            expires_us,
            tuple(root.split("/")) if root else (),
            kind == KIND_COLLECTION,
        )
        for token, node_id, user_id, scope, infinite, owner, expires_us, root, kind in unit.all(
            _HELD, {"s": store_id, "now_us": now_us}
        )
    ]


def insert_lock(unit: Unit, store_id: int, new: Lock) -> None:
    """Write a new lock. That it conflicts with none is the caller's to see."""
    unit.run(
        _INSERT,
        {
            "store_id": store_id,
            "token": new.token,
            "node_id": new.node_id,
            "user_id": new.user_id,
            "scope": new.scope.value,
            "infinite": int(new.infinite),
            "owner": new.owner,
            "expires_us": new.expires_us,
            "root": "/".join(new.root),  # no name holds a slash
        },
    )


def refresh_lock(unit: Unit, store_id: int, token: str, *, expires_us: int) -> None:
    """Let a lock be held until then."""
    unit.run(_REFRESH, {"s": store_id, "t": token, "expires_us": expires_us})


def remove_locks(unit: Unit, store_id: int, tokens: Iterable[str]) -> None:
    """Delete locks."""
    unit.many(_REMOVE, [{"s": store_id, "t": token} for token in tokens])


def sweep_locks(unit: Unit, store_id: int, *, now_us: int) -> None:
    """Delete the locks that expired."""
    unit.run(_REMOVE_EXPIRED, {"s": store_id, "now_us": now_us})
