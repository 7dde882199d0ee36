"""The tables that later subjects need: roots by area, principals, room for types and flags (docs/adr/0015).

Dead properties in the namespace of davstore's own elements go: no client can set one any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATISTICS = {
    ("store_root", "store_root"): "20000 2 1",
    ("principal", "principal_user"): "10000 1",
    ("principal", "principal_owner"): "30000 3",
}

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Bring every row into the new tables."""
    _drop_properties()
    _change_nodes()
    _change_stores()
    op.execute("ALTER TABLE lock RENAME COLUMN user_id TO principal_id")
    _change_viewers("principal_id", sa.BigInteger())
    _change_people()
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def _drop_properties() -> None:
    """Drop the properties, and give back the bytes of those whose node is charged for: one that is bound, or a root."""
    of_ours = "substr(name, 1, 18) = '{urn:davstore:cpm}'"
    charged = (
        "EXISTS (SELECT 1 FROM binding WHERE binding.store_id = property.store_id"
        " AND binding.node_id = property.node_id AND binding.made <> 2) OR property.node_id = store.root_id"
    )
    op.execute(
        "UPDATE store SET used_bytes = used_bytes - COALESCE((SELECT SUM(LENGTH(element)) FROM property"
        f" WHERE property.store_id = store.id AND {of_ours} AND ({charged})), 0)"
    )
    op.execute(f"DELETE FROM property WHERE {of_ours}")


def _change_nodes() -> None:
    op.execute("ALTER TABLE node RENAME COLUMN kind TO is_coll")
    op.execute("ALTER TABLE node RENAME COLUMN type TO media_type")
    op.execute("UPDATE node SET is_coll = 1 - is_coll")
    op.drop_column("node", "state")
    op.add_column("node", sa.Column("type", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("node", sa.Column("flags", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def _change_stores() -> None:
    op.create_table(
        "store_root",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.SmallInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "area"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO store_root (store_id, area, node_id) SELECT id, 0, root_id FROM store")
    op.execute("INSERT INTO store_root (store_id, area, node_id) SELECT id, 1, threads_id FROM store")
    op.drop_column("store", "root_id")
    op.drop_column("store", "threads_id")
    op.add_column("store", sa.Column("traits", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute("UPDATE store SET traits = 1 WHERE EXISTS (SELECT 1 FROM lock WHERE lock.store_id = store.id)")


def _change_viewers(principal: str, kind: sa.BigInteger | sa.Text) -> None:
    """Make both tables anew: no version has written to them yet."""
    op.drop_table("hidden")
    op.drop_table("viewer")
    op.create_table(
        "hidden",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column(principal, kind, nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("store_id", principal, "node_id", "since"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "viewer",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column(principal, kind, nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", principal),
        sqlite_with_rowid=False,
    )


def _change_people() -> None:
    """Give every user a principal with the user's id, and every device one behind them."""
    _set_people_aside()
    op.create_table(
        "principal",
        sa.Column("id", _ID, sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "user",
        sa.Column("principal_id", _ID, autoincrement=False, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"]),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.PrimaryKeyConstraint("principal_id"),
        sa.UniqueConstraint("store_id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("revoked", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=True),
        sa.Column("round_us", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("principal_id"),
        sqlite_with_rowid=True,
    )
    op.execute("INSERT INTO principal (id, kind, name) SELECT id, 0, name FROM old_user")
    op.execute(
        "INSERT INTO principal (id, kind, name, owner_id)"
        " SELECT (SELECT MAX(id) FROM old_user) + row_number() OVER (ORDER BY id), 1, name, user_id FROM old_device"
    )
    op.execute(
        'INSERT INTO "user" (principal_id, password_hash, version, disabled, store_id, created_us)'
        " SELECT id, password_hash, version, disabled, store_id, created_us FROM old_user"
    )
    op.execute(
        "INSERT INTO device (id, principal_id, class, secret_sha256, revoked, created_us, seen_us, round_us, token)"
        " SELECT id, (SELECT MAX(id) FROM old_user) + row_number() OVER (ORDER BY id), class, secret_sha256, revoked,"
        " created_us, seen_us, round_us, token FROM old_device"
    )
    _forget_people("principal")
    only_users, only_owned = sa.text("kind = 0"), sa.text("owner_id IS NOT NULL")
    op.create_index(
        "principal_user", "principal", ["name"], unique=True, sqlite_where=only_users, postgresql_where=only_users
    )
    op.create_index("principal_owner", "principal", ["owner_id"], sqlite_where=only_owned, postgresql_where=only_owned)


def _set_people_aside() -> None:
    """Keep users and devices in tables of this connection, and drop those with the names that are wanted."""
    op.execute('CREATE TEMPORARY TABLE old_user AS SELECT * FROM "user"')
    op.execute("CREATE TEMPORARY TABLE old_device AS SELECT * FROM device")
    op.drop_table("device")
    op.drop_table("user")


def _forget_people(numbered: str) -> None:
    """Drop the tables that were set aside. PostgreSQL counts ids apart from the rows, which brought theirs along."""
    op.execute("DROP TABLE old_device")
    op.execute("DROP TABLE old_user")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('\"{numbered}\"', 'id'),"
            f' greatest(COALESCE(MAX(id), 1), 1)) FROM "{numbered}"'
        )


def downgrade() -> None:
    """Bring every row back. Types and flags of nodes are lost, and so are the properties that went."""
    _change_people_back()
    _change_viewers("principal", sa.Text())
    op.execute("ALTER TABLE lock RENAME COLUMN principal_id TO user_id")
    op.add_column("store", sa.Column("root_id", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("store", sa.Column("threads_id", sa.BigInteger(), server_default=sa.text("2"), nullable=False))
    for column, area in (("root_id", 0), ("threads_id", 1)):
        op.execute(
            f"UPDATE store SET {column} = (SELECT node_id FROM store_root"
            f" WHERE store_root.store_id = store.id AND area = {area})"
        )
    op.drop_column("store", "traits")
    op.drop_table("store_root")
    op.drop_column("node", "flags")
    op.drop_column("node", "type")
    op.add_column("node", sa.Column("state", sa.Text(), nullable=True))
    op.execute("UPDATE node SET is_coll = 1 - is_coll")
    op.execute("ALTER TABLE node RENAME COLUMN media_type TO type")
    op.execute("ALTER TABLE node RENAME COLUMN is_coll TO kind")


def _change_people_back() -> None:
    op.execute(
        "CREATE TEMPORARY TABLE old_user AS SELECT principal.id, name, password_hash, version, disabled, store_id,"
        ' created_us FROM "user" JOIN principal ON principal.id = principal_id'
    )
    op.execute(
        "CREATE TEMPORARY TABLE old_device AS SELECT device.id, owner_id, name, class, secret_sha256, revoked,"
        " created_us, seen_us, round_us, token FROM device JOIN principal ON principal.id = principal_id"
    )
    for table in ("device", "user", "principal"):
        op.drop_table(table)
    op.create_table(
        "user",
        sa.Column("id", _ID, sa.Identity(always=False), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("store_id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("revoked", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=True),
        sa.Column("round_us", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=True,
    )
    op.create_index("device_user", "device", ["user_id"])
    op.execute(
        'INSERT INTO "user" (id, name, password_hash, version, disabled, store_id, created_us) SELECT * FROM old_user'
    )
    op.execute(
        "INSERT INTO device (id, user_id, name, class, secret_sha256, revoked, created_us, seen_us, round_us, token)"
        " SELECT * FROM old_device"
    )
    _forget_people("user")
