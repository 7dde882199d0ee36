"""The table of jobs in the place of the outbox, which no version has written to (docs/adr/0017)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table with its index, which statistics say nothing of: it is empty most of the time."""
    op.drop_table("outbox")
    op.create_table(
        "job",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("leased_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("job_due", "job", ["due_us"])


def downgrade() -> None:
    """Drop the table; a server of before sweeps when it starts, and knows no other jobs."""
    op.drop_table("job")
    op.create_table(
        "outbox",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "seq", "kind"),
        sqlite_with_rowid=False,
    )
