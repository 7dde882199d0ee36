"""Services, and what notifications tell of messages (docs/messages.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATISTICS = {
    ("message", "message_imdn"): "800000 40000 1",
    ("disposition", "disposition"): "400000 20000 3 1 1",
    ("disposition", "disposition_since"): "400000 20000 1",
    ("disposition", "disposition_waiting"): "1000 100",
}

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables. Notifications that are there already are resources like any other, and are not counted."""
    op.create_table(
        "service",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("may", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("revoked", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("principal_id"),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"]),
    )
    op.create_table(
        "disposition",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("imdn_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("waits", sa.SmallInteger(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "imdn_id", "recipient", "type"),
        sqlite_with_rowid=False,
    )
    op.create_index("disposition_since", "disposition", ["store_id", "since_us"])
    waiting = sa.text("waits = 1")
    op.create_index("disposition_waiting", "disposition", ["store_id"], sqlite_where=waiting, postgresql_where=waiting)
    short = sa.text("length(imdn_message_id) <= 255")
    columns = ["store_id", "imdn_message_id"]
    op.create_index("message_imdn", "message", columns, sqlite_where=short, postgresql_where=short)
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop the tables: services sign in no more, and what notifications told is lost."""
    op.drop_index("message_imdn", "message")
    op.drop_table("disposition")
    op.drop_table("service")
    op.execute("DELETE FROM principal WHERE kind = 2")
