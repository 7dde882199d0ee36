"""Access control lists, and the members of lists of principals (docs/sharing.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATISTICS = {
    ("ace", "ace"): "20000 1000 2 1",
    ("ace", "ace_principal"): "20000 10 10",
    ("ace", "ace_expires"): "2000 2",
    ("membership", "membership"): "10000 20 1",
    ("membership", "membership_member"): "10000 4",
}

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables. Nobody but its owner had a right in a store."""
    op.create_table(
        "ace",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("principal_id", sa.BigInteger(), nullable=False),
        sa.Column("denies", sa.SmallInteger(), nullable=False),
        sa.Column("privileges", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("filter", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("store_id", "node_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("ace_principal", "ace", ["principal_id", "store_id"])
    ends = sa.text("expires_us IS NOT NULL")
    op.create_index("ace_expires", "ace", ["expires_us"], sqlite_where=ends, postgresql_where=ends)
    op.create_table(
        "membership",
        sa.Column("list_id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("list_id", "member_id"),
        sa.ForeignKeyConstraint(["list_id"], ["principal.id"]),
        sa.ForeignKeyConstraint(["member_id"], ["principal.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("membership_member", "membership", ["member_id"])
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop the tables: stores are their owners' alone again."""
    op.drop_table("membership")
    op.drop_table("ace")
    op.execute("DELETE FROM principal WHERE kind > 2")
