"""Keywords, the states of a resource that have names; its flags are bits of the node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import bindparam, delete, insert, select

from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import keyword
from davstore.metadata.unit import Unit

_LIST = Statement[tuple[int, str]](
    select(keyword.c.node_id, keyword.c.name)
    .where(keyword.c.store_id == bindparam("s"), among(keyword.c.node_id, bindparam("ids")))
    .order_by(keyword.c.node_id, keyword.c.name)
)
_DELETE = Write(
    delete(keyword).where(
        keyword.c.store_id == bindparam("s"), keyword.c.node_id == bindparam("n"), keyword.c.name == bindparam("name_")
    )
)
_INSERT = Write(insert(keyword).values({c.name: bindparam(c.name) for c in keyword.c}))


def list_keywords(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the keywords of nodes that have any, in order."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    if node_ids:
        for node_id, name in unit.all(_LIST, {"s": store_id, "ids": array(node_ids)}):
            found[node_id].append(name)
    return found


def change_keywords(
    unit: Unit, ledger: Ledger, node_id: int, *, added: Collection[str], dropped: Collection[str]
) -> None:
    """Give a node keywords that it lacks, and take some from it."""
    key = {"s": ledger.store_id, "n": node_id}
    unit.many(_DELETE, [{**key, "name_": name} for name in sorted(dropped)])
    unit.many(_INSERT, [{"store_id": ledger.store_id, "node_id": node_id, "name": name} for name in sorted(added)])
