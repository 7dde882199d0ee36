"""Work that waits to be done after the request that made it."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Text

from davstore.metadata.tables.base import number, table

outbox = table(
    "outbox",
    number("store_id"),
    number("seq"),
    Column("kind", Text, nullable=False),
    number("node_id"),
    PrimaryKeyConstraint("store_id", "seq", "kind"),
    keyed=True,
)
