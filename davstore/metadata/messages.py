"""The facts of messages, by the body that says them; they go with it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, bindparam, insert, select

from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import message, node
from davstore.metadata.unit import Unit
from davstore.model.facets import OF_MESSAGE
from davstore.model.messages import MessageFacts, Part
from davstore.model.nodes import ResourceType

_COLUMNS = tuple(message.c)[2:]
"""The columns of a `MessageFacts`, in its order."""
COLUMN_OF = {f"{OF_MESSAGE}{field}": column for field, column in zip(MessageFacts._fields, _COLUMNS, strict=True)}
"""The columns of facts by name."""
_PARAMETERS = tuple(f"f{at}" for at in range(len(_COLUMNS)))
_INSERT = Write(
    insert(message).values(
        {
            "store_id": bindparam("store_id"),
            "body_id": bindparam("body_id"),
            **{column.name: bindparam(name) for column, name in zip(_COLUMNS, _PARAMETERS, strict=True)},
        }
    )
)
_LIST = Statement[tuple[Any, ...]](
    select(node.c.id, *_COLUMNS)
    .select_from(node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id)))
    .where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids")))
)


def insert_message(unit: Unit, store_id: int, body_id: int, facts: MessageFacts, *, now_us: int) -> None:
    """Write the facts of a body, which is dated now if it has no date."""
    kind, date_us, *texts, parts = facts
    values = (int(kind), now_us if date_us is None else date_us, *texts, json.dumps(parts, separators=(",", ":")))
    named = dict(zip(_PARAMETERS, values, strict=True))
    unit.run(_INSERT, {"store_id": store_id, "body_id": body_id, **named})


def list_messages(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, MessageFacts]:
    """Return the facts of nodes whose bodies are messages."""
    rows = unit.all(_LIST, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    return {node_id: _facts(row) for node_id, *row in rows}


def _facts(row: list[Any]) -> MessageFacts:
    kind, *others, parts = row
    return MessageFacts._make([ResourceType(kind), *others, tuple([Part(*part) for part in json.loads(parts)])])
