"""Each kind of damage that docs/consistency.md#what-check-finds lists is planted, and found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from davstore.metadata.integrity import _DAMAGE
from tests.contract.storage import Storage

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
            "INSERT INTO binding (store_id, parent_id, name, node_id, is_coll, moved, made, mapped, changed) "
            "SELECT store_id, parent_id, 'twin', node_id, is_coll, moved, made, mapped + 1, changed "
            "FROM binding WHERE name = 'tree'"
        )
    ],
    "tombstone names a missing node": ["UPDATE gone SET node_id = 999"],
    "tombstone in a missing node": ["UPDATE gone SET parent_id = 999"],
    "property of a missing node": ["UPDATE property SET node_id = 999"],
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
    "body that nobody names": ["UPDATE node SET body_id = NULL WHERE body_id IS NOT NULL"],
    "body both inline and in a blob, or neither": ["UPDATE body SET inline = NULL WHERE blob IS NULL"],
    "body of another length than its row": ["UPDATE body SET length = length + 1 WHERE blob IS NULL"],
    "broken interval": ["UPDATE binding SET mapped = changed + 1 WHERE name = 'small'"],
    "broken closed interval": ["UPDATE gone SET unmapped = 99999"],
    "overlapping intervals": ["UPDATE gone SET name = 'small', parent_id = 1, unmapped = 6"],
    "counter does not add up": ["UPDATE store SET used_bytes = used_bytes + 1"],
    "blob of another length than its row": ["UPDATE body SET length = length + 1 WHERE blob IS NOT NULL"],
}


@pytest.fixture
def damaged(storage: Storage) -> Storage:
    """Return a storage that has one of everything, and will be damaged."""
    storage.mkcol("tree")
    storage.put("tree/large", LARGE)
    storage.put("tree/gone")
    storage.delete("tree/gone")
    storage.put("small", b"small")
    storage.proppatch("small", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
    assert storage.check() == []
    storage.is_clean = False
    return storage


def _plant(storage: Storage, *statements: str) -> None:
    engine = storage.database.engine()
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def _kinds(storage: Storage) -> set[str]:
    return {finding.kind for finding in storage.check()}


@pytest.mark.parametrize("kind", PLANTED)
def test_rows_that_contradict_each_other(damaged: Storage, kind: str) -> None:
    """Each planted contradiction between rows is found under its own name."""
    _plant(damaged, *PLANTED[kind])
    assert kind in _kinds(damaged)


def test_every_kind_is_planted() -> None:
    """A kind of damage that no test plants might never be found."""
    assert set(_DAMAGE) <= set(PLANTED)


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
