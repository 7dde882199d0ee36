"""Dead properties: XML that clients keep on a resource (RFC 4918 §4), as it will be sent back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, insert, select

from davstore.metadata.tables import property_
from davstore.metadata.unit import Statement, Unit, among, array

_OF = Statement(
    select(property_.c.node_id, property_.c.name, property_.c.element)
    .where(property_.c.store_id == bindparam("s"), among(property_.c.node_id, bindparam("ids")))
    .order_by(property_.c.node_id, property_.c.name)
)
_INSERT = Statement(insert(property_).values({c.name: bindparam(c.name) for c in property_.c}))
_DELETE = Statement(
    delete(property_).where(
        property_.c.store_id == bindparam("s"),
        property_.c.node_id == bindparam("n"),
        property_.c.name == bindparam("name_"),
    )
)


def list_properties(unit: Unit, store_id: int, node_ids: Iterable[int]) -> dict[int, dict[str, bytes]]:
    """Return the dead properties of many nodes: id to Clark name to element. Nodes without any are left out."""
    found: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for node_id, name, element in unit.each(_OF, {"s": store_id, "ids": array(node_ids)}):
        found[node_id][name] = element
    return dict(found)


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
