"""Facts of messages, keywords, the number of a node's last change, and the type of collections (docs/messages.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATISTICS = {
    ("message", "sqlite_autoindex_message_1"): "2000000 100000 1",
    ("message", "message_answers"): "800000 40000 2",
    ("keyword", "keyword"): "100000 10000 2 1",
}

_KEYWORD = "{urn:davstore:cpm:keyword}"
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_FACTS = (
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "message_id",
    "in_reply_to",
    "references",
    "conversation_id",
    "contribution_id",
    "in_reply_to_contribution_id",
    "imdn_message_id",
    "message_context",
    "direction",
    "message_correlator",
    "p_asserted_service",
    "filename",
)


def upgrade() -> None:
    """Make both tables, number each node as the newest of its bindings, and give collections their type.

    A job reads the messages that are there already.
    """
    op.create_table(
        "message",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("body_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("date_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _FACTS),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mime_type", sa.Text(), nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "body_id"),
        sa.ForeignKeyConstraint(["store_id", "body_id"], ["body.store_id", "body.id"], ondelete="CASCADE"),
        sqlite_with_rowid=True,
    )
    short = sa.text("length(in_reply_to) <= 500")
    columns = ["store_id", "in_reply_to"]
    op.create_index("message_answers", "message", columns, sqlite_where=short, postgresql_where=short)
    op.create_table(
        "keyword",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "node_id", "name"),
        sqlite_with_rowid=False,
    )
    op.add_column("node", sa.Column("modseq", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE node SET type = is_coll, modseq = COALESCE((SELECT MAX(changed) FROM binding"
        " WHERE binding.store_id = node.store_id AND binding.node_id = node.id), 0)"
    )
    op.execute(
        "INSERT INTO job (store_id, id, kind, payload, due_us, attempts, leased_until_us)"
        " SELECT 0, 2, 'read messages', '', 0, 0, 0 WHERE EXISTS (SELECT 1 FROM body)"
    )
    _turn_properties_into_keywords()
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def _turn_properties_into_keywords() -> None:
    """Move dead properties in the namespace of keywords, and give back their bytes: nothing is charged for keywords.

    They were charged for on a node that is bound, or a root; collections have no keywords.
    """
    named = f"substr(name, 1, {len(_KEYWORD)}) = '{_KEYWORD}'"
    charged = (
        "EXISTS (SELECT 1 FROM binding WHERE binding.store_id = property.store_id"
        " AND binding.node_id = property.node_id AND binding.made <> 2)"
        " OR EXISTS (SELECT 1 FROM store_root WHERE store_root.store_id = property.store_id"
        " AND store_root.node_id = property.node_id)"
    )
    op.execute(
        "UPDATE store SET used_bytes = used_bytes - COALESCE((SELECT SUM(LENGTH(element)) FROM property"
        f" WHERE property.store_id = store.id AND {named} AND ({charged})), 0)"
    )
    op.execute(
        f"INSERT INTO keyword (store_id, node_id, name) SELECT store_id, node_id, substr(name, {len(_KEYWORD) + 1})"
        f" FROM property WHERE {named} AND EXISTS (SELECT 1 FROM node WHERE node.store_id = property.store_id"
        " AND node.id = property.node_id AND node.is_coll = 0)"
    )
    op.execute(f"DELETE FROM property WHERE {named}")


def downgrade() -> None:
    """Drop what is new. Facts are read from the bodies again; keywords are lost."""
    op.execute("DELETE FROM job WHERE store_id = 0 AND id = 2")
    op.execute("UPDATE node SET type = 0")
    op.drop_column("node", "modseq")
    op.drop_table("keyword")
    op.drop_table("message")
