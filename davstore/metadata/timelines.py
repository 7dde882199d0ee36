"""Pages by time, for people: the threads of a store, the messages of a thread, and the beginning of what these say."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, func, literal_column, select, tuple_

from davstore.metadata.bodies import STORED, Stored
from davstore.metadata.listings import BOUND, FACTS, MemberRow
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, body, message, node, thread, thread_member
from davstore.metadata.unit import Unit
from davstore.model.messages import Part
from davstore.model.pages import Moment
from davstore.model.paths import Area
from davstore.model.threads import Thread

MOST_INLINE_BYTES = 64 * 1024
"""A body in a row that is longer is not loaded: of a page they are in memory together."""
MOST_PARTS_CHARACTERS = 16 * 1024
"""Nor are the parts of a message that are more: some 150 of them."""
_END = Moment(2**62, 2**62)
"""Behind all that there is."""

_s = bindparam("s", type_=BigInteger)
_limit = bindparam("limit", type_=BigInteger)
_mark = tuple_(bindparam("at_us", type_=BigInteger), bindparam("node_id", type_=BigInteger))
_one: ColumnElement[int] = literal_column("1")


class Newest(NamedTuple):
    """The node of the newest member of a thread."""

    newest_id: int


class Said(NamedTuple):
    """A message of a thread, its copies as one: the node that was stored first, their first date, their reading."""

    node_id: int
    date_us: int
    is_read: int

    @property
    def moment(self) -> Moment:
        """The place of the message in its thread."""
        return Moment(self.date_us, self.node_id)


class Beginning(NamedTuple):
    """What can be shown of a message without its page: its preview, its parts, and its body.

    parts are None where they are many; of a body that is too long neither its bytes nor its blob are there.
    """

    preview: str | None
    parts: tuple[Part, ...] | None
    stored: Stored


class _Texts(NamedTuple):
    """A message, and the texts of its `Beginning`."""

    node_id: int
    preview: str | None
    parts: str | None


_page = (
    select(thread)
    .where(thread.c.store_id == _s, tuple_(thread.c.last_us, thread.c.node_id) < _mark)
    .order_by(thread.c.last_us.desc(), thread.c.node_id.desc())
    .limit(_limit)
    .cte("page")
)
_newest = (
    select(thread_member.c.node_id)
    .where(thread_member.c.store_id == _s, thread_member.c.thread_id == _page.c.node_id)
    .order_by(thread_member.c.date_us.desc(), thread_member.c.node_id.desc())
    .limit(_one)
    .correlate(_page)
    .scalar_subquery()
)
_bound = _page.join(binding, and_(binding.c.store_id == _s, binding.c.node_id == _page.c.node_id)).join(
    node, and_(node.c.store_id == _s, node.c.id == _page.c.node_id)
)
_THREADS = Statement(
    select(*(_page.c[name] for name in Thread._fields), _newest, binding.c.parent_id, *FACTS)
    .select_from(_bound)
    .order_by(_page.c.last_us.desc(), _page.c.node_id.desc()),
    Thread,
    Newest,
    MemberRow,
)
_copies = (
    select(
        func.min(thread_member.c.node_id).label("node_id"),
        func.min(thread_member.c.date_us).label("date_us"),
        func.max(thread_member.c.is_read).label("is_read"),
    )
    .where(thread_member.c.store_id == _s, thread_member.c.thread_id == bindparam("t"))
    .group_by(thread_member.c.identity)
    .subquery()
)
_at = tuple_(_copies.c.date_us, _copies.c.node_id)
_BEFORE = Statement(
    select(_copies).where(_at < _mark).order_by(_copies.c.date_us.desc(), _copies.c.node_id.desc()).limit(_limit),
    Said,
)
_AFTER = Statement(
    select(_copies).where(_at > _mark).order_by(_copies.c.date_us, _copies.c.node_id).limit(_limit), Said
)
_MEMBERS = Statement(
    select(binding.c.parent_id, *FACTS)
    .select_from(BOUND)
    .where(
        binding.c.store_id == _s,
        among(binding.c.node_id, bindparam("ids")),
        binding.c.area == literal_column(str(int(Area.THREADS))),
    ),
    MemberRow,
)
_BEGINNINGS = Statement(
    select(
        node.c.id,
        message.c.preview,
        case((func.length(message.c.parts) <= literal_column(str(MOST_PARTS_CHARACTERS)), message.c.parts)),
        case((body.c.length <= literal_column(str(MOST_INLINE_BYTES)), body.c.inline)),
        *STORED[1:],
    )
    .select_from(
        node.join(message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id)).join(
            body, and_(body.c.store_id == node.c.store_id, body.c.id == node.c.body_id)
        )
    )
    .where(node.c.store_id == _s, among(node.c.id, bindparam("ids"))),
    _Texts,
    Stored,
)


def list_threads(
    unit: Unit, store_id: int, *, before: Moment | None, limit: int
) -> list[tuple[Thread, Newest, MemberRow]]:
    """Return at most limit threads whose newest message is before a moment, the newest first."""
    return unit.all(_THREADS, {"s": store_id, "limit": limit, **(before or _END)._asdict()})


def list_said(
    unit: Unit, store_id: int, thread_id: int, *, before: Moment | None, after: Moment | None, limit: int
) -> list[Said]:
    """Return at most limit messages of a thread: those next after a moment, else the last before one, oldest first."""
    values = {"s": store_id, "t": thread_id, "limit": limit}
    if after is not None:
        return unit.all(_AFTER, {**values, **after._asdict()})
    return unit.all(_BEFORE, {**values, **(before or _END)._asdict()})[::-1]


def list_members(unit: Unit, store_id: int, node_ids: Collection[int]) -> list[MemberRow]:
    """Return those of the nodes that are members of threads, as these have them."""
    return unit.all(_MEMBERS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []


def list_beginnings(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, Beginning]:
    """Return what can be shown of nodes whose bodies are messages."""
    rows = unit.all(_BEGINNINGS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []
    return {texts.node_id: Beginning(texts.preview, _parse(texts.parts), stored) for texts, stored in rows}


def _parse(text: str | None) -> tuple[Part, ...] | None:
    return None if text is None else tuple([Part(*part) for part in json.loads(text)])
