"""The stores themselves, and the row that names the database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, PrimaryKeyConstraint, Text, text

from davstore.metadata.tables.columns import ID, NAME, number, small, table

instance = table(
    "instance",
    Column("id", Text, nullable=False),  # empty: no data directory has claimed the database
    number("incarnation"),
    PrimaryKeyConstraint("id"),
    keyed=True,
)

store = table(
    "store",
    Column("id", ID, Identity(), primary_key=True),
    Column("owner", NAME, nullable=False, unique=True),
    number("epoch"),  # random: a token of a store that was lost and made anew is foreign
    number("seq"),  # the change number last given
    number("floor"),  # tombstones up to here are swept
    number("next_id"),  # the id for the next node, body or job
    number("used_bytes"),
    number("entries"),  # rows of binding and gone: each name is charged, bound or remembered as gone
    Column("quota_bytes", BigInteger),
    number("sampled_us"),  # when `instant` was last written
    Column("unmapped_us", BigInteger, nullable=False, server_default=text("0")),  # when a name was last unmapped
    number("traits", default=0),  # bits: the kinds of rows that the store may hold, so that no statement looks in vain
)

store_root = table(
    "store_root",
    number("store_id"),
    small("area"),
    number("node_id"),
    PrimaryKeyConstraint("store_id", "area"),
    keyed=True,
)
