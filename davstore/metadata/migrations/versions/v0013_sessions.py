"""The session info objects of a conversation, and the time that a group state says (docs/messages.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATISTICS = {("message", "message_sessions"): "20000 1000 2"}

_IS_SESSION_INFO = sa.text("kind = 4")


def upgrade() -> None:
    """Make the index and the column. The time of older group states is that of their messages."""
    op.add_column("message", sa.Column("state_us", sa.BigInteger(), nullable=True))
    start = sa.text("substr(conversation_id, 1, 200)")
    op.create_index(
        "message_sessions",
        "message",
        ["store_id", start],
        sqlite_where=_IS_SESSION_INFO,
        postgresql_where=_IS_SESSION_INFO,
    )
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop what is new. Session histories become plain collections."""
    op.execute("UPDATE node SET type = 1 WHERE type = 8")
    op.drop_index("message_sessions", "message")
    op.drop_column("message", "state_us")
