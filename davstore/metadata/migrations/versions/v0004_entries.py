"""A counter of names, bound and gone, which are charged to the quota (docs/adr/0013)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counter and count the names; the server default is for the rows of the moment between."""
    op.add_column("store", sa.Column("entries", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE store SET entries = (SELECT count(*) FROM binding WHERE binding.store_id = store.id)"
        " + (SELECT count(*) FROM gone WHERE gone.store_id = store.id)"
    )


def downgrade() -> None:
    """Drop the counter."""
    op.drop_column("store", "entries")
