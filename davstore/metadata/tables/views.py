"""The definitions of the views that devices asked for, by the hashes that their sync tokens hold."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Text

from davstore.metadata.tables.columns import NAME, number, table

view = table(
    "view",
    number("store_id"),
    Column("hash", NAME, nullable=False),
    Column("definition", Text, nullable=False),  # JSON, as `model.where` writes it
    number("asked_us"),  # when it was asked for first
    PrimaryKeyConstraint("store_id", "hash"),
    keyed=True,
)
