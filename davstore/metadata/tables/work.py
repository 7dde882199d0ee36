"""Work that waits to be done after the request that made it (docs/adr/0017)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Text

from davstore.metadata.tables.columns import index, number, table

job = table(  # work that a process does later; store_id 0: the whole server's
    "job",
    number("store_id"),
    number("id"),
    Column("kind", Text, nullable=False),
    Column("node_id", BigInteger),
    Column("payload", Text, nullable=False),
    number("due_us"),
    number("attempts"),
    number("leased_until_us"),  # in the past: no process has it
    PrimaryKeyConstraint("store_id", "id"),
    keyed=True,
)
# the jobs that are due, the oldest first
index("job_due", job.c.due_us)
