"""Columns for who set a node's time of modification, and for when a store last unmapped a name.

Until now a time of whole seconds was one that a client had set.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. When a name was last unmapped is not known: the store's last sample stands for it."""
    op.add_column("node", sa.Column("modified_by", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("store", sa.Column("unmapped_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute("UPDATE node SET modified_by = 1 WHERE modified_us % 1000000 = 0")
    op.execute("UPDATE store SET unmapped_us = sampled_us")


def downgrade() -> None:
    """Drop the columns; the times that clients set are of whole seconds again."""
    op.execute("UPDATE node SET modified_us = modified_us - modified_us % 1000000 WHERE modified_by <> 0")
    op.drop_column("store", "unmapped_us")
    op.drop_column("node", "modified_by")
