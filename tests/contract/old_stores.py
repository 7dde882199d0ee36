"""Stores of earlier versions: rows that davstore wrote at revision 0004, and the tables of the revision that is wanted.

Two users have the same files. Between them: a moved collection, tombstones, a copy, dead properties on what is there,
on a root and on what was deleted, a lock, a device, a revoked one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, MetaData, Table, insert, inspect

import davstore.metadata.migrate as migrating
from davstore.metadata.database import Database
from davstore.model.nodes import HOLDS_ACES

SCRIPTS = Path(migrating.__file__).parent / "migrations"
REVISIONS = tuple(sorted(file.name[1:5] for file in SCRIPTS.glob("versions/v*.py")))[:-1]
"""All but the newest."""
ROWS = Path(__file__).with_name("store_0004.json")
OF_ROWS = "0004"
LATER: dict[str, dict[str, list[dict[str, Any]]]] = {
    "0006": {
        "job": [
            {"store_id": 0, "id": 1, "kind": "sweep", "node_id": None, "payload": "", "due_us": 1, "attempts": 0}
            | {"leased_until_us": 0}
        ]
    },
    "0008": {
        "message": [
            {"store_id": store_id, "body_id": 12, "kind": 2, "date_us": 1, "in_reply_to": "a@b", "parts": "[]"}
            for store_id in (1, 2)
        ],
    },
    "0011": {
        "thread": [{"store_id": one, "node_id": 16, "messages": 1, "unread": 1, "last_us": 1} for one in (1, 2)],
        "thread_member": [
            {"store_id": one, "node_id": 8, "thread_id": 16, "identity": 1, "keys": 1, "date_us": 1, "is_read": 0}
            for one in (1, 2)
        ],
        "thread_key": [{"store_id": one, "key": 1, "thread_id": 16} for one in (1, 2)],
    },
    "0009": {"view": [{"store_id": 1, "hash": "0123456789abcdef", "definition": "{}", "asked_us": 1}]},
    "0012": {
        "principal": [{"id": 1_000, "kind": 2, "name": "recorder"}],
        "service": [
            {"id": "0123456789abcdef", "principal_id": 1_000, "may": "deliver", "secret_sha256": 64 * "0"}
            | {"revoked": 0, "created_us": 1}
        ],
        "disposition": [
            {"store_id": 1, "imdn_id": "a1", "recipient": "tel:+1", "type": 2, "status": 6, "at_us": 1}
            | {"waits": 1, "since_us": 1}
        ],
    },
    "0014": {
        "principal": [
            {"id": 1_000, "kind": 2, "name": "recorder", "owner_id": None},
            {"id": 1_001, "kind": 3, "name": "staff", "owner_id": None},
            {"id": 1_002, "kind": 4, "name": "family", "owner_id": 1},
        ],
        "membership": [{"list_id": 1_002, "member_id": 2}],
        "ace": [
            {"store_id": 1, "node_id": 8, "position": place, "principal_id": one, "denies": 0} | {"privileges": 1}
            for place, one in enumerate((1_001, 1_002))
        ],
    },
    "0015": {"principal_list": [{"principal_id": 1_002, "kind": "whitelist", "displayname": None}]},
}
"""Rows for the tables that came after those rows, by the revision that made the table."""
_BIND = "INSERT INTO binding (store_id, parent_id, name, node_id, is_coll, moved, area, mapped, changed) SELECT id"
_MAKE = "INSERT INTO node (store_id, id, resource_id, is_coll, type, created_us, modified_us) SELECT id"
_BOUND_IN_THREADS = (
    f"{_MAKE}, 16, 'a thread', 1, 7, 1, 1 FROM store",
    f"{_BIND}, 2, 'thread', 16, 1, 0, 1, 15, 15 FROM store",
    f"{_BIND}, 16, 'a.eml', 8, 0, 0, 1, 16, 16 FROM store",
)
FIRST = ("store", "user")
"""Others refer to these."""


def config(database: Database) -> Config:
    """Return alembic's configuration as `migrate` makes it."""
    found = Config()
    found.set_main_option("script_location", str(SCRIPTS))
    found.attributes["engine"] = database.engine()
    return found


def make_store(database: Database, revision: str) -> None:
    """Make the tables of a revision with the rows that are in them; those that came later by the migrations between."""
    database.create()
    command.upgrade(config(database), min(revision, OF_ROWS))
    tables: dict[str, Any] = json.loads(ROWS.read_text())
    with database.engine().begin() as connection:
        there = {table: {column["name"] for column in columns} for table, columns in _columns(connection).items()}
        for table in sorted(tables, key=lambda name: (name not in FIRST, name)):
            if table in there:
                connection.exec_driver_sql(f'DELETE FROM "{table}"')  # the one row of `instance`
                _insert(connection, table, tables[table], there[table])
        if database.kind == "postgresql":
            for table in FIRST:
                sequence = f"pg_get_serial_sequence('\"{table}\"', 'id')"
                connection.exec_driver_sql(f'SELECT setval({sequence}, MAX(id)) FROM "{table}"')
    if revision > OF_ROWS:
        command.upgrade(config(database), revision)
    for table, rows in later(revision).items():
        with database.engine().begin() as connection:
            connection.execute(insert(Table(table, MetaData(), *map(Column, rows[0]))), rows)
            if table == "message":
                connection.exec_driver_sql("UPDATE node SET type = 2 WHERE body_id = 12")
            if table == "ace":
                connection.exec_driver_sql(f"UPDATE store SET traits = traits | {HOLDS_ACES} WHERE id = 1")
            if table == "thread":
                for statement in _BOUND_IN_THREADS:
                    connection.exec_driver_sql(statement)


def later(revision: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `LATER` that a store of a revision has."""
    return {table: rows for made, tables in LATER.items() if made <= revision for table, rows in tables.items()}


def _columns(connection: Connection) -> dict[str, Any]:
    found = inspect(connection)
    return {table: found.get_columns(table) for table in found.get_table_names()}


def _insert(connection: Connection, table: str, rows: dict[str, Any], there: set[str]) -> None:
    columns = [name for name in rows["columns"] if name in there]
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join([mark] * len(columns))
    for row in rows["rows"]:
        values = [_value(value) for name, value in zip(rows["columns"], row, strict=True) if name in there]
        connection.exec_driver_sql(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(values))


def _value(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
