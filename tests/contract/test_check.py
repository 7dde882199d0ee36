"""Each kind of damage that docs/consistency.md#what-check-finds lists is planted, and found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, Text

from davstore.metadata import jobs
from davstore.metadata.integrity import _DAMAGE, _DAMAGE_OF_DATABASE
from davstore.metadata.integrity_of_rights import OF_RIGHTS
from davstore.metadata.integrity_of_threads import DAMAGE
from davstore.metadata.tables import metadata
from davstore.model.principals import Ability, NamedPrincipal, Principal, PrincipalKind
from davstore.model.states import StateChange
from davstore.store import enrolling, grouping
from davstore.store.checking import list_unfinished
from davstore.store.grouping import ListPatch
from tests.contract.storage import MAIL, Storage

LARGE = b"x" * 1000

PLANTED: dict[str, list[str]] = {
    "binding names a missing node": [
        "DELETE FROM property WHERE node_id = (SELECT node_id FROM binding WHERE name = 'small')",
        "DELETE FROM node WHERE id = (SELECT node_id FROM binding WHERE name = 'small')",
    ],
    "binding in a missing node": ["DELETE FROM node WHERE id = (SELECT node_id FROM binding WHERE name = 'tree')"],
    "binding of another kind than its node": ["UPDATE binding SET is_coll = 0 WHERE name = 'tree'"],
    "binding out of reach": ["DELETE FROM binding WHERE name = 'tree'"],
    "collection bound twice": [
        (
            "INSERT INTO binding (store_id, parent_id, name, node_id, is_coll, moved, area, mapped, changed) "
            "SELECT store_id, parent_id, 'twin', node_id, is_coll, moved, area, mapped + 1, changed "
            "FROM binding WHERE name = 'tree'"
        )
    ],
    "tombstone names a missing node": ["UPDATE gone SET node_id = 999"],
    "tombstone in a missing node": ["UPDATE gone SET parent_id = 999"],
    "property of a missing node": ["UPDATE property SET node_id = 999"],
    "node of another type than its body": ["UPDATE node SET type = 2 WHERE is_coll = 0"],
    "collection of a type that none has": ["UPDATE node SET type = 0 WHERE is_coll = 1"],
    "session history with several session infos": [
        "UPDATE node SET type = 8 WHERE id = (SELECT node_id FROM binding WHERE name = 'tree')",
        "UPDATE node SET type = 4 WHERE is_coll = 0",
    ],
    "keyword of a missing node": ["UPDATE keyword SET node_id = 999"],
    "keyword of a collection": ["UPDATE keyword SET node_id = (SELECT node_id FROM binding WHERE name = 'tree')"],
    "flags of a collection": ["UPDATE node SET flags = 1 WHERE is_coll = 1"],
    "node changed after its store": ["UPDATE node SET modseq = (SELECT seq + 1 FROM store)"],
    "lock of a missing node": [
        (
            "INSERT INTO lock (store_id, token, node_id, principal_id, scope, infinite, expires_us, root) "
            "VALUES ((SELECT id FROM store), 't', 999, 1, 'exclusive', 0, 0, 'x')"
        )
    ],
    "lock in a store that says it holds none": [
        (
            "INSERT INTO lock (store_id, token, node_id, principal_id, scope, infinite, expires_us, root) "
            "VALUES ((SELECT id FROM store), 't', 1, 1, 'exclusive', 0, 0, '')"
        )
    ],
    "node names a missing body": [
        (
            "DELETE FROM body WHERE id = (SELECT body_id FROM node n JOIN binding b ON b.node_id = n.id "
            "WHERE b.name = 'small')"
        )
    ],
    "node without its body": [
        "UPDATE node SET body_id = NULL WHERE id = (SELECT node_id FROM binding WHERE name = 'small')"
    ],
    "node of another length or digest than its body": [
        "UPDATE node SET etag = 'other' WHERE id = (SELECT node_id FROM binding WHERE name = 'small')"
    ],
    "body that no node uses": ["UPDATE node SET body_id = NULL WHERE body_id IS NOT NULL"],
    "body both inline and in a blob, or neither": ["UPDATE body SET inline = NULL WHERE blob IS NULL"],
    "body of another length than its row": ["UPDATE body SET length = length + 1 WHERE blob IS NULL"],
    "broken interval": ["UPDATE binding SET mapped = changed + 1 WHERE name = 'small'"],
    "broken closed interval": ["UPDATE gone SET unmapped = 99999"],
    "overlapping intervals": ["UPDATE gone SET name = 'small', parent_id = 1, unmapped = 6"],
    "counter does not add up": ["UPDATE store SET used_bytes = used_bytes + 1"],
    "blob of another length than its row": ["UPDATE body SET length = length + 1 WHERE blob IS NOT NULL"],
    "store of no user": ["UPDATE store SET owner = 'nobody'"],
    "area without its root": ["DELETE FROM store_root WHERE area = 1"],
    "root of an unknown area": ["INSERT INTO store_root (store_id, area, node_id) SELECT id, 9, 1 FROM store"],
    "root names no collection": ["UPDATE store_root SET node_id = 999 WHERE area = 1"],
    "root of two areas": ["UPDATE store_root SET node_id = 1"],
    "database without the one row that names it": ["DELETE FROM instance"],
    "user without its principal": ["DELETE FROM principal"],
    "user without its store": ["UPDATE store SET owner = 'nobody'"],
    "principal without its user": ['DELETE FROM "user"'],
    "device without its principal": ["DELETE FROM principal WHERE kind = 1"],
    "principal without its device": ["DELETE FROM device"],
    "principal without its service": ["DELETE FROM service"],
    "service without its principal": ["DELETE FROM principal WHERE kind = 2"],
    "device of no user": ["UPDATE principal SET owner_id = 999 WHERE kind = 1"],
    "principal without its list": ["DELETE FROM principal_list"],
    "list without its principal": ["DELETE FROM principal WHERE kind = 4"],
    "list of no user": ["UPDATE principal SET owner_id = 999 WHERE kind = 4"],
    "member of no list": ["UPDATE membership SET list_id = 1"],
    "member of a list that it cannot be in": [
        "UPDATE membership SET member_id = (SELECT id FROM principal WHERE kind = 1)"
    ],
}
PLANTED |= {
    "message in no thread": ["DELETE FROM thread_member"],
    "member of a thread that binds it not": ["DELETE FROM binding WHERE area = 1 AND is_coll = 0"],
    "binding in a thread of no member": [
        (
            "INSERT INTO binding (store_id, parent_id, name, node_id, is_coll, moved, area, mapped, changed) SELECT"
            " thread.store_id, thread.node_id, 'second', binding.node_id, 0, 0, 1, mapped, changed"
            " FROM thread JOIN binding ON binding.store_id = thread.store_id WHERE binding.name = 'small'"
        )
    ],
    "thread without its row": ["DELETE FROM thread"],
    "row of a thread without its members": ["DELETE FROM thread_member"],
    "member of a thread that is no message": [
        "UPDATE thread_member SET node_id = (SELECT node_id FROM binding WHERE name = 'small')"
    ],
    "member of a thread that contradicts its message": ["UPDATE thread_member SET is_read = 1"],
    "thread with wrong counts": ["UPDATE thread SET unread = unread + 1"],
    "key that leads to no thread": ["UPDATE thread_key SET thread_id = 999"],
    "thread of another type": ["UPDATE node SET type = 1 WHERE type = 7"],
}
_ACE = (
    "INSERT INTO ace (store_id, node_id, position, principal_id, denies, privileges)"
    " SELECT id, {}, 0, {}, 0, 1 FROM store"
)
PLANTED |= {
    "access control entry of a missing node": [_ACE.format(999, 1)],
    "access control entry for a missing principal": [_ACE.format(1, 999)],
    "access control entry in a store that says it holds none": [_ACE.format(1, 1)],
}
ALSO_PLANTED: dict[str, list[str]] = {
    "area without its root": ["DELETE FROM store_root WHERE area = 0"],
    "root names no collection": [
        "UPDATE store_root SET node_id = (SELECT node_id FROM binding WHERE name = 'small') WHERE area = 0"
    ],
    "database without the one row that names it": ["INSERT INTO instance (id, incarnation) VALUES ('other', 0)"],
    "store of no user": ["DELETE FROM principal"],
    "user without its principal": ["UPDATE principal SET kind = 1 WHERE kind = 0"],
    "user without its store": ["DELETE FROM store"],
    "counter does not add up": [
        (
            "INSERT INTO job (store_id, id, kind, payload, due_us, attempts, leased_until_us) "
            "VALUES ((SELECT id FROM store), 99, 'tell', '', 0, 0, 0)"
        )
    ],
}
"""Other rows with which the same damage comes."""


@pytest.fixture
def damaged(storage: Storage) -> Storage:
    """Return a storage that has one of everything, and will be damaged."""
    storage.mkcol("tree")
    storage.put("tree/large", LARGE)
    storage.put("tree/gone")
    storage.delete("tree/gone")
    storage.put("small", b"small")
    storage.proppatch("small", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
    storage.mark("small", StateChange(added=frozenset({"x"})))
    storage.put("tree/twin")
    storage.put("mail.eml", MAIL)
    enrolling.add_device(storage.database, "me", "phone", now_us=1)
    enrolling.add_service(storage.database, "recorder", Ability.DELIVER, now_us=1)
    context = replace(storage.context, asker=Principal(enrolling.get_user(storage.database, "me")))
    grouping.make_list(context, "family", ListPatch(members={"": NamedPrincipal(PrincipalKind.USER, "me")}))
    assert storage.check() == []
    storage.is_clean = False
    return storage


def _plant(storage: Storage, *statements: str) -> None:
    """Run statements as a faulty disk would, with no foreign key in the way."""
    is_sqlite = storage.database.kind == "sqlite"
    connection = storage.database.engine().raw_connection()
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF" if is_sqlite else "SET session_replication_role = replica")
    for statement in statements:
        cursor.execute(statement)
    connection.commit()
    connection.close()


def _kinds(storage: Storage) -> set[str]:
    return {finding.kind for finding in storage.check()}


@pytest.mark.parametrize("kind", PLANTED)
def test_rows_that_contradict_each_other(damaged: Storage, kind: str) -> None:
    """Each planted contradiction between rows is found under its own name."""
    _plant(damaged, *PLANTED[kind])
    assert kind in _kinds(damaged)


@pytest.mark.parametrize("kind", ALSO_PLANTED)
def test_other_rows_that_contradict_each_other(damaged: Storage, kind: str) -> None:
    """The same damage is found where other rows show it; where the rows of a store cannot be reached, too."""
    _plant(damaged, *ALSO_PLANTED[kind])
    assert kind in _kinds(damaged)
    list_unfinished(damaged.database, damaged.blobs)


def test_every_kind_is_planted() -> None:
    """A kind of damage that no test plants might never be found."""
    assert {*_DAMAGE, *DAMAGE, *OF_RIGHTS, *_DAMAGE_OF_DATABASE} <= set(PLANTED)


IN_STORES = [name for name, table in metadata.tables.items() if "store_id" in table.primary_key.columns]


@pytest.mark.parametrize("name", IN_STORES)
def test_a_row_of_a_store_that_is_not_there(damaged: Storage, name: str) -> None:
    """In each table; a job of store 0 is the server's."""
    damaged.database.write(lambda unit: jobs.ensure(unit, 1, "sweep", due_us=0))
    table = metadata.tables[name]
    texts = {c.name: "'x'" if isinstance(c.type, Text) else "9" for c in table.columns if not c.nullable}
    blobs = {c.name: "CAST('x' AS %s)" for c in table.columns if isinstance(c.type, LargeBinary) and not c.nullable}
    values = {**texts, **blobs}
    binary = "BLOB" if damaged.database.kind == "sqlite" else "BYTEA"
    columns, row = ", ".join(values), ", ".join(values.values()).replace("%s", binary)
    _plant(damaged, f"INSERT INTO {name} ({columns}) VALUES ({row})")
    assert [(found.kind, found.what) for found in damaged.check()] == [("row of a missing store", f"{name} of store 9")]


def _flip(storage: Storage) -> None:
    file = storage.blob_files[0]
    content = bytearray(file.read_bytes())
    content[500] ^= 1
    file.write_bytes(content)


FILES: dict[str, Callable[[Storage], object]] = {
    "blob is missing": lambda storage: storage.blob_files[0].unlink(),
    "blob of another length than its row": lambda storage: storage.blob_files[0].write_bytes(b"short"),
    "body does not match its digest": _flip,
}


@pytest.mark.parametrize("kind", FILES)
def test_blobs(damaged: Storage, kind: str) -> None:
    """A lost, cut or changed blob is found."""
    FILES[kind](damaged)
    assert kind in _kinds(damaged)


def test_a_blob_that_cannot_be_read(damaged: Storage, tmp_path: Path) -> None:
    """A directory in its place is read as badly as a file on a bad disk."""
    aside = tmp_path / "aside"
    for number in range(20):
        (aside / f"{number}").mkdir(parents=True)
    size_bytes = aside.stat().st_size
    damaged.put("other", b"y" * size_bytes)
    [file] = (file for file in damaged.blob_files if file.stat().st_size == size_bytes)
    file.unlink()
    aside.rename(file)
    assert [(found.kind, found.what) for found in damaged.check()] == [
        ("blob cannot be read", f"{file.name}: Is a directory")
    ]


def test_a_flipped_bit_in_a_small_body(damaged: Storage) -> None:
    """A body in the database is digested too."""
    _plant(damaged, "UPDATE body SET sha256 = 'other' WHERE blob IS NULL")
    assert "body does not match its digest" in _kinds(damaged)


def test_a_broken_page(sqlite_storage: Storage) -> None:
    """SQLite's own check of its pages is asked."""
    for count in range(200):
        sqlite_storage.put(f"m{count}")
    sqlite_storage.is_clean = False
    _plant(sqlite_storage, "PRAGMA writable_schema = ON", "DELETE FROM sqlite_schema WHERE name = 'binding_node'")
    assert "broken page" in _kinds(sqlite_storage)
