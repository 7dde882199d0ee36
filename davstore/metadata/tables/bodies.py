"""Bodies, and the uploads that bring them."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, String, Text

from davstore.metadata.tables.columns import number, table

body = table(
    "body",
    number("store_id"),
    number("id"),
    Column("inline", LargeBinary),
    Column("blob", String(36)),
    number("length"),
    Column("sha256", String(64), nullable=False),
    Column("checksums", Text),  # SHA-1 and MD5 as `oc:checksums` has them, for bodies of clients that compare them
    PrimaryKeyConstraint("store_id", "id"),
)

upload = table(  # bytes promised to uploads under way, and the blob each is about to make (docs/adr/0007)
    "upload",
    number("store_id"),
    Column("blob", String(36), nullable=False),
    number("reserved_bytes"),
    number("expires_us"),
    PrimaryKeyConstraint("store_id", "blob"),
    keyed=True,
)
