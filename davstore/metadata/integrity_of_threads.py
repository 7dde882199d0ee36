"""Threads that contradict the messages of their store: one statement for each kind of damage."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, case, exists, func, literal_column, or_, select

from davstore.metadata.statements import Statement
from davstore.metadata.tables import binding, job, message, node, thread, thread_key, thread_member
from davstore.model.nodes import ResourceType
from davstore.model.paths import Area

_s: BindParameter[int] = bindparam("s")
_THREADS: ColumnElement[int] = literal_column(str(int(Area.THREADS)))
_THREAD: ColumnElement[int] = literal_column(str(int(ResourceType.THREAD)))
_is_message = node.c.type.in_(
    [literal_column(str(int(one))) for one in (ResourceType.MESSAGE, ResourceType.FILE_TRANSFER)]
)
_at_home = exists().where(
    binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id, binding.c.area != _THREADS
)
_is_member = exists().where(thread_member.c.store_id == node.c.store_id, thread_member.c.node_id == node.c.id)
_in_its_thread = exists().where(
    binding.c.store_id == thread_member.c.store_id,
    binding.c.node_id == thread_member.c.node_id,
    binding.c.parent_id == thread_member.c.thread_id,
    binding.c.area == _THREADS,
)
_as_a_member = exists().where(
    thread_member.c.store_id == binding.c.store_id,
    thread_member.c.node_id == binding.c.node_id,
    thread_member.c.thread_id == binding.c.parent_id,
)
_has_row = exists().where(thread.c.store_id == binding.c.store_id, thread.c.node_id == binding.c.node_id)
_will_be_read = exists().where(job.c.store_id == 0, job.c.id == 2)
"""The job that binds messages of an earlier version is still to be done."""
_of_message = node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id))
_counted: Any = (
    select(
        thread_member.c.thread_id,
        thread_member.c.identity,
        func.max(thread_member.c.is_read).label("is_read"),
        func.max(thread_member.c.date_us).label("last_us"),
    )
    .where(thread_member.c.store_id == _s)
    .group_by(thread_member.c.thread_id, thread_member.c.identity)
    .subquery()
)
_totals: Any = (
    select(
        _counted.c.thread_id,
        func.count().label("messages"),
        func.sum(case((_counted.c.is_read == 0, 1), else_=0)).label("unread"),
        func.max(_counted.c.last_us).label("last_us"),
    )
    .group_by(_counted.c.thread_id)
    .subquery()
)
_is_sent = message.c.direction == "sent"
_reading = case((_is_sent, 2), (node.c.flags.bitwise_and(1) != 0, 1), else_=0)


def _of_members(*damaged: ColumnElement[bool]) -> Statement[tuple[int | str]]:
    return Statement[tuple[int | str]](
        select(thread_member.c.node_id)
        .where(thread_member.c.store_id == _s, *damaged)
        .order_by(thread_member.c.node_id)
    )


def _of_bindings(*damaged: ColumnElement[bool]) -> Statement[tuple[int | str]]:
    return Statement[tuple[int | str]](
        select(binding.c.name).where(binding.c.store_id == _s, binding.c.area == _THREADS, *damaged)
    )


DAMAGE: Final[dict[str, Statement[tuple[int | str]]]] = {
    "message in no thread": Statement[tuple[int | str]](
        select(node.c.id).where(node.c.store_id == _s, _is_message, _at_home, ~_is_member, ~_will_be_read)
    ),
    "member of a thread that binds it not": _of_members(~_in_its_thread),
    "binding in a thread of no member": _of_bindings(binding.c.is_coll == 0, ~_as_a_member),
    "thread without its row": _of_bindings(binding.c.is_coll == 1, ~_has_row),
    "row of a thread without its members": Statement[tuple[int | str]](
        select(thread.c.node_id).where(
            thread.c.store_id == _s,
            ~exists().where(
                thread_member.c.store_id == thread.c.store_id, thread_member.c.thread_id == thread.c.node_id
            ),
        )
    ),
    "member of a thread that is no message": _of_members(
        ~exists().where(
            node.c.store_id == thread_member.c.store_id, node.c.id == thread_member.c.node_id, _is_message, _at_home
        )
    ),
    "member of a thread that contradicts its message": Statement[tuple[int | str]](
        select(thread_member.c.node_id)
        .select_from(
            _of_message.join(
                thread_member,
                and_(thread_member.c.store_id == node.c.store_id, thread_member.c.node_id == node.c.id),
            )
        )
        .where(
            thread_member.c.store_id == _s,
            or_(thread_member.c.date_us != message.c.date_us, thread_member.c.is_read != _reading),
        )
    ),
    "thread with wrong counts": Statement[tuple[int | str]](
        select(thread.c.node_id)
        .select_from(thread.join(_totals, _totals.c.thread_id == thread.c.node_id))
        .where(
            thread.c.store_id == _s,
            or_(
                thread.c.messages != _totals.c.messages,
                thread.c.unread != _totals.c.unread,
                thread.c.last_us != _totals.c.last_us,
            ),
        )
    ),
    "key that leads to no thread": Statement[tuple[int | str]](
        select(thread_key.c.key).where(
            thread_key.c.store_id == _s,
            ~exists().where(thread.c.store_id == thread_key.c.store_id, thread.c.node_id == thread_key.c.thread_id),
        )
    ),
    "thread of another type": _of_bindings(
        binding.c.is_coll == 1,
        ~exists().where(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id, node.c.type == _THREAD),
    ),
}
"""By kind of damage: the statement that finds the rows of a store which have it."""
