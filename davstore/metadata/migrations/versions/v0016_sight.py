"""Rows of `hidden` say which part of a tree it is: a node, or what is beneath it (docs/sync.md#rights)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATISTICS = {
    ("hidden", "hidden"): "10000 1000 20 2 2 1",
    ("hidden", "hidden_node"): "10000 1000 4",
    ("viewer", "viewer"): "1000 10 1",
}


def upgrade() -> None:
    """Make the table anew: no version has written to it yet."""
    _make(
        [sa.Column("hides", sa.SmallInteger(), nullable=False)],
        ["store_id", "principal_id", "node_id", "hides", "since"],
    )
    op.create_index("hidden_node", "hidden", ["store_id", "node_id"])
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Make it as it was, empty: the versions before told nobody but the owner."""
    op.execute("DELETE FROM viewer")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DELETE FROM sqlite_stat1 WHERE tbl IN ('hidden', 'viewer')")
    _make([], ["store_id", "principal_id", "node_id", "since"])


def _make(own: list[sa.Column[int]], key: list[str]) -> None:
    op.drop_table("hidden")
    op.create_table(
        "hidden",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("principal_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        *own,
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
    )
