"""Locks, access control lists, and the visibility of nodes to principals. All name the principal by its id."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Text

from davstore.metadata.tables.columns import NAME, index, number, small, table

lock = table(
    "lock",
    number("store_id"),
    Column("token", Text, nullable=False),
    number("node_id"),
    number("principal_id"),
    Column("scope", Text, nullable=False),
    small("infinite"),
    Column("owner", LargeBinary),
    number("expires_us"),
    Column("root", NAME, nullable=False),  # the names down to where it was taken, with slashes between them
    PrimaryKeyConstraint("store_id", "token"),
    keyed=True,
)
# the locks that go with a node
index("lock_node", lock.c.store_id, lock.c.node_id)

ace = table(
    "ace",
    number("store_id"),
    number("node_id"),
    number("position"),  # in the list of its node
    number("principal_id"),  # below 0: `model.acl` says which
    small("denies"),
    number("privileges"),  # a sum of bits of `Privilege`
    Column("expires_us", BigInteger),
    Column("filter", Text),  # a condition as JSON
    PrimaryKeyConstraint("store_id", "node_id", "position"),
    keyed=True,
)
# the entries that name a principal
index("ace_principal", ace.c.principal_id, ace.c.store_id)
# those that the jobs find expired
index("ace_expires", ace.c.expires_us, where="expires_us IS NOT NULL")

hidden = table(
    "hidden",
    number("store_id"),
    number("principal_id"),
    number("node_id"),
    small("hides"),  # `model.visibility.Hides`
    number("seen"),
    number("since"),
    Column("until", BigInteger),
    PrimaryKeyConstraint("store_id", "principal_id", "node_id", "hides", "since"),
    keyed=True,
)
# the rows that go with a node
index("hidden_node", hidden.c.store_id, hidden.c.node_id)

viewer = table(
    "viewer",
    number("store_id"),
    number("principal_id"),
    number("seen"),
    PrimaryKeyConstraint("store_id", "principal_id"),
    keyed=True,
)
