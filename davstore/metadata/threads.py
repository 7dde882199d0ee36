"""The rows of threads: their counts, their members, and the keys that lead to each."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from davstore.metadata.statements import Statement, Write, among, array, table
from davstore.metadata.tables import binding, store, thread, thread_key, thread_member
from davstore.metadata.unit import Unit
from davstore.model.nodes import HOLDS_THREADS
from davstore.model.paths import Area

_s = bindparam("s", type_=BigInteger)


class MemberOfThread(NamedTuple):
    """A row of `thread_member`, without its store; the fields are its columns."""

    node_id: int
    thread_id: int
    identity: int
    keys: int
    date_us: int
    is_read: int


class Copies(NamedTuple):
    """How many members of a thread have one identity, and how many of these are read, counted up to a limit."""

    thread_id: int
    identity: int
    there: int
    read: int


class Counts(NamedTuple):
    """What is added to the counts of a thread. last_us is its newest date where `is_exact`, else a date of a member."""

    thread_id: int
    messages: int = 0
    unread: int = 0
    last_us: int = 0
    is_exact: bool = False
    conversation_id: str | None = None


class Name(NamedTuple):
    """The name of a member in its thread."""

    node_id: int
    name: str


_FIND_THREADS = Statement[tuple[int, int]](
    select(thread_key.c.key, thread_key.c.thread_id).where(
        thread_key.c.store_id == _s, among(thread_key.c.key, bindparam("ids"))
    )
)
_member_row = (thread_member.c[name] for name in MemberOfThread._fields)
_SELECT_MEMBERS = select(*_member_row)
_MEMBERS = Statement(
    _SELECT_MEMBERS.where(thread_member.c.store_id == _s, among(thread_member.c.node_id, bindparam("ids"))),
    MemberOfThread,
)
_MEMBERS_OF = Statement(
    _SELECT_MEMBERS.where(thread_member.c.store_id == _s, among(thread_member.c.thread_id, bindparam("ids"))).order_by(
        thread_member.c.thread_id, thread_member.c.date_us, thread_member.c.node_id
    ),
    MemberOfThread,
)
_of_thread = and_(thread_member.c.store_id == _s, thread_member.c.thread_id == bindparam("t"))
_pairs = table(bindparam("rows"), "thread_id", "identity")
_copies = and_(
    thread_member.c.store_id == _s,
    thread_member.c.identity == _pairs.c.identity,
    thread_member.c.thread_id == _pairs.c.thread_id,
)
_one: ColumnElement[int] = literal_column("1")
_zero: ColumnElement[int] = literal_column("0")


def _up_to_most(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    rows = select(_one.label("one")).where(*conditions).limit(bindparam("most")).correlate(_pairs).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()


_COPIES = Statement(
    select(
        _pairs.c.thread_id,
        _pairs.c.identity,
        _up_to_most(_copies),
        _up_to_most(_copies, thread_member.c.is_read > _zero),
    ),
    Copies,
)
_asked = table(bindparam("rows"), "thread_id")
_dates = (thread_member.c.store_id == _s, thread_member.c.thread_id == _asked.c.thread_id)
_ENDS = Statement[tuple[int, int | None, int | None]](
    select(
        _asked.c.thread_id,
        select(func.min(thread_member.c.date_us)).where(*_dates).scalar_subquery(),
        select(func.max(thread_member.c.date_us)).where(*_dates).scalar_subquery(),
    )
)
_other = thread_member.alias("other")
_SHARED = Statement[tuple[int]](
    select(_one)
    .select_from(thread_member)
    .where(
        _of_thread,
        exists().where(
            _other.c.store_id == thread_member.c.store_id,
            _other.c.identity == thread_member.c.identity,
            _other.c.thread_id == bindparam("into"),
        ),
    )
    .limit(1)
)
_per_identity = (
    select(func.max(thread_member.c.is_read).label("is_read"))
    .where(_of_thread)
    .group_by(thread_member.c.identity)
    .subquery()
)
_unread = func.coalesce(func.sum(case((_per_identity.c.is_read == _zero, _one), else_=_zero)), _zero)
_COUNT = Statement[tuple[int, int]](select(func.count(), _unread).select_from(_per_identity))
_GET = Statement[tuple[int, int, str | None]](
    select(thread.c.messages, thread.c.unread, thread.c.conversation_id).where(
        thread.c.store_id == _s, thread.c.node_id == bindparam("t")
    )
)
_NAMES = Statement(
    select(binding.c.node_id, binding.c.name).where(
        binding.c.store_id == _s, among(binding.c.node_id, bindparam("ids")), binding.c.area == _one
    ),
    Name,
)
_NAMES_IN = Statement(
    select(binding.c.node_id, binding.c.name)
    .where(binding.c.store_id == _s, binding.c.parent_id == bindparam("t"))
    .order_by(binding.c.changed),
    Name,
)
_INSERT = Write(insert(thread).values({c.name: bindparam(c.name) for c in thread.c}))
_INSERT_MEMBER = Write(insert(thread_member).values({c.name: bindparam(c.name) for c in thread_member.c}))
_UPDATE_MEMBER = Write(
    update(thread_member)
    .where(thread_member.c.store_id == bindparam("store_id_"), thread_member.c.node_id == bindparam("node_id_"))
    .values({name: bindparam(name) for name in MemberOfThread._fields[1:]})
)
_REMOVE_MEMBERS = Write(
    delete(thread_member).where(thread_member.c.store_id == _s, among(thread_member.c.node_id, bindparam("ids")))
)
_INSERT_KEY = Write(insert(thread_key).values({c.name: bindparam(c.name) for c in thread_key.c}))
_REMOVE_KEYS = Write(
    delete(thread_key).where(thread_key.c.store_id == _s, among(thread_key.c.thread_id, bindparam("ids")))
)
_REMOVE = Write(delete(thread).where(thread.c.store_id == _s, among(thread.c.node_id, bindparam("ids"))))
_ADD = Write(
    update(thread)
    .where(thread.c.store_id == _s, thread.c.node_id == bindparam("t"))
    .values(
        messages=thread.c.messages + bindparam("more_messages"),
        unread=thread.c.unread + bindparam("more_unread"),
        last_us=case(
            (
                or_(bindparam("is_exact", type_=BigInteger) == _one, thread.c.last_us < bindparam("at_us")),
                bindparam("at_us", type_=BigInteger),
            ),
            else_=thread.c.last_us,
        ),
        conversation_id=func.coalesce(thread.c.conversation_id, bindparam("conversation")),
    )
)
_SET_CONVERSATION = Write(
    update(thread)
    .where(thread.c.store_id == _s, thread.c.node_id == bindparam("t"))
    .values(conversation_id=bindparam("conversation"))
)
_TOUCH = Write(
    update(binding)
    .where(
        binding.c.store_id == _s,
        binding.c.node_id == bindparam("t"),
        binding.c.area == literal_column(str(int(Area.THREADS))),
    )
    .values(changed=bindparam("number"))
)
_MERGE_MEMBERS = Write(update(thread_member).where(_of_thread).values(thread_id=bindparam("into")))
_MERGE_KEYS = Write(
    update(thread_key)
    .where(thread_key.c.store_id == _s, thread_key.c.thread_id == bindparam("t"))
    .values(thread_id=bindparam("into"))
)
_HOLDS = Write(update(store).where(store.c.id == _s).values(traits=store.c.traits.bitwise_or(literal(HOLDS_THREADS))))


def note_threads(unit: Unit, store_id: int) -> None:
    """Note in the row of a store that it holds threads."""
    unit.run(_HOLDS, {"s": store_id})


def find_threads(unit: Unit, store_id: int, keys: Iterable[int]) -> dict[int, int]:
    """Return the threads that keys lead to."""
    return dict(unit.all(_FIND_THREADS, {"s": store_id, "ids": array(keys)}))


def list_members(unit: Unit, store_id: int, node_ids: Collection[int]) -> list[MemberOfThread]:
    """Return the members of threads among some nodes."""
    return unit.all(_MEMBERS, {"s": store_id, "ids": array(node_ids)}) if node_ids else []


def list_members_of(unit: Unit, store_id: int, thread_ids: Collection[int]) -> list[MemberOfThread]:
    """Return the members of some threads, by thread and the oldest first."""
    return unit.all(_MEMBERS_OF, {"s": store_id, "ids": array(thread_ids)}) if thread_ids else []


def list_copies(unit: Unit, store_id: int, pairs: Collection[tuple[int, int]], *, most: int) -> list[Copies]:
    """Return how many copies there are of identities in threads, each pair a thread and an identity; most at most."""
    return unit.all(_COPIES, {"s": store_id, "rows": json.dumps([*pairs]), "most": most}) if pairs else []


def list_ends(unit: Unit, store_id: int, thread_ids: Collection[int]) -> dict[int, tuple[int, int] | None]:
    """Return the oldest and the newest date of the members of threads; None of one that has no members."""
    rows = unit.all(_ENDS, {"s": store_id, "rows": json.dumps([[one] for one in thread_ids])}) if thread_ids else []
    return {one: None if first is None or last is None else (first, last) for one, first, last in rows}


def list_names(unit: Unit, store_id: int, node_ids: Collection[int]) -> list[Name]:
    """Return the names in their threads of those of the nodes that are members."""
    return unit.all(_NAMES, {"s": store_id, "ids": array(node_ids)}) if node_ids else []


def list_names_in(unit: Unit, store_id: int, thread_id: int) -> list[Name]:
    """Return the names of all members of a thread, in the order of their changes."""
    return unit.all(_NAMES_IN, {"s": store_id, "t": thread_id})


def count(unit: Unit, store_id: int, thread_id: int) -> tuple[int, int]:
    """Return the messages and the unread messages of a thread, counted anew."""
    messages, unread = unit.one(_COUNT, {"s": store_id, "t": thread_id}) or (0, 0)
    return int(messages), int(unread)


def merge(unit: Unit, store_id: int, thread_id: int, into: int) -> None:
    """Give the members and the keys of a thread to another one, with its counts. Its bindings are the caller's."""
    values = {"s": store_id, "t": thread_id, "into": into}
    shares = unit.one(_SHARED, values) is not None
    messages, unread, conversation_id = unit.one(_GET, values) or (0, 0, None)
    unit.run(_MERGE_MEMBERS, values)
    unit.run(_MERGE_KEYS, values)
    if shares:  # copies of one message count once
        had, had_unread, _ = unit.one(_GET, {"s": store_id, "t": into}) or (0, 0, None)
        now, now_unread = count(unit, store_id, into)
        messages, unread = now - had, now_unread - had_unread
    ends = list_ends(unit, store_id, [into])[into] or (0, 0)
    row = Counts(into, messages, unread, last_us=ends[1], is_exact=True, conversation_id=conversation_id)
    add_counts(unit, store_id, [row])
    unit.run(_REMOVE, {"s": store_id, "ids": array([thread_id])})


def insert_threads(unit: Unit, store_id: int, rows: Sequence[Counts]) -> None:
    """Write the rows of new threads."""
    unit.many(
        _INSERT,
        [
            {
                "store_id": store_id,
                "node_id": row.thread_id,
                "conversation_id": row.conversation_id,
                "messages": row.messages,
                "unread": row.unread,
                "last_us": row.last_us,
            }
            for row in rows
        ],
    )


def add_counts(unit: Unit, store_id: int, rows: Sequence[Counts]) -> None:
    """Add to the counts of threads; a conversation id is that of a thread which has none."""
    unit.many(
        _ADD,
        [
            {
                "s": store_id,
                "t": row.thread_id,
                "more_messages": row.messages,
                "more_unread": row.unread,
                "at_us": row.last_us,
                "is_exact": int(row.is_exact),
                "conversation": row.conversation_id,
            }
            for row in rows
        ],
    )


def set_conversation(unit: Unit, store_id: int, conversations: Mapping[int, str | None]) -> None:
    """Give threads other conversation ids."""
    rows = [{"s": store_id, "t": one, "conversation": text} for one, text in conversations.items()]
    unit.many(_SET_CONVERSATION, rows)


def insert_members(unit: Unit, store_id: int, rows: Sequence[MemberOfThread]) -> None:
    """Write new members of threads."""
    unit.many(_INSERT_MEMBER, [{"store_id": store_id, **row._asdict()} for row in rows])


def update_members(unit: Unit, store_id: int, rows: Sequence[MemberOfThread]) -> None:
    """Write members of threads anew."""
    unit.many(_UPDATE_MEMBER, [{"store_id_": store_id, "node_id_": row.node_id, **_others(row)} for row in rows])


def _others(row: MemberOfThread) -> dict[str, int]:
    values: dict[str, int] = row._asdict()
    del values["node_id"]
    return values


def remove_members(unit: Unit, store_id: int, node_ids: Collection[int]) -> None:
    """Take nodes out of their threads."""
    if node_ids:
        unit.run(_REMOVE_MEMBERS, {"s": store_id, "ids": array(node_ids)})


def insert_keys(unit: Unit, store_id: int, keys: Mapping[int, int]) -> None:
    """Let keys that lead nowhere lead to threads."""
    unit.many(_INSERT_KEY, [{"store_id": store_id, "key": key, "thread_id": one} for key, one in keys.items()])


def remove_keys(unit: Unit, store_id: int, thread_ids: Collection[int]) -> None:
    """Let no key lead to some threads."""
    unit.run(_REMOVE_KEYS, {"s": store_id, "ids": array(thread_ids)})


def remove(unit: Unit, store_id: int, thread_ids: Collection[int]) -> None:
    """Delete the rows of threads."""
    unit.run(_REMOVE, {"s": store_id, "ids": array(thread_ids)})


def touch(unit: Unit, store_id: int, numbers: Mapping[int, int]) -> None:
    """Give the bindings of threads and of their members their numbers: something of them changed."""
    unit.many(_TOUCH, [{"s": store_id, "t": one, "number": number} for one, number in numbers.items()])
