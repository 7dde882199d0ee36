"""The history of migrations makes the tables that the statements mean, on both databases, and can be taken back."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import autogenerate, command
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

import davstore.metadata.migrate as migrating
from davstore.errors import Locked, Unavailable
from davstore.metadata import principals, stores
from davstore.metadata.archive import Archive
from davstore.metadata.database import Database
from davstore.metadata.migrate import find_revision, migrate
from davstore.metadata.opening import open_database
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.sqlite import SQLite
from davstore.metadata.tables import metadata
from davstore.model.principals import DeviceClass
from davstore.store import enrolling, locking
from tests.contract.conftest import create_database, drop_database
from tests.contract.old_stores import REVISIONS, config, later, make_store
from tests.contract.storage import Storage, told


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


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # `schema` compares it
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


FILES = {"copied": b"two", "twin": b"two", "moved/two": b"second", "moved/deep/one": b"one"}
KEPT = {
    "moved/two": {"{urn:x}p"},
    "": {"{urn:x}p"},
}


NEVER_FILLED = {"hidden", "viewer"}
"""Tables that no version has written to yet."""
FLEETING = {"upload"}
"""Its rows last as long as a request."""


def count(database: Database, table: str) -> int:
    with database.engine().connect() as connection:
        return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar() or 0)


def test_every_version_before_is_tried_with_rows_in_all_its_tables(empty: Database) -> None:
    assert REVISIONS[0] < REVISIONS[-1] < migrating.HEAD
    make_store(empty, REVISIONS[-1])
    tables = set(inspect(empty.engine()).get_table_names()) - NEVER_FILLED - FLEETING
    assert {table for table in tables if not count(empty, table)} == set(), "a table that came later: see LATER"


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_store_of_each_version_is_upgraded_with_all_that_is_in_it(
    empty: Database, tmp_path: Path, revision: str
) -> None:
    make_store(empty, revision)
    migrate(empty)
    storage = Storage(empty, tmp_path, exists=True)
    assert storage.check() == []
    more = Counter(job=1, principal=4)  # that reads the messages which are there already; users and devices
    assert {table: count(empty, table) - more[table] for table in later(revision)} == {
        table: len(rows) for table, rows in later(revision).items()
    }
    for storage.owner in ("me", "you"):
        tree = storage.tree()
        assert {place: storage.get(place) for place, etag in tree.items() if etag} == FILES
        assert {place for place, etag in tree.items() if not etag} == {"moved", "moved/deep"}
        assert {place: set(storage.properties(place)) for place in KEPT} == KEPT
        assert storage.keywords("moved/two") == ["red"]
        assert {row.lstrip("+") for row in told(storage.report())} == tree.keys()
        storage.put("new", b"new")
        storage.mkcol("b")
    assert storage.check() == []


def test_what_is_told_of_a_store_of_before_goes_on_from_its_tokens(empty: Database, tmp_path: Path) -> None:
    make_store(empty, "0004")
    with empty.engine().connect() as connection:
        store_id, epoch, number = connection.exec_driver_sql("SELECT id, epoch, seq FROM store ORDER BY id").all()[0]
    migrate(empty)
    storage = Storage(empty, tmp_path, exists=True)
    facts = storage.facts
    assert (facts.id, facts.epoch, facts.seq, facts.root_id) == (store_id, epoch, number, 1)
    newest = storage.report().token
    storage.put("new")
    assert told(storage.report("", newest)) == ["+new"]


def test_users_and_devices_of_before_are_principals(empty: Database) -> None:
    make_store(empty, "0004")
    with empty.engine().connect() as connection:
        before = connection.exec_driver_sql('SELECT id, name FROM "user" ORDER BY id').all()
    migrate(empty)
    accounts = enrolling.list_users(empty)
    assert [(one.user.id, one.user.name) for one in accounts] == [tuple(row) for row in before]
    assert [one.user.disabled for one in accounts] == [False, True]
    devices = {name: enrolling.list_devices(empty, name) for name in ("me", "you")}
    assert [(one.device.name, one.device.device_class.value, one.device.revoked) for one in devices["me"]] == [
        ("phone", "phone", False)
    ]
    assert [(one.device.name, one.device.revoked) for one in devices["you"]] == [("old", True)]
    enrolled = empty.read(lambda unit: principals.find_enrolled(unit, devices["me"][0].device.id))
    assert enrolled is not None
    assert (enrolled.user, enrolled.device) == (accounts[0].user, devices["me"][0].device)
    enrolling.add_device(empty, "me", "laptop", now_us=1)
    enrolling.add_user(empty, "them", "secret", now_us=1)
    assert enrolling.list_names(empty) == {
        "me": {"phone": DeviceClass.PHONE, "laptop": DeviceClass.OTHER},
        "you": {},
        "them": {},
    }


def test_a_lock_of_before_is_its_users(empty: Database, tmp_path: Path) -> None:
    make_store(empty, "0004")
    migrate(empty)
    storage = Storage(empty, tmp_path, exists=True)
    [held] = locking.list_all(empty, None, now_us=storage.now_us)
    assert (held.root, held.user_id, held.is_collection) == (storage.at("moved"), 1, True)
    with pytest.raises(Locked):
        storage.put("moved/two")
    locking.end(empty, "me", held.token, now_us=storage.now_us)
    storage.put("moved/two")


def test_a_backup_of_each_version_is_brought_up_to_date_where_it_lies(tmp_path: Path) -> None:
    for revision in REVISIONS:
        file = tmp_path / f"{revision}.sqlite"
        archive = Archive(file, new=True)
        make_store(archive, revision)
        migrate(archive)
        assert archive.read(stores.list_owners) == ["me", "you"]
        archive.close()
    assert len(list(tmp_path.iterdir())) == len(REVISIONS)


def test_sqlite_is_copied_before_its_tables_are_upgraded(tmp_path: Path) -> None:
    database = open_database("", tmp_path)
    make_store(database, "0003")
    migrate(database)
    database.close()
    kept = tmp_path / "davstore.sqlite.0003"
    assert {file.name for file in tmp_path.iterdir()} == {"davstore.sqlite", kept.name, "davstore.lock"}
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.replace(tmp_path / "davstore.sqlite")
    assert find_revision(database) == "0003"
    migrate(database)
    assert Storage(database, tmp_path, exists=True).tree().keys() == {*FILES, "moved", "moved/deep"}
    database.close()


def test_nothing_is_upgraded_where_no_copy_can_be(small_disk: Path) -> None:
    database = open_database("", small_disk)
    make_store(database, "0004")
    with closing(sqlite3.connect(small_disk / "davstore.sqlite")) as connection, connection:
        connection.execute("UPDATE body SET inline = zeroblob(20000000) WHERE store_id = 1 AND id = 5")
    with pytest.raises(Unavailable, match=r"davstore\.sqlite must be copied.*revision 0004.*bytes"):
        migrate(database)
    assert find_revision(database) == "0004"
    assert not list(small_disk.glob("davstore.sqlite.0004*"))
    database.close()


def test_an_upgrade_that_fills_the_disk_leaves_the_tables_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database("", tmp_path)
    assert isinstance(database, SQLite)
    make_store(database, "0004")
    connect = database._connect

    def connect_full() -> sqlite3.Connection:
        connection = connect()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")  # to SQLite it is as a disk that has no more
        return connection

    with monkeypatch.context() as full:
        full.setattr(database, "_connect", connect_full)
        with pytest.raises(Unavailable, match="the disk is too full to upgrade the tables"):
            migrate(database)
    assert find_revision(database) == "0004"
    migrate(database)
    assert find_revision(database) == migrating.HEAD
    database.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from davstore.metadata.migrate import find_revision, migrate
from davstore.metadata.opening import open_database

database = open_database(sys.argv[1], Path(sys.argv[2]))
make_engine, left = database.engine, int(sys.argv[3])

def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def engine():
    made = make_engine()
    event.listen(made, "before_cursor_execute", count)
    return made

database.engine = engine
migrate(database)
print("upgraded")
"""


def test_an_upgrade_that_is_killed_anywhere_is_made_at_the_next_start(empty: Database, tmp_path: Path) -> None:
    make_store(empty, "0001")
    empty.close()
    url = empty._url if isinstance(empty, PostgreSQL) else ""
    step, ended = 1, False
    while not ended:
        run = subprocess.run(
            [sys.executable, "-c", KILLED, url, tmp_path, str(step)], capture_output=True, text=True, check=False
        )
        ended = run.stdout == "upgraded\n"
        assert ended or run.returncode == -signal.SIGKILL, run.stderr
        assert find_revision(empty) == (migrating.HEAD if ended else "0001")
        empty.close()
        step += 24
    assert step > 60, "some were killed in the middle"
    storage = Storage(empty, tmp_path, exists=True)
    assert storage.check() == []
    assert storage.tree().keys() == {*FILES, "moved", "moved/deep"}


def test_a_copy_that_is_killed_is_made_anew(tmp_path: Path) -> None:
    database = open_database("", tmp_path)
    make_store(database, "0004")
    (tmp_path / "davstore.sqlite.0004.new").write_bytes(b"the first bytes of a copy")
    migrate(database)
    database.close()
    assert not (tmp_path / "davstore.sqlite.0004.new").exists()
    with closing(sqlite3.connect(tmp_path / "davstore.sqlite.0004")) as connection:
        assert connection.execute("SELECT count(*) FROM binding").fetchone() == (12,)
