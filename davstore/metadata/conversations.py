"""Threads as a reader sees them: their counts and participants, their members by date, and where ids lead to."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection
from operator import itemgetter

from sqlalchemy import BigInteger, and_, bindparam, func, select

from davstore.metadata.places import Ways
from davstore.metadata.sessions import find_sessions
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, message, node, thread, thread_member
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Area
from davstore.model.threads import Participant, Thread, find_participants

_s = bindparam("s", type_=BigInteger)
_THREADS = Statement[tuple[int, str | None, int, int, int]](
    select(thread.c.node_id, thread.c.conversation_id, thread.c.messages, thread.c.unread, thread.c.last_us).where(
        thread.c.store_id == _s, among(thread.c.node_id, bindparam("ids"))
    )
)
_in_threads = thread_member.join(
    node, and_(node.c.store_id == thread_member.c.store_id, node.c.id == thread_member.c.node_id)
).join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id))
_ENDS = Statement[tuple[int, str | None, str | None, str | None]](
    select(thread_member.c.thread_id, message.c["from"], message.c.to, message.c.cc)
    .select_from(_in_threads)
    .where(thread_member.c.store_id == _s, among(thread_member.c.thread_id, bindparam("ids")))
    .group_by(thread_member.c.thread_id, message.c["from"], message.c.to, message.c.cc)
    .order_by(thread_member.c.thread_id, func.min(thread_member.c.date_us), message.c["from"])
)
_CONVERSATIONS = Statement[tuple[int, str]](
    select(thread_member.c.thread_id, message.c.conversation_id)
    .select_from(_in_threads)
    .where(
        thread_member.c.store_id == _s,
        among(thread_member.c.thread_id, bindparam("ids")),
        message.c.conversation_id.is_not(None),
    )
    .distinct()
)
_NAMES = Statement[tuple[int, str]](
    select(thread_member.c.node_id, binding.c.name)
    .select_from(
        thread_member.join(
            binding,
            and_(binding.c.store_id == thread_member.c.store_id, binding.c.node_id == thread_member.c.thread_id),
        )
    )
    .where(thread_member.c.store_id == _s, among(thread_member.c.node_id, bindparam("ids")))
)


def list_threads(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, Thread]:
    """Return those of the nodes that are threads."""
    rows = unit.all(_THREADS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    return {row[0]: Thread(*row[1:]) for row in rows}


def list_participants(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[Participant]]:
    """Return the participants of those of the nodes that are threads."""
    rows = unit.each(_ENDS, {"s": store_id, "ids": array(node_ids)}) if node_ids else iter(())
    return {
        thread_id: find_participants(text for row in some for text in row[1:] if isinstance(text, str))
        for thread_id, some in itertools.groupby(rows, key=itemgetter(0))
    }


def list_sessions(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, list[tuple[str, ...]]]:
    """Return the names that lead to the session histories of those of the nodes that are threads."""
    found = find_sessions_of(unit, store.id, node_ids)
    if not found:
        return {}
    ways = Ways(unit, store.id, {one for some in found.values() for one in some})
    places = {thread_id: [ways.find(one, Area.STORE) for one in some] for thread_id, some in found.items()}
    return {thread_id: [names for names in some if names is not None] for thread_id, some in places.items()}


def find_sessions_of(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the session histories of those of the nodes that are threads, of each conversation the oldest first."""
    rows = unit.all(_CONVERSATIONS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    by_conversation: defaultdict[str, list[int]] = defaultdict(list)
    for one in find_sessions(unit, store_id, {conversation_id for _, conversation_id in rows}):
        by_conversation[one.conversation_id].append(one.node_id)
    found: defaultdict[int, dict[int, None]] = defaultdict(dict)
    for thread_id, conversation_id in rows:
        found[thread_id] |= dict.fromkeys(by_conversation.get(conversation_id, ()))
    return {thread_id: [*some] for thread_id, some in found.items() if some}


def list_conversations(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, str]:
    """Return the names of the threads that nodes are in."""
    return dict(unit.all(_NAMES, {"s": store_id, "ids": array(node_ids)})) if node_ids else {}
