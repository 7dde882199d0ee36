"""The history of migrations makes the tables that the statements mean, on both databases, and can be taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import autogenerate, command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

import davstore.metadata.migrate as migrating
from davstore.errors import Unavailable
from davstore.metadata.database import Database
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.tables import metadata
from tests.contract.conftest import create_database, drop_database
from tests.contract.storage import Storage


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a database without tables."""
    if request.param == "sqlite":
        database = open_database("", tmp_path)
        yield database
        database.close()
        return
    server: str = request.getfixturevalue("postgresql_server")
    url = create_database(server)
    database = PostgreSQL(url)
    yield database
    database.close()
    drop_database(server, url.rpartition("/")[2])


def config(database: Database) -> Config:
    """Return alembic's configuration as `migrate` makes it."""
    found = Config()
    found.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    found.attributes["engine"] = database.engine()
    return found


SCHEMA = {
    # a column that a migration added stands elsewhere in the text of the table
    "sqlite": 'SELECT t.name, t.wr, c.name, c.type, c."notnull", c.pk'
    " FROM pragma_table_list t, pragma_table_info(t.name) c"
    " WHERE t.name NOT LIKE 'sqlite_%' AND t.name <> 'alembic_version'"
    " UNION ALL SELECT t.name, i.origin, i.\"unique\", c.name, c.seqno, '' FROM pragma_table_list t,"
    " pragma_index_list(t.name) i, pragma_index_info(i.name) c WHERE t.name <> 'alembic_version'"
    ' UNION ALL SELECT t.name, f."from", f."table", f."to", \'\', \'\' FROM pragma_table_list t,'
    " pragma_foreign_key_list(t.name) f"
    " UNION ALL SELECT name, sql, '', '', '', '' FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT table_name, column_name, concat_ws(' ', data_type, is_nullable, collation_name, is_identity,"
    " character_maximum_length) FROM information_schema.columns WHERE table_schema = 'public'"
    " AND table_name <> 'alembic_version'"
    " UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    " AND tablename <> 'alembic_version'"
    " UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'",
}


def schema(engine: Engine) -> set[tuple[str, ...]]:
    """Return every table, column, index and constraint as the database itself says it."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(SCHEMA[engine.dialect.name])
        return {tuple(re.sub(r"\s+", "", str(part)) for part in row) for row in rows}


def test_migrated_tables_are_the_tables(empty: Database) -> None:
    engine = empty.engine()
    migrate(empty)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert autogenerate.compare_metadata(context, metadata) == []
    migrated = schema(engine)
    assert len(migrated) > len(metadata.tables)
    command.downgrade(config(empty), "base")
    assert schema(engine) == set()
    with engine.begin() as connection:
        metadata.create_all(connection)
    assert migrated == schema(engine)


def test_migrating_is_repeatable_and_reversible(empty: Database) -> None:
    migrate(empty)
    migrated = schema(empty.engine())
    migrate(empty)
    command.downgrade(config(empty), "base")
    migrate(empty)
    assert schema(empty.engine()) == migrated


def test_times_of_before_are_the_clients_when_they_are_of_whole_seconds(empty: Database) -> None:
    empty.create()
    command.upgrade(config(empty), "0001")
    times = {1: 5_000_000, 2: 5_000_001, 3: -5_000_000, 4: -1}
    with empty.engine().begin() as connection:
        connection.execute(
            text(
                "INSERT INTO store (owner, epoch, seq, floor, next_id, root_id, threads_id, used_bytes, sampled_us)"
                " VALUES ('me', 1, 0, 0, 5, 1, 2, 0, 77)"
            )
        )
        for node_id, time_us in times.items():
            connection.execute(
                text(
                    "INSERT INTO node (store_id, id, resource_id, kind, created_us, modified_us)"
                    " VALUES (1, :id, 'x', 1, 0, :time_us)"
                ),
                {"id": node_id, "time_us": time_us},
            )
    migrate(empty)
    with empty.engine().connect() as connection:
        rows = connection.execute(text("SELECT id, modified_us, modified_by FROM node ORDER BY id")).all()
        assert connection.execute(text("SELECT unmapped_us FROM store")).scalar() == 77
    assert [tuple(row) for row in rows] == [(1, 5_000_000, 1), (2, 5_000_001, 0), (3, -5_000_000, 1), (4, -1, 0)]
    command.downgrade(config(empty), "0001")
    with empty.engine().connect() as connection:
        rows = connection.execute(text("SELECT id, modified_us FROM node ORDER BY id")).all()
    assert dict(tuple(row) for row in rows) == times


def test_tables_of_a_newer_davstore_are_left_alone(empty: Database) -> None:
    migrate(empty)
    with empty.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable):
        migrate(empty)


def test_head_is_the_newest_revision(empty: Database) -> None:
    migrate(empty)
    with empty.engine().connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == migrating.HEAD


def test_an_upgrade_counts_the_names_that_are_there(storage: Storage) -> None:
    storage.mkcol("a")
    storage.put("a/b")
    storage.move("a/b", "c")
    storage.add_store("you")
    command.downgrade(config(storage.database), "0001")
    migrate(storage.database)
    assert storage.facts.entries == 0
    storage.owner = "me"
    assert storage.facts.entries == 3
