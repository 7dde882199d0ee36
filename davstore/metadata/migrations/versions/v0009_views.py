"""The definitions of views, so that a device that changes its filter is told the difference (docs/sync.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATISTICS = {("view", "view"): "1000 20 1"}

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "view",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", _NAME, nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "hash"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop the table: a device that changes its filter lists everything again."""
    op.drop_table("view")
