"""The answers to messages: those in the same store whose In-Reply-To is the Message-ID of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, literal_column, select

from davstore.errors import LimitNotSupported
from davstore.metadata.places import Ways
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, message, node
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Area

LISTED = 20_000
"""Answers to the messages of one answer of ours, which is put together in memory."""


class _Answer(NamedTuple):
    """A node that is answered, and where an answer is bound."""

    node_id: int
    parent_id: int
    name: str


_answer = message.alias("answer")
_answering = node.alias("answering")
_ANSWERS = Statement(
    select(node.c.id, binding.c.parent_id, binding.c.name)
    .select_from(
        node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id))
        .join(
            _answer,
            and_(
                _answer.c.store_id == message.c.store_id,
                _answer.c.in_reply_to == message.c.message_id,
                func.length(_answer.c.in_reply_to) <= literal_column("500"),
            ),
        )
        .join(_answering, and_(_answering.c.store_id == _answer.c.store_id, _answering.c.body_id == _answer.c.body_id))
        .join(binding, and_(binding.c.store_id == _answering.c.store_id, binding.c.node_id == _answering.c.id))
    )
    .where(
        node.c.store_id == bindparam("s"),
        among(node.c.id, bindparam("ids")),
        binding.c.area == literal_column("0"),
    )
    .order_by(node.c.id, _answer.c.date_us, binding.c.parent_id, binding.c.name)
    .limit(bindparam("limit")),
    _Answer,
)


def list_answers(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, list[tuple[str, ...]]]:
    """Return the names that lead to each answer from the root of the store, oldest first, of nodes that have any.

    Raises:
        LimitNotSupported: there are more than 20,000.
    """
    values = {"s": store.id, "ids": array(node_ids), "limit": LISTED + 1}
    rows = unit.all(_ANSWERS, values) if node_ids else []
    if len(rows) > LISTED:
        raise LimitNotSupported("more answers to messages than one answer may hold")
    found: defaultdict[int, list[tuple[str, ...]]] = defaultdict(list)
    if rows:
        ways = Ways(unit, store.id, {row.parent_id for row in rows})
        for row in rows:
            parent = ways.find(row.parent_id, Area.STORE)
            if parent is not None:
                found[row.node_id].append((*parent, row.name))
    return found
