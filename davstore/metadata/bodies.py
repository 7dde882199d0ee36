"""Bodies: bytes in the database, or the names of blobs. Nodes share one after a COPY; it goes with the last of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, insert, select

from davstore.metadata import messages
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import body, node
from davstore.metadata.unit import Unit
from davstore.model.messages import MessageFacts
from davstore.model.nodes import ResourceType


class Stored(NamedTuple):
    """A body that is ready to be named: inline bytes, or the name of a blob; checksums as `oc:checksums` has them."""

    inline: bytes | None
    blob: str | None
    length: int
    sha256: str
    checksums: str | None = None


class Received(NamedTuple):
    """A body that is ready to be named, and what it says of itself if it is a message."""

    stored: Stored
    message: MessageFacts | None = None

    @property
    def type(self) -> ResourceType:
        """The type of a resource that has this body."""
        return ResourceType.MEDIA if self.message is None else self.message.kind


_BODY_ID = Statement[tuple[int | None]](
    select(node.c.body_id).where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
)
_BODY_COLUMNS = ("store_id", "id", *Stored._fields)
_INSERT_BODY = Write(insert(body).values({name: bindparam(name) for name in _BODY_COLUMNS}))
_EMBODIED = node.join(body, and_(body.c.store_id == node.c.store_id, body.c.id == node.c.body_id))
STORED = (body.c.inline, body.c.blob, body.c.length, body.c.sha256, body.c.checksums)
"""The columns of a `Stored`."""
_BODY = Statement(
    select(*STORED).select_from(_EMBODIED).where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n")),
    Stored,
)
_BODIES = Statement[tuple[Any, ...]](
    select(node.c.id, *STORED)
    .select_from(_EMBODIED)
    .where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids")))
)
_CHECKSUMS = Statement[tuple[int, str]](
    select(node.c.id, body.c.checksums)
    .select_from(_EMBODIED)
    .where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids")), body.c.checksums.is_not(None))
)
_named = exists().where(node.c.store_id == body.c.store_id, node.c.body_id == body.c.id)
_DROP_BODIES = Statement[tuple[str | None]](
    delete(body)
    .where(body.c.store_id == bindparam("s"), among(body.c.id, bindparam("ids")), ~_named)
    .returning(body.c.blob)
)
_other = node.alias("other")
_DROP_OLD = Statement[tuple[str | None]](
    delete(body)
    .where(
        body.c.store_id == bindparam("s"),
        body.c.id
        == select(node.c.body_id)
        .where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n"))
        .scalar_subquery(),
        ~exists().where(
            _other.c.store_id == body.c.store_id, _other.c.body_id == body.c.id, _other.c.id != bindparam("n")
        ),
    )
    .returning(body.c.blob)
)


def insert_body(
    unit: Unit, ledger: Ledger, stored: Stored, facts: MessageFacts | None = None, *, now_us: int = 0
) -> int:
    """Write a body's row, and the facts of a message, which is dated now if it has no date; return the id."""
    body_id = ledger.new_id()
    unit.run(_INSERT_BODY, dict(zip(_BODY_COLUMNS, (ledger.store_id, body_id, *stored), strict=True)))
    if facts is not None:
        messages.insert_message(unit, ledger.store_id, body_id, facts, now_us=now_us)
    return body_id


def find_body_id(unit: Unit, store_id: int, node_id: int) -> int | None:
    """Return the id of a node's body; None for a collection."""
    row = unit.one(_BODY_ID, {"s": store_id, "n": node_id})
    return row[0] if row else None


def find_body(unit: Unit, store_id: int, node_id: int) -> Stored | None:
    """Return the body of a node; None for a collection."""
    return unit.one(_BODY, {"s": store_id, "n": node_id})


def each_body(unit: Unit, store_id: int, node_ids: Collection[int]) -> Iterator[tuple[int, Stored]]:
    """Yield the bodies of nodes, with their bytes where these are in the database."""
    for node_id, *stored in unit.each(_BODIES, {"s": store_id, "ids": array(node_ids)}):
        yield node_id, Stored(*stored)


def list_bodies(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, Stored]:
    """Return the bodies of nodes."""
    return dict(each_body(unit, store_id, node_ids)) if node_ids else {}


def list_checksums(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, str]:
    """Return the checksums of the bodies of nodes, where they are kept."""
    return dict(unit.all(_CHECKSUMS, {"s": store_id, "ids": array(node_ids)})) if node_ids else {}


def drop_bodies(unit: Unit, ledger: Ledger, body_ids: list[int]) -> None:
    """Delete each of the bodies that no node names any more."""
    rows = unit.all(_DROP_BODIES, {"s": ledger.store_id, "ids": array(body_ids)})
    ledger.dropped += [blob for (blob,) in rows if blob is not None]


def drop_old(unit: Unit, ledger: Ledger, node_id: int) -> None:
    """Delete the body of a node that is given another one, unless a second node names it."""
    rows = unit.all(_DROP_OLD, {"s": ledger.store_id, "n": node_id})
    ledger.dropped += [blob for (blob,) in rows if blob is not None]
