"""Nodes: the rows of resources, apart from their bindings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, exists, func, insert, null, select, update

from davstore.metadata import bodies
from davstore.metadata.bodies import Stored
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import WEAK, binding, gone, node, property_
from davstore.metadata.unit import Unit
from davstore.model.nodes import BY_CLIENT, Resource, ResourceType
from davstore.model.states import StateChange

_INSERT = Write(insert(node).values({c.name: bindparam(c.name) for c in node.c}))
_REPLACE = Write(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
    .values(
        body_id=bindparam("body_id"),
        etag=bindparam("etag"),
        length=bindparam("length"),
        media_type=bindparam("media_type"),
        modified_us=bindparam("modified_us"),
        modified_by=bindparam("modified_by"),
        type=bindparam("type"),
        modseq=bindparam("modseq"),
    )
)
_ALTER = Write(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
    .values(
        modified_us=bindparam("modified_us"),
        modified_by=bindparam("modified_by"),
        flags=node.c.flags.op("&")(bindparam("kept")).op("|")(bindparam("set")),
        modseq=bindparam("modseq"),
    )
)
_SET_MODIFIED = Write(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
    .values(modified_us=bindparam("modified_us"), modified_by=bindparam("modified_by"))
)


_SET_TYPE = Write(
    update(node)
    .where(node.c.store_id == bindparam("s"), node.c.body_id == bindparam("b"))
    .values(type=bindparam("type_"))
)


class _Dying(NamedTuple):
    """A node that lost its last binding."""

    node_id: int
    body_id: int | None
    length: int | None
    property_bytes: int


_lives = exists().where(
    binding.c.store_id == gone.c.store_id, binding.c.node_id == gone.c.node_id, binding.c.area != WEAK
)
_DYING = Statement(
    select(
        node.c.id,
        node.c.body_id,
        node.c.length,
        select(func.coalesce(func.sum(func.length(property_.c.element)), 0))
        .where(property_.c.store_id == node.c.store_id, property_.c.node_id == node.c.id)
        .scalar_subquery(),
    ).where(
        node.c.store_id == bindparam("s"),
        node.c.id.in_(
            select(gone.c.node_id).where(
                gone.c.store_id == bindparam("s"),
                gone.c.unmapped.between(bindparam("first"), bindparam("last")),
                gone.c.area != WEAK,
                ~_lives,
            )
        ),
    ),
    _Dying,
)
_CLEAR_BODIES = Write(
    update(node).where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids"))).values(body_id=null())
)


class NodeRow(NamedTuple):
    """The values of a new node. A collection has no body, etag, length and type."""

    is_collection: bool
    body_id: int | None
    etag: str | None
    length: int | None
    content_type: str | None
    created_us: int
    modified_us: int
    modified_by: int = 0
    type: int = ResourceType.MEDIA
    flags: int = 0


def leaf(
    body_id: int,
    stored: Stored,
    content_type: str | None,
    *,
    now_us: int,
    modified_us: int | None = None,
    type_: int = ResourceType.MEDIA,
) -> NodeRow:
    """Return the values of a new resource with a body; equal bodies have equal etags (RFC 4918 §8.8)."""
    return NodeRow(
        is_collection=False,
        body_id=body_id,
        etag=stored.sha256,
        length=stored.length,
        content_type=content_type,
        created_us=now_us,
        modified_us=now_us if modified_us is None else modified_us,
        modified_by=0 if modified_us is None else BY_CLIENT,
        type=type_,
    )


def empty_collection(*, now_us: int, type_: int = ResourceType.COLLECTION) -> NodeRow:
    """Return the values of a new collection."""
    return NodeRow(
        is_collection=True,
        body_id=None,
        etag=None,
        length=None,
        content_type=None,
        created_us=now_us,
        modified_us=now_us,
        type=type_,
    )


def new_resource_id() -> str:
    """Return a random UUID (RFC 9562 §5.4), in a third of the time of `uuid.uuid4`: each PUT makes one."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _values(store_id: int, node_id: int, row: NodeRow, modseq: int) -> dict[str, object]:
    return {
        "store_id": store_id,
        "id": node_id,
        "resource_id": new_resource_id(),
        "is_coll": int(row.is_collection),
        "type": int(row.type),
        "flags": row.flags,
        "modseq": modseq,
        "body_id": row.body_id,
        "etag": row.etag,
        "length": row.length,
        "media_type": row.content_type,
        "created_us": row.created_us,
        "modified_us": row.modified_us,
        "modified_by": row.modified_by,
    }


def insert_node(unit: Unit, ledger: Ledger, row: NodeRow) -> tuple[int, str]:
    """Write a new node with an identity of its own and return its id and its resource id.

    Its modseq is the next change number, which its binding gets.
    """
    node_id = ledger.new_id()
    values = _values(ledger.store_id, node_id, row, ledger.seq + 1)
    unit.run(_INSERT, values)
    return node_id, str(values["resource_id"])


def insert_nodes(unit: Unit, ledger: Ledger, rows: Iterable[NodeRow]) -> list[tuple[int, str]]:
    """Write new nodes as `insert_node`; their modseq is the next change number, however many they are."""
    values = [_values(ledger.store_id, ledger.new_id(), row, ledger.seq + 1) for row in rows]
    unit.many(_INSERT, values)
    return [(int(str(one["id"])), str(one["resource_id"])) for one in values]


def replace_body(unit: Unit, ledger: Ledger, new: Resource, body_id: int) -> None:
    """Give a node another body, and the types, time and modseq of new. The old body goes unless another names it."""
    key = {"s": ledger.store_id, "n": new.node_id}
    bodies.drop_old(unit, ledger, new.node_id)
    unit.run(
        _REPLACE,
        {
            **key,
            "body_id": body_id,
            "etag": new.etag,
            "length": new.length,
            "media_type": new.content_type,
            "modified_us": new.modified_us,
            "modified_by": new.modified_by,
            "type": int(new.type),
            "modseq": new.modseq,
        },
    )


def alter(unit: Unit, ledger: Ledger, new: Resource, states: StateChange) -> None:
    """Give a node the time and modseq of new, and change its flags by masks."""
    times = {"modified_us": new.modified_us, "modified_by": new.modified_by, "modseq": new.modseq}
    masks = {"kept": ~states.clear, "set": states.set}
    unit.run(_ALTER, {"s": ledger.store_id, "n": new.node_id, **times, **masks})


def set_modified(unit: Unit, ledger: Ledger, node_id: int, *, modified_us: int, modified_by: int) -> None:
    """Give a node another modification time; the caller gives the change its number."""
    values = {"s": ledger.store_id, "n": node_id, "modified_us": modified_us, "modified_by": modified_by}
    unit.run(_SET_MODIFIED, values)


def set_type(unit: Unit, store_id: int, body_id: int, type_: int) -> None:
    """Give the nodes of a body the type that was read from it later; it is no change of theirs."""
    unit.run(_SET_TYPE, {"s": store_id, "b": body_id, "type_": int(type_)})


class Ended(NamedTuple):
    """Nodes that ended, and how many bytes they had, dead properties too."""

    node_ids: list[int]
    size_bytes: int


def end_unbound(unit: Unit, ledger: Ledger, first: int, last: int) -> Ended:
    """End the nodes that lost their binding in the area of the store at a number from first to last: their bodies go.

    The rows of the nodes stay until their tombstones are swept.
    """
    store_id = ledger.store_id
    dying = unit.all(_DYING, {"s": store_id, "first": first, "last": last})
    if not dying:
        return Ended([], 0)
    ids = array(row.node_id for row in dying)
    dying_bodies = [row.body_id for row in dying if row.body_id is not None]
    if dying_bodies:
        unit.run(_CLEAR_BODIES, {"s": store_id, "ids": ids})
        bodies.drop_bodies(unit, ledger, dying_bodies)
    size_bytes = sum((row.length or 0) + int(row.property_bytes) for row in dying)
    return Ended([row.node_id for row in dying], size_bytes)
