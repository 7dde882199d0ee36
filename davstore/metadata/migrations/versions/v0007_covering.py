"""The orders of changes hold each binding's node and kind, so that a report looks up no binding a second time."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATISTICS = {
    ("binding", "binding_parent_changed"): "4000000 100000 100 1 1 1",
    ("binding", "binding_changed"): "4000000 100000 1 1 1",
}
_STATISTICS_BEFORE = {
    ("binding", "binding_parent_changed"): "4000000 100000 100 1",
    ("binding", "binding_changed"): "4000000 100000 1",
}
_KEYS = {
    "binding_parent_changed": ["store_id", "parent_id", "changed"],
    "binding_changed": ["store_id", "changed"],
}


def upgrade() -> None:
    """Add the two columns to both indexes."""
    _make_anew(["node_id", "is_coll"], STATISTICS)


def downgrade() -> None:
    """Make both indexes as they were."""
    _make_anew([], _STATISTICS_BEFORE)


def _make_anew(columns: list[str], statistics: Mapping[tuple[str, str], str]) -> None:
    """Make both indexes with columns behind their keys; on SQLite the statistics of an index go with it."""
    for name, key in _KEYS.items():
        op.drop_index(name, "binding")
        op.create_index(name, "binding", [*key, *columns])
    if op.get_bind().dialect.name == "sqlite":
        table = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        op.bulk_insert(table, [{"tbl": name, "idx": index, "stat": stat} for (name, index), stat in statistics.items()])
