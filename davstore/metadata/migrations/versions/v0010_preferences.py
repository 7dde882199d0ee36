"""The preferences of users and devices, devices that are suspended, and the last decision about each."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Nobody has a preference yet."""
    op.add_column("user", sa.Column("preferences", sa.Text(), nullable=True))
    op.add_column("device", sa.Column("preferences", sa.Text(), nullable=True))
    op.add_column("device", sa.Column("suspended", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("device", sa.Column("decision", sa.Text(), nullable=True))
    op.add_column("device", sa.Column("decided_us", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the columns: preferences are lost."""
    for name in ("decided_us", "decision", "suspended", "preferences"):
        op.drop_column("device", name)
    op.drop_column("user", "preferences")
