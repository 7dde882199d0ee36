"""The facts of messages that say which conversation each is of, and the messages that are to be bound into threads."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, exists, literal_column, select, tuple_

from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, message, node, store, thread_member
from davstore.metadata.unit import Unit
from davstore.model.messages import Links
from davstore.model.nodes import ResourceType

_s = bindparam("s", type_=BigInteger)
_LINKS = (
    node.c.etag,
    message.c.date_us,
    message.c.direction,
    message.c.conversation_id,
    message.c.message_id,
    message.c.references,
    message.c.in_reply_to,
    message.c.imdn_message_id,
    message.c.message_correlator,
    message.c["from"],
    message.c.to,
)
"""The columns of `Links`."""


class NodeOfMessage(NamedTuple):
    """The columns of a message's node beside its `Links`."""

    node_id: int
    resource_id: str
    media_type: str | None
    flags: int


class Unthreaded(NamedTuple):
    """A message that is in no thread, and the owner of its store."""

    store_id: int
    node_id: int
    owner: str


_is_message = node.c.type.in_(
    [literal_column(str(int(one))) for one in (ResourceType.MESSAGE, ResourceType.FILE_TRANSFER)]
)
_messages = node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id))
_SELECT_LINKS = select(node.c.id, node.c.resource_id, node.c.media_type, node.c.flags, *_LINKS)
_LIST_LINKS = Statement(
    _SELECT_LINKS.select_from(_messages).where(node.c.store_id == _s, among(node.c.id, bindparam("ids")), _is_message),
    NodeOfMessage,
    Links,
)
_MADE = Statement[tuple[int]](
    select(binding.c.node_id)
    .select_from(binding.join(node, and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id)))
    .where(
        binding.c.store_id == _s,
        binding.c.area == literal_column("0"),
        binding.c.changed.between(bindparam("first"), bindparam("last")),
        _is_message,
    )
)
_in_thread = exists().where(thread_member.c.store_id == node.c.store_id, thread_member.c.node_id == node.c.id)
_is_bound = exists().where(
    binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id, binding.c.area == literal_column("0")
)
_UNTHREADED = Statement(
    select(node.c.store_id, node.c.id, store.c.owner)
    .select_from(node.join(store, store.c.id == node.c.store_id))
    .where(
        tuple_(node.c.store_id, node.c.id) > tuple_(_s, bindparam("n", type_=BigInteger)),
        _is_message,
        ~_in_thread,
        _is_bound,
    )
    .order_by(node.c.store_id, node.c.id)
    .limit(bindparam("limit")),
    Unthreaded,
)


def list_links(unit: Unit, store_id: int, node_ids: Collection[int]) -> list[tuple[NodeOfMessage, Links]]:
    """Return those of the nodes that are messages, with what links them."""
    return unit.all(_LIST_LINKS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []


def list_made(unit: Unit, store_id: int, *, first: int, last: int) -> list[int]:
    """Return the messages in the area of the store whose bindings changed at numbers from first to last."""
    return [node_id for (node_id,) in unit.all(_MADE, {"s": store_id, "first": first, "last": last})]


def list_unthreaded(unit: Unit, *, store_id: int, node_id: int, limit: int) -> list[Unthreaded]:
    """Return messages in no thread behind one, by store and id, at most limit of them."""
    return unit.all(_UNTHREADED, {"s": store_id, "n": node_id, "limit": limit})
