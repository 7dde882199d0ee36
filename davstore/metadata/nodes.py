"""Nodes and their bodies: what is there, apart from where it is bound."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, func, insert, null, select, update

from davstore.metadata.stores import Ledger
from davstore.metadata.tables import KIND_COLLECTION, KIND_RESOURCE, MADE_THREAD, binding, body, gone, node, property_
from davstore.metadata.unit import Statement, Unit, among, array

_INSERT = Statement(
    insert(node).values(state=null(), **{c.name: bindparam(c.name) for c in node.c if c.name != "state"})
)
_REPLACE = Statement(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
    .values(
        body_id=bindparam("body_id"),
        etag=bindparam("etag"),
        length=bindparam("length"),
        type=bindparam("type"),
        modified_us=bindparam("modified_us"),
    )
)
_BODY_ID = Statement(select(node.c.body_id).where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n")))
_INSERT_BODY = Statement(insert(body).values({c.name: bindparam(c.name) for c in body.c}))
_BODY = Statement(
    select(body.c.inline, body.c.blob, body.c.length, body.c.sha256)
    .select_from(node.join(body, and_(body.c.store_id == node.c.store_id, body.c.id == node.c.body_id)))
    .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
)
_named = exists().where(node.c.store_id == body.c.store_id, node.c.body_id == body.c.id)
_DROP_BODIES = Statement(
    delete(body)
    .where(body.c.store_id == bindparam("s"), among(body.c.id, bindparam("ids")), ~_named)
    .returning(body.c.blob)
)
_lives = exists().where(
    binding.c.store_id == gone.c.store_id, binding.c.node_id == gone.c.node_id, binding.c.made != MADE_THREAD
)
_DYING = Statement(
    select(node.c.id, node.c.body_id, node.c.length).where(
        node.c.store_id == bindparam("s"),
        node.c.id.in_(
            select(gone.c.node_id).where(
                gone.c.store_id == bindparam("s"), gone.c.unmapped == bindparam("number"), ~_lives
            )
        ),
    )
)
_PROPERTY_BYTES = Statement(
    select(func.coalesce(func.sum(func.length(property_.c.element)), 0)).where(
        property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids"))
    )
)
_CLEAR_BODIES = Statement(
    update(node).where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids"))).values(body_id=null())
)


class Stored(NamedTuple):
    """A body that is ready to be named: inline bytes, or the name of a blob."""

    inline: bytes | None
    blob: str | None
    length: int
    sha256: str


class NodeRow(NamedTuple):
    """What a new node is made of. A collection has no body, etag, length and type."""

    is_collection: bool
    body_id: int | None
    etag: str | None
    length: int | None
    content_type: str | None
    created_us: int
    modified_us: int


def insert_body(unit: Unit, ledger: Ledger, stored: Stored) -> int:
    """Write a body's row and return its id."""
    body_id = ledger.new_id()
    unit.run(_INSERT_BODY, {"store_id": ledger.store_id, "id": body_id, **stored._asdict()})
    return body_id


def _values(store_id: int, node_id: int, row: NodeRow) -> dict[str, object]:
    return {
        "store_id": store_id,
        "id": node_id,
        "resource_id": str(uuid.uuid4()),
        "kind": KIND_COLLECTION if row.is_collection else KIND_RESOURCE,
        "body_id": row.body_id,
        "etag": row.etag,
        "length": row.length,
        "type": row.content_type,
        "created_us": row.created_us,
        "modified_us": row.modified_us,
    }


def insert_node(unit: Unit, ledger: Ledger, row: NodeRow) -> int:
    """Write a new node with an identity of its own and return its id."""
    node_id = ledger.new_id()
    unit.run(_INSERT, _values(ledger.store_id, node_id, row))
    return node_id


def insert_nodes(unit: Unit, store_id: int, rows: list[tuple[int, NodeRow]]) -> None:
    """Write many new nodes under ids already taken."""
    unit.many(_INSERT, [_values(store_id, node_id, row) for node_id, row in rows])


def replace_body(
    unit: Unit, ledger: Ledger, node_id: int, *, body_id: int, stored: Stored, content_type: str | None, now_us: int
) -> list[str]:
    """Give a node another body and return the blobs that nobody names any more."""
    old = unit.one(_BODY_ID, {"s": ledger.store_id, "n": node_id})
    unit.run(
        _REPLACE,
        {
            "s": ledger.store_id,
            "n": node_id,
            "body_id": body_id,
            "etag": stored.sha256,
            "length": stored.length,
            "type": content_type,
            "modified_us": now_us,
        },
    )
    return drop_bodies(unit, ledger.store_id, [old[0]] if old and old[0] is not None else [])


def find_body(unit: Unit, store_id: int, node_id: int) -> Stored | None:
    """Return the body of a node; None for a collection."""
    row = unit.one(_BODY, {"s": store_id, "n": node_id})
    return None if row is None else Stored._make(row)


def drop_bodies(unit: Unit, store_id: int, body_ids: list[int]) -> list[str]:
    """Delete the rows of bodies that no node names and return the blobs they were in."""
    if not body_ids:
        return []
    return [row[0] for row in unit.all(_DROP_BODIES, {"s": store_id, "ids": array(body_ids)}) if row[0] is not None]


def end_unbound(unit: Unit, ledger: Ledger, number: int) -> list[str]:
    """End the nodes that lost their last client-made binding at a number: their bodies go, and their charge.

    The rows of the nodes stay until their tombstones are swept. Returns the blobs that nobody names any more.
    """
    store_id = ledger.store_id
    dying = unit.all(_DYING, {"s": store_id, "number": number})
    if not dying:
        return []
    ids = array(row[0] for row in dying)
    held = unit.one(_PROPERTY_BYTES, {"s": store_id, "ids": ids})
    ledger.used_bytes -= sum(row[2] or 0 for row in dying) + (held[0] if held else 0)
    bodies = [row[1] for row in dying if row[1] is not None]
    if bodies:
        unit.run(_CLEAR_BODIES, {"s": store_id, "ids": ids})
    return drop_bodies(unit, store_id, bodies)
