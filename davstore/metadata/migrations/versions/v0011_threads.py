"""Threads, and bindings that say in which area they are, so that a report of one area reads no other's."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATISTICS = {
    ("binding", "binding_changed"): "4000000 100000 50000 1 1 1",
    ("gone", "gone_tops"): "100000 10000 5000 1",
    ("node", "node_resource"): "4000000 100000 1",
    ("thread", "thread"): "400000 10000 1",
    ("thread", "thread_last"): "400000 10000 1 1",
    ("thread_member", "thread_member"): "2000000 50000 1",
    ("thread_member", "member_dates"): "2000000 50000 5 1 1",
    ("thread_member", "member_identity"): "2000000 50000 1 1 1",
    ("thread_key", "thread_key"): "4000000 100000 1",
    ("thread_key", "thread_key_thread"): "4000000 100000 10",
}
_STATISTICS_BEFORE = {
    ("binding", "binding_changed"): "4000000 100000 1 1 1",
    ("gone", "gone_tops"): "100000 10000 1",
}


def upgrade() -> None:
    """Make the tables, and leave a job for the messages which are there, unless one is reading them.

    The column that said who made a binding was 0 in every row; now it says 0 for the area of the store.
    """
    for table in ("binding", "gone"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN made TO area")
    _index_changes(["store_id", "area"])
    op.create_index("node_resource", "node", ["store_id", "resource_id"])
    _make_tables()
    op.execute(
        "INSERT INTO job (store_id, id, kind, payload, due_us, attempts, leased_until_us)"
        " SELECT 0, 2, 'read messages', 'threads 0 0', 0, 0, 0 WHERE EXISTS (SELECT 1 FROM body)"
        " AND NOT EXISTS (SELECT 1 FROM job WHERE store_id = 0 AND id = 2)"
    )
    _write_statistics(STATISTICS)


def _make_tables() -> None:
    op.create_table(
        "thread",
        *_numbers("store_id", "node_id"),
        sa.Column("conversation_id", sa.Text()),
        *_numbers("messages", "unread", "last_us"),
        sa.PrimaryKeyConstraint("store_id", "node_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("thread_last", "thread", ["store_id", "last_us", "node_id"])
    op.create_table(
        "thread_member",
        *_numbers("store_id", "node_id", "thread_id", "identity", "keys", "date_us"),
        sa.Column("is_read", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "node_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("member_dates", "thread_member", ["store_id", "thread_id", "date_us", "node_id"])
    op.create_index("member_identity", "thread_member", ["store_id", "identity", "thread_id", "is_read"])
    op.create_table(
        "thread_key",
        *_numbers("store_id", "key", "thread_id"),
        sa.PrimaryKeyConstraint("store_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("thread_key_thread", "thread_key", ["store_id", "thread_id"])


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _index_changes(key: list[str]) -> None:
    """Make the orders of changes anew; on SQLite the statistics of an index go with it."""
    op.drop_index("binding_changed", "binding")
    op.create_index("binding_changed", "binding", [*key, "changed", "node_id", "is_coll"])
    op.drop_index("gone_tops", "gone")
    tops = sa.text("nested = 0")
    op.create_index("gone_tops", "gone", [*key, "unmapped"], sqlite_where=tops, postgresql_where=tops)


def _write_statistics(statistics: dict[tuple[str, str], str]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        table = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        op.bulk_insert(table, [{"tbl": name, "idx": index, "stat": stat} for (name, index), stat in statistics.items()])


def downgrade() -> None:
    """Drop the threads, with the bindings of their area and its nodes."""
    op.execute("DELETE FROM job WHERE store_id = 0 AND id = 2 AND payload LIKE 'threads%'")
    for table in ("thread_key", "thread_member", "thread"):
        op.drop_table(table)
    op.execute("DELETE FROM node WHERE type = 7")
    op.drop_index("node_resource", "node")
    for table in ("binding", "gone"):
        op.execute(f"DELETE FROM {table} WHERE area <> 0")
    _index_changes(["store_id"])
    for table in ("binding", "gone"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN area TO made")
    _write_statistics(_STATISTICS_BEFORE)
