"""Keywords, the states of a resource that have names; its flags are bits of the node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import bindparam, delete, insert, select

from davstore.errors import LimitNotSupported
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import keyword
from davstore.metadata.unit import Unit

LISTED_CHARACTERS = 2 << 20
"""Some 20 keywords for each of 10,000 members: an answer is put together in memory."""

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
    """Return the keywords of nodes that have any, in order.

    Raises:
        LimitNotSupported: of several nodes they are more than 2 Mi characters; each can be asked for by itself.
    """
    found: defaultdict[int, list[str]] = defaultdict(list)
    characters = 0
    for node_id, name in unit.each(_LIST, {"s": store_id, "ids": array(node_ids)}) if node_ids else ():
        found[node_id].append(name)
        characters += len(name)
        if characters > LISTED_CHARACTERS and len(node_ids) > 1:
            raise LimitNotSupported("more keywords than one answer may hold")
    return found


def change_keywords(
    unit: Unit, ledger: Ledger, node_id: int, *, added: Collection[str], dropped: Collection[str]
) -> None:
    """Give a node keywords that it lacks, and take some from it."""
    key = {"s": ledger.store_id, "n": node_id}
    unit.many(_DELETE, [{**key, "name_": name} for name in sorted(dropped)])
    unit.many(_INSERT, [{"store_id": ledger.store_id, "node_id": node_id, "name": name} for name in sorted(added)])
