"""Session histories: the session info object that each holds once, and the group state that counts in it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, select

from davstore.metadata.statements import Statement, among, among_texts, array
from davstore.metadata.tables import CONVERSATION_START, START_CHARACTERS, WEAK, binding, message, node
from davstore.metadata.unit import Unit
from davstore.model.nodes import ResourceType, StoreFacts

_HISTORY: ColumnElement[int] = literal_column(str(int(ResourceType.SESSION_HISTORY)))
_INFO: ColumnElement[int] = literal_column(str(int(ResourceType.SESSION_INFO)))
_STATE: ColumnElement[int] = literal_column(str(int(ResourceType.GROUP_STATE)))


class Session(NamedTuple):
    """A session history that holds a session info object, and the ids that this says."""

    conversation_id: str
    contribution_id: str | None
    node_id: int


class _State(NamedTuple):
    """The name of the group state that counts in a session history."""

    parent_id: int
    name: str


_history = node.alias("history")
_is_bound = and_(binding.c.store_id == bindparam("s"), binding.c.area != WEAK)
_in_history = and_(
    _history.c.store_id == bindparam("s"), _history.c.id == binding.c.parent_id, _history.c.type == _HISTORY
)
_of_message = and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id)
_bound_node = and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id)

_SESSIONS = Statement(
    select(message.c.conversation_id, message.c.contribution_id, binding.c.parent_id)
    .select_from(
        message.join(node, _of_message)
        .join(binding, and_(_is_bound, binding.c.node_id == node.c.id))
        .join(_history, _in_history)
    )
    .where(
        message.c.store_id == bindparam("s"),
        message.c.kind == _INFO,
        among_texts(CONVERSATION_START, bindparam("starts")),
        among_texts(message.c.conversation_id, bindparam("texts")),
    )
    .order_by(message.c.date_us, binding.c.parent_id),
    Session,
)
_OTHER_INFO = Statement[tuple[int]](
    select(node.c.id)
    .select_from(
        _history.join(
            binding, and_(binding.c.store_id == _history.c.store_id, binding.c.parent_id == _history.c.id)
        ).join(node, _bound_node)
    )
    .where(
        _history.c.store_id == bindparam("s"),
        _history.c.id == bindparam("p"),
        _history.c.type == _HISTORY,
        node.c.type == _INFO,
        binding.c.name != bindparam("name_"),
    )
    .limit(literal_column("1"))
)
_state_us = func.coalesce(message.c.state_us, message.c.date_us)
_newest_first = (
    _state_us.desc(),
    message.c.body_id.desc(),
    node.c.id.desc(),
)
_ranked = (
    select(
        binding.c.parent_id,
        binding.c.name,
        func.row_number().over(partition_by=binding.c.parent_id, order_by=_newest_first).label("rank"),
        _state_us.label("at_us"),
        message.c.body_id,
        node.c.id.label("node_id"),
    )
    .select_from(
        _history.join(binding, and_(binding.c.store_id == _history.c.store_id, binding.c.parent_id == _history.c.id))
        .join(node, _bound_node)
        .join(message, _of_message)
    )
    .where(
        _history.c.store_id == bindparam("s"),
        among(_history.c.id, bindparam("ids")),
        _history.c.type == _HISTORY,
        node.c.type == _STATE,
    )
    .subquery()
)
_CURRENT = Statement(
    select(_ranked.c.parent_id, _ranked.c.name)
    .where(_ranked.c.rank == literal_column("1"))
    .order_by(_ranked.c.at_us.desc(), _ranked.c.body_id.desc(), _ranked.c.node_id.desc()),
    _State,
)


def find_sessions(unit: Unit, store_id: int, conversation_ids: Collection[str]) -> list[Session]:
    """Return the session histories with a session info object of one of some conversations, by the date that it says.

    Ids are compared byte for byte.
    """
    if not conversation_ids:
        return []
    starts = {one[:START_CHARACTERS] for one in conversation_ids}
    texts = {"starts": json.dumps(sorted(starts)), "texts": json.dumps(sorted(conversation_ids))}
    return unit.all(_SESSIONS, {"s": store_id, **texts})


def has_session_info(unit: Unit, store_id: int, node_id: int, *, beside: str) -> bool:
    """Tell whether a collection is a session history with a session info object under another name than one."""
    return unit.one(_OTHER_INFO, {"s": store_id, "p": node_id, "name_": beside}) is not None


def list_group_states(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, str]:
    """Return the name of the group state that counts in each session history that has one.

    It is the one with the latest timestamp, of several the one that was stored last. They come in this order too.
    """
    rows = unit.all(_CURRENT, {"s": store.id, "ids": array(node_ids)}) if node_ids else []
    return {row.parent_id: row.name for row in rows}
