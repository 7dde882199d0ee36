"""Lists of users as principals, and groups and lists by name (docs/sharing.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATISTICS = {
    ("principal", "principal_group"): "20 1",
    ("principal", "principal_list_name"): "10000 4 1",
}

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INDEXES = {"principal_group": (["name"], "kind = 3"), "principal_list_name": (["owner_id", "name"], "kind = 4")}


def upgrade() -> None:
    """Make the table and the indexes. Lists that are there have no labels."""
    op.create_table(
        "principal_list",
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("displayname", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("principal_id"),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"]),
    )
    op.execute("INSERT INTO principal_list (principal_id) SELECT id FROM principal WHERE kind = 4")
    for name, (columns, condition) in _INDEXES.items():
        only = sa.text(condition)
        op.create_index(name, "principal", columns, unique=True, sqlite_where=only, postgresql_where=only)
    if op.get_bind().dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
        op.bulk_insert(statistics, rows)


def downgrade() -> None:
    """Drop them: groups and lists end."""
    for name in _INDEXES:
        op.drop_index(name, "principal")
    op.drop_table("principal_list")
    op.execute("DELETE FROM membership")
    op.execute("DELETE FROM ace WHERE principal_id IN (SELECT id FROM principal WHERE kind > 2)")
    op.execute("DELETE FROM principal WHERE kind > 2")
