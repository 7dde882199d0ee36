"""Dispositions by the id of the message: it may come later, or be there more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import and_, bindparam, delete, exists, func, insert, literal_column, select, tuple_, update

from davstore.errors import LimitNotSupported
from davstore.metadata.listings import FACTS, MemberRow
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import binding, disposition, message, node
from davstore.metadata.unit import Unit
from davstore.model.dispositions import MOST_CHARACTERS, MOST_COPIES, Disposition, DispositionType, Status
from davstore.model.nodes import Resource
from davstore.model.paths import Area

LISTED = 20_000
"""Dispositions of the messages of one answer, which is put together in memory."""

_is_short = func.length(message.c.imdn_message_id) <= literal_column(str(MOST_CHARACTERS))
"""As in the index that finds them."""
_COLUMNS = (disposition.c.recipient, disposition.c.type, disposition.c.status, disposition.c.at_us)
_of_message = and_(
    disposition.c.store_id == message.c.store_id, disposition.c.imdn_id == message.c.imdn_message_id, _is_short
)
_embodied = and_(node.c.store_id == message.c.store_id, node.c.body_id == message.c.body_id)
_LIST = Statement[tuple[int, str, int, int, int]](
    select(node.c.id, *_COLUMNS)
    .select_from(node.join(message, _embodied).join(disposition, _of_message))
    .where(node.c.store_id == bindparam("s"), among(node.c.id, bindparam("ids")))
    .limit(bindparam("limit"))
)
_of_id = (disposition.c.store_id == bindparam("s"), disposition.c.imdn_id == bindparam("i"))
_TOLD = Statement[tuple[str, int, int, int]](select(*_COLUMNS).where(*_of_id))
_MESSAGES = Statement(
    select(binding.c.parent_id, *FACTS)
    .select_from(
        message.join(node, _embodied).join(
            binding, and_(binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id)
        )
    )
    .where(
        message.c.store_id == bindparam("s"),
        message.c.imdn_message_id == bindparam("i"),
        _is_short,
        binding.c.area == literal_column(str(int(Area.STORE))),
    )
    .order_by(node.c.id)
    .limit(bindparam("limit")),
    MemberRow,
)
_DELETE = Write(
    delete(disposition).where(*_of_id, disposition.c.recipient == bindparam("r"), disposition.c.type == bindparam("t"))
)
_INSERT = Write(insert(disposition).values({c.name: bindparam(c.name) for c in disposition.c}))
_is_waiting = (disposition.c.store_id == bindparam("s"), disposition.c.waits == literal_column("1"))
_waiting = select(literal_column("1").label("one")).where(*_is_waiting).limit(bindparam("limit")).subquery()
_COUNT_WAITING = Statement[tuple[int]](select(func.count()).select_from(_waiting))

_has_message = exists().where(
    message.c.store_id == disposition.c.store_id, message.c.imdn_message_id == disposition.c.imdn_id, _is_short
)
_STOP_WAITING = Write(update(disposition).where(*_is_waiting, _has_message).values(waits=literal_column("0")))
_KEY = (disposition.c.imdn_id, disposition.c.recipient, disposition.c.type)
_old = (
    select(*_KEY)
    .where(disposition.c.store_id == bindparam("s"), disposition.c.since_us <= bindparam("before"))
    .order_by(disposition.c.since_us, *_KEY)
    .limit(bindparam("limit"))
)
_are_old = tuple_(*_KEY).in_(_old)
_FORGET = Write(delete(disposition).where(disposition.c.store_id == bindparam("s"), _are_old, ~_has_message))
_KEEP = Write(
    update(disposition).where(disposition.c.store_id == bindparam("s"), _are_old).values(since_us=bindparam("now_us"))
)


def list_dispositions(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[Disposition]]:
    """Return the dispositions of nodes that have any, by recipient and type.

    Raises:
        LimitNotSupported: of several nodes they are more than 20,000; each can be asked for by itself.
    """
    values = {"s": store_id, "ids": array(node_ids), "limit": LISTED + 1}
    rows = unit.all(_LIST, values) if node_ids else []
    if len(rows) > LISTED and len(node_ids) > 1:
        raise LimitNotSupported("more dispositions of messages than one answer may hold")
    found: defaultdict[int, list[Disposition]] = defaultdict(list)
    for node_id, recipient, type_, status, at_us in rows:
        found[node_id].append(_disposition(recipient, type_, status, at_us))
    return {node_id: sorted(told) for node_id, told in found.items()}


def list_told(unit: Unit, store_id: int, imdn_id: str) -> list[Disposition]:
    """Return what is known of the messages of an id, whether they are there or not."""
    return [_disposition(*row) for row in unit.all(_TOLD, {"s": store_id, "i": imdn_id})]


def _disposition(recipient: str, type_: int, status: int, at_us: int) -> Disposition:
    return Disposition(recipient, DispositionType(type_), Status(status), at_us)


def list_messages_of(unit: Unit, store_id: int, imdn_id: str) -> list[Resource]:
    """Return the messages of an id, the oldest first, at most 10,000; the names of their collections are left out."""
    rows = unit.all(_MESSAGES, {"s": store_id, "i": imdn_id, "limit": MOST_COPIES})
    return [row.at(()) for row in rows]


def count_waiting(unit: Unit, store_id: int, *, most: int) -> int:
    """Return how many dispositions wait for their messages, counted up to most."""
    row = unit.one(_COUNT_WAITING, {"s": store_id, "limit": most})
    return row[0] if row else 0


def put(unit: Unit, ledger: Ledger, imdn_id: str, told: Iterable[Disposition], *, waits: bool, now_us: int) -> None:
    """Write dispositions, each in the place of that of its recipient and type. waits: there is no message of the id."""
    store_id, told = ledger.store_id, list(told)
    unit.many(_DELETE, [{"s": store_id, "i": imdn_id, "r": one.recipient, "t": int(one.type)} for one in told])
    common = {"store_id": store_id, "imdn_id": imdn_id, "waits": int(waits), "since_us": now_us}
    unit.many(
        _INSERT,
        [
            {**common, "recipient": one.recipient, "type": int(one.type), "status": int(one.status)}
            | {"at_us": one.at_us}
            for one in told
        ],
    )


def sweep(unit: Unit, store_id: int, *, before_us: int, now_us: int, limit: int) -> bool:
    """Forget dispositions from before a time whose messages are not there, of the oldest limit; False: none is left.

    Those whose messages are there are looked at again when as much time has passed.
    """
    values = {"s": store_id, "before": before_us, "limit": limit}
    unit.run(_STOP_WAITING, {"s": store_id})
    forgotten = unit.run(_FORGET, values)
    kept = unit.run(_KEEP, {**values, "limit": limit - forgotten, "now_us": max(now_us, before_us + 1)})
    return forgotten + kept >= limit
