"""Dead properties: XML that clients keep on a resource (RFC 4918 §4), in the form in which it is sent back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import BigInteger, bindparam, cast, delete, func, insert, select

from davstore.errors import LimitNotSupported
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import property_
from davstore.metadata.unit import Unit

LISTED_BYTES = 16 << 20
"""1,600 for each of 10,000 members: an answer is put together in memory."""

_OF = Statement[tuple[int, str, bytes]](
    select(property_.c.node_id, property_.c.name, property_.c.element)
    .where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
    .order_by(property_.c.node_id, property_.c.name)
)
_LENGTHS = Statement[tuple[int, int]](
    select(property_.c.node_id, func.sum(func.length(property_.c.element)))
    .where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
    .group_by(property_.c.node_id)
)
_COPY = Write(
    insert(property_).from_select(
        ["store_id", "node_id", "name", "element"],
        select(property_.c.store_id, cast(bindparam("new"), BigInteger), property_.c.name, property_.c.element).where(
            property_.c.store_id == bindparam("s"), property_.c.node_id == bindparam("n")
        ),
    )
)
_INSERT = Write(insert(property_).values({c.name: bindparam(c.name) for c in property_.c}))
_DELETE = Write(
    delete(property_).where(
        property_.c.store_id == bindparam("s"),
        property_.c.node_id == bindparam("n"),
        property_.c.name == bindparam("name_"),
    )
)
_DROP = Statement[tuple[int]](
    delete(property_)
    .where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
    .returning(func.length(property_.c.element))
)


def list_properties(unit: Unit, store_id: int, node_ids: Collection[int]) -> dict[int, dict[str, bytes]]:
    """Return the dead properties of many nodes: id to Clark name to element. Nodes without any are left out.

    Raises:
        LimitNotSupported: of several nodes they are more than 16 MiB; each can be asked for by itself.
    """
    if len(node_ids) > 1 and sum(list_lengths(unit, store_id, node_ids).values()) > LISTED_BYTES:
        raise LimitNotSupported("more dead properties than one answer may hold")
    found: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for node_id, name, element in unit.each(_OF, {"s": store_id, "ids": array(node_ids)}):
        found[node_id][name] = element
    return dict(found)


def list_lengths(unit: Unit, store_id: int, node_ids: Iterable[int]) -> dict[int, int]:
    """Return how many bytes the dead properties of each node have. Nodes without any are left out."""
    return {node_id: int(total) for node_id, total in unit.each(_LENGTHS, {"s": store_id, "ids": array(node_ids)})}


def drop_properties(unit: Unit, store_id: int, node_ids: Collection[int]) -> int:
    """Delete the dead properties of nodes, and return how many bytes they had."""
    rows = unit.all(_DROP, {"s": store_id, "ids": array(node_ids)})
    return sum(length for (length,) in rows)


def copy_properties(unit: Unit, store_id: int, old_id: int, new_id: int) -> int:
    """Give a new node the properties of an old one; return how many bytes that added."""
    unit.run(_COPY, {"s": store_id, "n": old_id, "new": new_id})
    return list_lengths(unit, store_id, [new_id]).get(new_id, 0)


def set_properties(unit: Unit, store_id: int, elements: Mapping[int, Mapping[str, bytes]]) -> None:
    """Write properties that the nodes have not got: id to Clark name to element."""
    unit.many(
        _INSERT,
        [
            {"store_id": store_id, "node_id": node_id, "name": name, "element": element}
            for node_id, of_node in elements.items()
            for name, element in of_node.items()
        ],
    )


def remove_properties(unit: Unit, store_id: int, node_id: int, names: Iterable[str]) -> None:
    """Delete properties; a name that is not there is no error."""
    unit.many(_DELETE, [{"s": store_id, "n": node_id, "name_": name} for name in names])
