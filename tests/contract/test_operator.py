"""The operator's use cases on a store that others use meanwhile."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from davstore.errors import NotFound
from davstore.metadata import uploads
from davstore.model.locks import LockInfo, LockScope
from davstore.model.paths import Path
from davstore.store import enrolling, locking, putting
from davstore.store.putting import NewContent
from tests.contract.storage import Storage, count_rows

LARGE = b"L" * 1_000


@pytest.fixture
def two(storage: Storage) -> Storage:
    """Return a storage with two users, in the store of the second."""
    for name in ("bob", "alice"):
        enrolling.add_user(storage.database, name, "geheim", now_us=1)
        enrolling.add_device(storage.database, name, "phone", now_us=1)
        storage.owner = name
        storage.mkcol("t")
        storage.put("t/large", LARGE)
        storage.put("t/gone")
        storage.delete("t/gone")
        storage.proppatch("t", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
        locking.lock(storage.context, storage.at("t"), LockInfo(LockScope.EXCLUSIVE, None), infinite=True, seconds=None)
    return storage


def test_a_user_goes_with_everything_and_nothing_of_others(two: Storage) -> None:
    store_id = two.facts.id
    two.database.write(
        lambda unit: uploads.reserve(unit, store_id, "dead", reserved_bytes=1, expires_us=2**60, now_us=0)
    )
    enrolling.remove_user(two.database, two.blobs, "alice")
    left = {"binding": 2, "body": 1, "device": 1, "gone": 1, "instant": 1, "lock": 1, "property": 1, "upload": 0}
    assert count_rows(two, [*left]) == left
    assert [account.user.name for account in enrolling.list_users(two.database)] == ["bob", "me"]
    assert len(two.blob_files) == 1
    for refused in (lambda: two.put("x"), lambda: two.get("t/large"), lambda: two.names(), lambda: two.report()):
        with pytest.raises(NotFound):
            refused()
    two.owner = "bob"
    assert two.get("t/large") == LARGE
    with pytest.raises(NotFound):
        enrolling.remove_user(two.database, two.blobs, "alice")


def test_a_body_that_is_on_its_way_finds_no_store(two: Storage) -> None:
    class Removing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 0:
                enrolling.remove_user(two.database, two.blobs, "alice")
            return super().read(size)

    services = replace(two.context.services, limits=replace(two.limits, inline_bytes=10))
    context = replace(two.context, services=services)
    with pytest.raises(NotFound):
        putting.put(context, two.at("new"), NewContent(Removing(LARGE), len(LARGE), None))
    assert len(two.blob_files) == 1
    enrolling.add_user(two.database, "alice", "geheim", now_us=2)
    assert (two.names(), two.facts.used_bytes) == ([], 0)


def test_a_lock_ends_at_the_operators_word(two: Storage) -> None:
    held, other = locking.list_all(two.database, None, now_us=two.now_us)
    assert (held.root, other.root.store) == (Path("bob", ("t",)), "alice")
    with pytest.raises(NotFound):
        locking.end(two.database, "alice", held.token, now_us=two.now_us)
    locking.end(two.database, "bob", held.token, now_us=two.now_us)
    assert locking.list_all(two.database, None, now_us=two.now_us) == [other]
    assert locking.list_all(two.database, "bob", now_us=two.now_us) == []
    two.owner = "bob"
    two.put("t/new")
