"""The row by which a database and its data directory name each other."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table with its row, which belongs to no directory yet."""
    instance = op.create_table(
        "instance",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(instance, [{"id": "", "incarnation": 0}])


def downgrade() -> None:
    """Drop the table: the directory keeps its identity, and takes the database again after an upgrade."""
    op.drop_table("instance")
