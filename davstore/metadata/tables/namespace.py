"""The bindings of a store, open and closed, and the nodes that they name (docs/sync.md)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    literal_column,
    text,
)

from davstore.metadata.tables.columns import NAME, index, number, small, table
from davstore.model.paths import Area

node = table(
    "node",
    number("store_id"),
    number("id"),
    Column("resource_id", String(36), nullable=False),
    small("is_coll"),
    small("type", default=0),  # the resource type (`ResourceType`)
    Column("body_id", BigInteger),
    Column("etag", Text),
    Column("length", BigInteger),
    Column("media_type", Text),
    number("created_us"),
    number("modified_us"),
    Column("modified_by", SmallInteger, nullable=False, server_default=text("0")),  # who set `modified_us`
    number("flags", default=0),  # the bits of `Flag`
    number("modseq", default=0),  # the change number of its last change of body, states or properties
    PrimaryKeyConstraint("store_id", "id"),
    keyed=True,
)
# the nodes that share a body: it goes with the last of them
index("node_body", node.c.store_id, node.c.body_id, where="body_id IS NOT NULL")

WEAK: ColumnElement[int] = literal_column(str(int(Area.THREADS)))
"""The area whose bindings the store makes: they keep no node alive, and nothing is charged for them."""
# a resource that is asked for by its identity
index("node_resource", node.c.store_id, node.c.resource_id)

binding = table(
    "binding",
    number("store_id"),
    number("parent_id"),
    Column("name", NAME, nullable=False),
    number("node_id"),
    small("is_coll"),
    small("moved"),  # a collection mapped by MOVE: may hold members older than `mapped`
    small("area"),  # the tree that it is in (`Area`)
    number("mapped"),
    number("changed"),
    PrimaryKeyConstraint("store_id", "parent_id", "name"),
    keyed=True,
)
# a report of level 1: the members of one collection in the order of their changes; it reads these columns alone
index(
    "binding_parent_changed", *(binding.c[name] for name in ("store_id", "parent_id", "changed", "node_id", "is_coll"))
)
# a report of level infinite: all members of an area in the order of their changes, as before
index("binding_changed", *(binding.c[name] for name in ("store_id", "area", "changed", "node_id", "is_coll")))
# the way up from a node, along each of its bindings
index("binding_node", binding.c.store_id, binding.c.node_id)
# the way down through collections, without their members
index("binding_collections", binding.c.store_id, binding.c.parent_id, binding.c.node_id, where="is_coll = 1")
# the moved collections, which a report looks into for members that are new by their path alone
index("binding_moved", binding.c.store_id, binding.c.mapped, where="moved = 1")

gone = table(
    "gone",
    number("store_id"),
    number("parent_id"),
    Column("name", NAME, nullable=False),
    number("node_id"),
    small("is_coll"),
    small("area"),
    number("mapped"),
    number("unmapped"),
    small("nested"),  # closed by the DELETE of a collection above it
    PrimaryKeyConstraint("store_id", "parent_id", "name", "unmapped"),
    keyed=True,
)
# a report: bindings closed after a number, without those that went with a collection above
index("gone_tops", gone.c.store_id, gone.c.area, gone.c.unmapped, where="nested = 0")
# the sweep of the oldest, and the nodes that lost their last binding at a number
index("gone_unmapped", gone.c.store_id, gone.c.unmapped)
# the former members of a collection
index("gone_parent", gone.c.store_id, gone.c.parent_id, gone.c.unmapped)
# whether a node is still named by a tombstone
index("gone_node", gone.c.store_id, gone.c.node_id)

instant = table(  # a sampled (number, time) list: which change numbers are how old
    "instant",
    number("store_id"),
    number("seq"),
    number("at_us"),
    PrimaryKeyConstraint("store_id", "seq"),
    keyed=True,
)

property_ = table(
    "property",
    number("store_id"),
    number("node_id"),
    Column("name", NAME, nullable=False),  # Clark notation
    Column("element", LargeBinary, nullable=False),  # the element as it will be sent, namespaces included
    PrimaryKeyConstraint("store_id", "node_id", "name"),
    keyed=True,
)

keyword = table(
    "keyword",
    number("store_id"),
    number("node_id"),
    Column("name", NAME, nullable=False),
    PrimaryKeyConstraint("store_id", "node_id", "name"),
    keyed=True,
)
