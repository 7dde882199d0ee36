"""Messages of one identity (`policy.threading`): those that another may be a copy of, and the oldest of each."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import and_, bindparam, case, func, literal_column, select

from davstore.metadata.bodies import STORED, Stored
from davstore.metadata.places import list_in_store
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import body, node, thread_member
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts

LOOKED_AT = 20
"""Messages of one identity that a delivery is compared with, beside those with equal bytes."""


class _NodeId(NamedTuple):
    node_id: int


_in_store = thread_member.c.store_id == bindparam("s")
_CANDIDATES = Statement(
    select(node.c.id, *STORED)
    .select_from(
        thread_member.join(
            node, and_(node.c.store_id == thread_member.c.store_id, node.c.id == thread_member.c.node_id)
        ).join(body, and_(body.c.store_id == node.c.store_id, body.c.id == node.c.body_id))
    )
    .where(_in_store, among(thread_member.c.identity, bindparam("ids")))
    .order_by(case((body.c.sha256 == bindparam("sha256"), literal_column("0")), else_=literal_column("1")), node.c.id)
    .limit(bindparam("limit")),
    _NodeId,
    Stored,
)
_asked = (
    select(thread_member.c.node_id, thread_member.c.identity)
    .where(_in_store, among(thread_member.c.node_id, bindparam("ids")))
    .cte("asked")
)
_oldest = (
    select(thread_member.c.identity, func.min(thread_member.c.node_id).label("node_id"))
    .where(_in_store, thread_member.c.identity.in_(select(_asked.c.identity)))
    .group_by(thread_member.c.identity)
    .subquery()
)
_OLDEST = Statement[tuple[int, int]](
    select(_asked.c.node_id, _oldest.c.node_id)
    .select_from(_asked.join(_oldest, _oldest.c.identity == _asked.c.identity))
    .where(_oldest.c.node_id != _asked.c.node_id)
)


def list_candidates(unit: Unit, store_id: int, identities: Collection[int], sha256: str) -> list[tuple[int, Stored]]:
    """Return messages that have one of some identities, with their bodies: first those with a digest, then the oldest.

    Of very many the rest is left out.
    """
    values = {"s": store_id, "ids": array(identities), "sha256": sha256, "limit": LOOKED_AT}
    return [(row.node_id, stored) for row, stored in unit.all(_CANDIDATES, values)]


def list_originals(unit: Unit, store: StoreFacts, node_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names that lead to the oldest message of the same identity, of each node that is a younger one."""
    oldest = dict(unit.all(_OLDEST, {"s": store.id, "ids": array(node_ids)})) if node_ids else {}
    there = list_in_store(unit, store, {*oldest.values()})
    return {node_id: there[original].names for node_id, original in oldest.items() if original in there}
