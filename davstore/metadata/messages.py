"""The facts of messages, by the body that says them; they go with it."""

from __future__ import annotations

import json
import operator
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache, partial, reduce
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    tuple_,
)

from davstore.errors import LimitNotSupported
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import body, message, node, store
from davstore.metadata.unit import Unit
from davstore.model.columns import FOUND, Columns, Wanted
from davstore.model.messages import SUMMARY_CHARACTERS, MessageFacts, MessageSummary, Part
from davstore.model.nodes import ResourceType, StoreFacts

_COLUMNS = tuple(message.c)[2:]
"""The columns of a `MessageFacts`, in its order."""
COLUMN_OF_FIELD = dict(zip(MessageFacts._fields, _COLUMNS, strict=True))
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
LISTED_CHARACTERS = 4 << 20
"""The most that is in memory at once: 16,700 for each of 250 messages, a part counted for what it takes there."""
COLUMN_CHARACTERS = 2 << 20
"""The most of one page by column, which is in memory a few times: as it is read, written and joined."""
_WEIGHT_OF_PARTS = 8
"""The memory that a part takes, as a multiple of its text."""
_encode = json.JSONEncoder(separators=(",", ":")).encode
_found = exists().where(message.c.store_id == body.c.store_id, message.c.body_id == body.c.id)


class Unread(NamedTuple):
    """A body without facts: media, or one that an earlier version stored.

    stored_us is when it was stored, as far as the times of its nodes tell.
    """

    store_id: int
    body_id: int
    owner: str
    inline: bytes | None
    blob: str | None
    length: int
    stored_us: int | None


_UNREAD = Statement(
    select(
        body.c.store_id,
        body.c.id,
        store.c.owner,
        body.c.inline,
        body.c.blob,
        body.c.length,
        select(func.min(node.c.modified_us))
        .where(node.c.store_id == body.c.store_id, node.c.body_id == body.c.id)
        .scalar_subquery(),
    )
    .select_from(body.join(store, store.c.id == body.c.store_id))
    .where(
        tuple_(body.c.store_id, body.c.id) > tuple_(bindparam("s", type_=BigInteger), bindparam("b", type_=BigInteger)),
        ~_found,
    )
    .order_by(body.c.store_id, body.c.id)
    .limit(bindparam("limit")),
    Unread,
)
_WITHOUT = Statement[tuple[int]](
    select(body.c.id).where(body.c.store_id == bindparam("s"), among(body.c.id, bindparam("ids")), ~_found)
)
_OF_NODES = node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id))
_ARE_ASKED_FOR = (node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids")))
_LIST = Statement[tuple[Any, ...]](select(node.c.id, *_COLUMNS).select_from(_OF_NODES).where(*_ARE_ASKED_FOR))


@lru_cache(maxsize=64)
def _values_of(fields: tuple[str, ...]) -> Statement[tuple[Any, ...]]:
    columns = [COLUMN_OF_FIELD[one] for one in fields]
    lengths = [func.coalesce(func.length(one), literal_column("0")) for one in columns if isinstance(one.type, Text)]
    weight: ColumnElement[int] = reduce(operator.add, lengths, literal_column("0"))
    asked = (message.c.store_id == bindparam("s"), among(message.c.body_id, bindparam("ids")))
    return Statement[tuple[Any, ...]](select(weight, message.c.body_id, *columns).where(*asked))


@lru_cache(maxsize=64)
def _fields_of(fields: tuple[str, ...]) -> Statement[tuple[Any, ...]]:
    columns = [COLUMN_OF_FIELD[one] for one in fields]
    return Statement[tuple[Any, ...]](select(node.c.id, *columns).select_from(_OF_NODES).where(*_ARE_ASKED_FOR))


_SUMMARISE = Statement[tuple[Any, ...]](
    select(
        node.c.id,
        message.c.kind,
        message.c.date_us,
        *(
            func.substr(message.c[name], literal_column("1"), literal_column(str(SUMMARY_CHARACTERS)))
            for name in ("from", "to", "subject", "direction", "filename")
        ),
        message.c.parts.like(literal_column("'%,\"attachment\",%'")),
    )
    .select_from(_OF_NODES)
    .where(*_ARE_ASKED_FOR)
)
"""The disposition of a part is looked for in the text of its array."""


def insert_message(unit: Unit, store_id: int, body_id: int, facts: MessageFacts, *, now_us: int) -> None:
    """Write the facts of a body, which is dated now if it has no date."""
    kind, date_us, *texts, parts = facts
    values = (int(kind), now_us if date_us is None else date_us, *texts, _encode(parts))
    named = dict(zip(_PARAMETERS, values, strict=True))
    unit.run(_INSERT, {"store_id": store_id, "body_id": body_id, **named})


def list_messages(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, MessageFacts]:
    """Return the facts of nodes whose bodies are messages.

    Raises:
        LimitNotSupported: of several nodes they are more than an answer may hold; each can be asked for by itself.
    """
    found: dict[int, MessageFacts] = {}
    weight = 0
    for node_id, *row in unit.each(_LIST, {"s": store_id, "ids": array(node_ids)}) if node_ids else ():
        weight += sum([len(one) for one in row if isinstance(one, str)]) + _WEIGHT_OF_PARTS * len(row[-1])
        if weight > LISTED_CHARACTERS and len(node_ids) > 1:
            raise LimitNotSupported("more facts of messages than one answer may hold")
        found[node_id] = _facts(row)
    return found


Gone = TypeVar("Gone")


def add_to_columns(
    unit: Unit, store: StoreFacts, wanted: Wanted, runs: Iterable[Columns | Gone]
) -> list[Columns | Gone]:
    """Return the runs of a page with the facts of messages that are wanted.

    Raises:
        LimitNotSupported: of several messages they are more than 2 Mi characters.
    """
    messages, characters, resources, full = wanted.messages, 0, 0, []
    for run in runs:
        if messages is not None and isinstance(run, Columns):
            run = messages.add(store, run, partial(_each_values, unit, store.id, messages.fields))
            characters += sum(map(len, run.facts[FOUND]))
            resources += len(run.types)
            _require_room(characters, resources)
        full.append(run)
    return full


def _require_room(characters: int, resources: int) -> None:
    if characters > COLUMN_CHARACTERS and resources > 1:
        raise LimitNotSupported("more facts of messages than a page may hold")


def _each_values(
    unit: Unit, store_id: int, fields: tuple[str, ...], body_ids: Collection[int]
) -> Iterator[tuple[Any, ...]]:
    characters = 0
    for length, *row in unit.each(_values_of(fields), {"s": store_id, "ids": array(body_ids)}) if body_ids else ():
        characters += length
        _require_room(characters, len(body_ids))
        yield tuple(row)


def list_fields(
    unit: Unit, store_id: int, node_ids: Collection[int], fields: tuple[str, ...]
) -> dict[int, dict[str, Any]]:
    """Return some fields of the facts of nodes whose bodies are messages."""
    rows = unit.all(_fields_of(fields), {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    return {node_id: dict(zip(fields, values, strict=True)) for node_id, *values in rows}


def list_unread(unit: Unit, *, store_id: int, body_id: int, limit: int) -> list[Unread]:
    """Return bodies without facts behind one, by store and id, at most limit of them."""
    return unit.all(_UNREAD, {"s": store_id, "b": body_id, "limit": limit})


def list_without(unit: Unit, store_id: int, body_ids: Collection[int]) -> list[int]:
    """Return those of the bodies that are there and have no facts."""
    return [found for (found,) in unit.all(_WITHOUT, {"s": store_id, "ids": array(body_ids)})]


def list_summaries(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, MessageSummary]:
    """Return what a list shows of nodes whose bodies are messages."""
    rows = unit.all(_SUMMARISE, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    return {
        node_id: MessageSummary._make([ResourceType(kind), *facts, bool(has_attachment)])
        for node_id, kind, *facts, has_attachment in rows
    }


def _facts(row: list[Any]) -> MessageFacts:
    kind, *others, parts = row
    return MessageFacts._make([ResourceType(kind), *others, tuple([Part(*part) for part in json.loads(parts)])])
