"""The members of a thread by their dates, from the newest back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, literal_column, select, tuple_

from davstore.metadata.listings import FACTS, MemberRow
from davstore.metadata.statements import Statement
from davstore.metadata.tables import binding, node, thread_member
from davstore.metadata.unit import Unit
from davstore.model.histories import Before
from davstore.model.paths import Area

_s = bindparam("s", type_=BigInteger)
_at = tuple_(bindparam("date_us", type_=BigInteger), bindparam("tie", type_=BigInteger))
_LATEST = 2**62
_PAGE = Statement[tuple[Any, ...]](
    select(thread_member.c.date_us, binding.c.parent_id, *FACTS)
    .select_from(
        thread_member.join(
            binding,
            and_(
                binding.c.store_id == thread_member.c.store_id,
                binding.c.node_id == thread_member.c.node_id,
                binding.c.area == literal_column(str(int(Area.THREADS))),
            ),
        ).join(node, and_(node.c.store_id == thread_member.c.store_id, node.c.id == thread_member.c.node_id))
    )
    .where(
        thread_member.c.store_id == _s,
        thread_member.c.thread_id == bindparam("t"),
        tuple_(thread_member.c.date_us, thread_member.c.node_id) < _at,
        binding.c.mapped <= bindparam("until"),
    )
    .order_by(thread_member.c.date_us.desc(), thread_member.c.node_id.desc())
    .limit(bindparam("limit"))
)


def list_before(
    unit: Unit, store_id: int, thread_id: int, before: Before | None, *, until: int, limit: int
) -> list[tuple[int, MemberRow]]:
    """Return the newest members of a thread before a time, newest first, each with its date.

    Those that were bound into it after the change number until are left out.
    """
    at = before or Before(_LATEST)
    values = {"s": store_id, "t": thread_id, "date_us": at.time_us, "tie": at.tie or 0}
    values |= {"until": until, "limit": limit}
    return [(date_us, MemberRow(*row)) for date_us, *row in unit.all(_PAGE, values)]
