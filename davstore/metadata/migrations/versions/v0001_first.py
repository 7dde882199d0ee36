"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Without statistics SQLite takes `store_id = ?` for ten rows and scans whole stores. These tell it the shape of a
# grown store: rows in all, then rows for each prefix of the index. Nobody runs ANALYZE, so plans stay as tested.
# Four million bindings, not one: with fewer a walk down the collections begins by scanning all for a Bloom filter.
STATISTICS = {
    ("binding", "binding"): "4000000 100000 100 1",
    ("binding", "binding_parent_changed"): "4000000 100000 100 1",
    ("binding", "binding_changed"): "4000000 100000 1",
    ("binding", "binding_node"): "4000000 100000 1",
    ("binding", "binding_collections"): "10000 1000 5 1",
    ("binding", "binding_moved"): "100 10 1",
    ("node", "node"): "1000000 100000 1",
    ("node", "node_body"): "1000000 100000 1",
    ("gone", "gone"): "1000000 100000 100 2 1",
    ("gone", "gone_tops"): "100000 10000 1",
    ("gone", "gone_unmapped"): "1000000 100000 10",
    ("gone", "gone_parent"): "1000000 100000 100 10",
    ("gone", "gone_node"): "1000000 100000 1",
    ("body", "sqlite_autoindex_body_1"): "1000000 100000 1",
    ("property", "property"): "1000000 100000 3 1",
    ("lock", "lock"): "1000 100 1",
    ("lock", "lock_node"): "1000 100 1",
}


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "binding",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("is_coll", sa.SmallInteger(), nullable=False),
        sa.Column("moved", sa.SmallInteger(), nullable=False),
        sa.Column("made", sa.SmallInteger(), nullable=False),
        sa.Column("mapped", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "parent_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("binding_changed", "binding", ["store_id", "changed"], unique=False)
    op.create_index(
        "binding_collections",
        "binding",
        ["store_id", "parent_id", "node_id"],
        unique=False,
        sqlite_where=sa.text("is_coll = 1"),
        postgresql_where=sa.text("is_coll = 1"),
    )
    op.create_index(
        "binding_moved",
        "binding",
        ["store_id", "mapped"],
        unique=False,
        sqlite_where=sa.text("moved = 1"),
        postgresql_where=sa.text("moved = 1"),
    )
    op.create_index("binding_node", "binding", ["store_id", "node_id"], unique=False)
    op.create_index("binding_parent_changed", "binding", ["store_id", "parent_id", "changed"], unique=False)
    op.create_table(
        "body",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("inline", sa.LargeBinary(), nullable=True),
        sa.Column("blob", sa.String(length=36), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("checksums", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("store_id", "id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "gone",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("is_coll", sa.SmallInteger(), nullable=False),
        sa.Column("made", sa.SmallInteger(), nullable=False),
        sa.Column("mapped", sa.BigInteger(), nullable=False),
        sa.Column("unmapped", sa.BigInteger(), nullable=False),
        sa.Column("nested", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "parent_id", "name", "unmapped"),
        sqlite_with_rowid=False,
    )
    op.create_index("gone_node", "gone", ["store_id", "node_id"], unique=False)
    op.create_index("gone_parent", "gone", ["store_id", "parent_id", "unmapped"], unique=False)
    op.create_index(
        "gone_tops",
        "gone",
        ["store_id", "unmapped"],
        unique=False,
        sqlite_where=sa.text("nested = 0"),
        postgresql_where=sa.text("nested = 0"),
    )
    op.create_index("gone_unmapped", "gone", ["store_id", "unmapped"], unique=False)
    op.create_table(
        "hidden",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("store_id", "principal", "node_id", "since"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "instant",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lock",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("infinite", sa.SmallInteger(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "token"),
        sqlite_with_rowid=False,
    )
    op.create_index("lock_node", "lock", ["store_id", "node_id"], unique=False)
    op.create_table(
        "node",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("body_id", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("modified_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("store_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "node_body",
        "node",
        ["store_id", "body_id"],
        unique=False,
        sqlite_where=sa.text("body_id IS NOT NULL"),
        postgresql_where=sa.text("body_id IS NOT NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "seq", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "property",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("element", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "node_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "store",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("owner", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("next_id", sa.BigInteger(), nullable=False),
        sa.Column("root_id", sa.BigInteger(), nullable=False),
        sa.Column("threads_id", sa.BigInteger(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sampled_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "upload",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.String(length=36), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "blob"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "viewer",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "principal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "user",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["store.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("store_id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("revoked", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=True),
        sa.Column("round_us", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=True,
    )
    op.create_index("device_user", "device", ["user_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ANALYZE")
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("device")
    op.drop_table("user")
    op.drop_table("viewer")
    op.drop_table("upload")
    op.drop_table("store")
    op.drop_table("property")
    op.drop_table("outbox")
    op.drop_table("node")
    op.drop_table("lock")
    op.drop_table("instant")
    op.drop_table("hidden")
    op.drop_table("gone")
    op.drop_table("body")
    op.drop_table("binding")
