"""Keywords, the states of a resource that have names; its flags are bits of the node."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, case, delete, exists, func, insert, select, true

from davstore.errors import LimitNotSupported
from davstore.metadata.statements import Statement, Write, among, among_texts, array, table
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import keyword
from davstore.metadata.unit import Unit

LISTED_CHARACTERS = 2 << 20
"""Some 20 keywords for each of 10,000 members: an answer is put together in memory."""


class KeywordCounts(NamedTuple):
    """How many keywords a node has, how many of them a request adds, and how many it drops."""

    node_id: int
    all: int
    added: int
    dropped: int


_LIST = Statement[tuple[int, str]](
    select(keyword.c.node_id, keyword.c.name)
    .where(keyword.c.store_id == bindparam("s"), among(keyword.c.node_id, bindparam("ids")))
    .order_by(keyword.c.node_id, keyword.c.name)
)
_of_nodes = (keyword.c.store_id == bindparam("s"), among(keyword.c.node_id, bindparam("ids")))
_in_added = among_texts(keyword.c.name, bindparam("added"))
_in_dropped = among_texts(keyword.c.name, bindparam("dropped"))
_COUNT = Statement(
    select(
        keyword.c.node_id,
        func.count(),
        func.sum(case((_in_added, 1), else_=0)),
        func.sum(case((_in_dropped, 1), else_=0)),
    )
    .where(*_of_nodes)
    .group_by(keyword.c.node_id),
    KeywordCounts,
)
_DELETE = Write(delete(keyword).where(*_of_nodes, _in_dropped))
_nodes = table(bindparam("nodes"), "node_id")
_words = table(bindparam("words"), text="name")
_INSERT = Write(
    insert(keyword).from_select(
        ["store_id", "node_id", "name"],
        select(bindparam("s", type_=BigInteger), _nodes.c.node_id, _words.c.name)
        .select_from(_nodes.join(_words, true()))
        .where(
            ~exists().where(
                keyword.c.store_id == bindparam("s"),
                keyword.c.node_id == _nodes.c.node_id,
                keyword.c.name == _words.c.name,
            )
        ),
    )
)


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


def count_keywords(
    unit: Unit, store_id: int, node_ids: Collection[int], *, added: Collection[str], dropped: Collection[str]
) -> dict[int, KeywordCounts]:
    """Return how many keywords the nodes have that have any, and how many of those to be added and to be dropped."""
    values = {"s": store_id, "ids": array(node_ids), "added": json.dumps([*added]), "dropped": json.dumps([*dropped])}
    return {row.node_id: row for row in unit.all(_COUNT, values)}


def change_keywords(
    unit: Unit, ledger: Ledger, node_ids: Collection[int], *, added: Collection[str], dropped: Collection[str]
) -> None:
    """Give nodes keywords, and take some from them; those that a node has, or has not, already stay so."""
    if dropped:
        unit.run(_DELETE, {"s": ledger.store_id, "ids": array(node_ids), "dropped": json.dumps([*dropped])})
    if added:
        nodes, words = ([(one,) for one in several] for several in (node_ids, added))
        unit.run(_INSERT, {"s": ledger.store_id, "nodes": json.dumps(nodes), "words": json.dumps(words)})
