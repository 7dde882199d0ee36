"""The sight of principals in the stores of others: the times in which nodes were out of sight (docs/sync.md#rights)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, insert, select, update
from sqlalchemy import delete as delete_rows

from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import hidden, viewer
from davstore.metadata.unit import Unit
from davstore.model.visibility import Hidden

_mine = (hidden.c.store_id == bindparam("s"), hidden.c.principal_id == bindparam("p"))
_HIDDEN = Statement(
    select(hidden.c.node_id, hidden.c.hides, hidden.c.seen, hidden.c.since, hidden.c.until)
    .where(*_mine)
    .order_by(hidden.c.node_id, hidden.c.hides, hidden.c.since),
    Hidden,
)
_SEEN = Statement[tuple[int]](
    select(viewer.c.seen).where(viewer.c.store_id == bindparam("s"), viewer.c.principal_id == bindparam("p"))
)
_INSERT = Write(insert(hidden).values({c.name: bindparam(c.name) for c in hidden.c}))
_END = Write(
    update(hidden)
    .where(
        hidden.c.store_id == bindparam("store_id"),
        hidden.c.principal_id == bindparam("p"),
        hidden.c.node_id == bindparam("n"),
        hidden.c.hides == bindparam("h"),
        hidden.c.since == bindparam("at"),
    )
    .values(until=bindparam("end", type_=BigInteger))
)
_FORGET = Write(delete_rows(viewer).where(viewer.c.store_id == bindparam("s"), viewer.c.principal_id == bindparam("p")))
_SEE = Write(insert(viewer).values({c.name: bindparam(c.name) for c in viewer.c}))


def list_hidden(unit: Unit, store_id: int, principal_id: int) -> list[Hidden]:
    """Return the times in which nodes of a store were out of a principal's sight."""
    return unit.all(_HIDDEN, {"s": store_id, "p": principal_id})


def find_seen(unit: Unit, store_id: int, principal_id: int) -> int:
    """Return the newest change number up to which a principal was told of anything; 0: it never was."""
    row = unit.one(_SEEN, {"s": store_id, "p": principal_id})
    return 0 if row is None else row[0]


def add_hidden(unit: Unit, store_id: int, principal_id: int, rows: Iterable[Hidden]) -> None:
    """Write down times that began."""
    unit.many(_INSERT, [{"store_id": store_id, "principal_id": principal_id, **row._asdict()} for row in rows])


def end_hidden(unit: Unit, store_id: int, principal_id: int, rows: Iterable[Hidden]) -> None:
    """Write down the ends of times."""
    unit.many(
        _END,
        [
            {
                "store_id": store_id,
                "p": principal_id,
                "n": one.node_id,
                "h": one.hides,
                "at": one.since,
                "end": one.until,
            }
            for one in rows
        ],
    )


def set_seen(unit: Unit, store_id: int, principal_id: int, seen: int) -> None:
    """Write down up to which number a principal was told of anything. The store must be locked."""
    unit.run(_FORGET, {"s": store_id, "p": principal_id})
    unit.run(_SEE, {"store_id": store_id, "principal_id": principal_id, "seen": seen})
