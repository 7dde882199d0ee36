"""Access control entries that contradict their store: one statement for each kind of damage."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, literal, select

from davstore.metadata.statements import Statement
from davstore.metadata.tables import ace, node, principal, store
from davstore.model.nodes import HOLDS_ACES

_s: BindParameter[int] = bindparam("s")


def _nodes_of_entries(damaged: ColumnElement[bool]) -> Statement[tuple[int | str]]:
    return Statement[tuple[int | str]](
        select(ace.c.node_id).where(ace.c.store_id == _s, damaged).order_by(ace.c.node_id, ace.c.position)
    )


OF_RIGHTS: Final[dict[str, Statement[tuple[int | str]]]] = {
    "access control entry of a missing node": _nodes_of_entries(
        ~exists().where(node.c.store_id == ace.c.store_id, node.c.id == ace.c.node_id)
    ),
    "access control entry for a missing principal": _nodes_of_entries(
        (ace.c.principal_id > 0) & ~exists().where(principal.c.id == ace.c.principal_id)
    ),
    "access control entry in a store that says it holds none": _nodes_of_entries(
        exists().where(store.c.id == ace.c.store_id, store.c.traits.bitwise_and(literal(HOLDS_ACES)) == 0)
    ),
}
