"""Quota: what counts, what is promised to uploads under way, and what a full store still allows (ADR 23)."""

from __future__ import annotations

import io

import pytest

from davstore.engine.receiving import GROWTH_BYTES
from davstore.errors import PreconditionFailed, QuotaExceeded
from davstore.metadata import stores, uploads
from davstore.model.conditions import Preconditions
from davstore.protocol.http.headers import parse_etags
from davstore.store import putting
from davstore.store.putting import NewContent
from tests.contract.storage import Storage, count_rows


@pytest.fixture
def full(storage: Storage) -> Storage:
    """Return a storage whose store holds 1,000 bytes and may hold no more."""
    storage.add_store("full", quota_bytes=1_000)
    storage.put("large", b"L" * 900)
    storage.put("small", b"s" * 100)
    return storage


def test_the_last_byte_fits_and_the_next_does_not(full: Storage) -> None:
    assert full.facts.used_bytes == 1_000
    for content, chunked in ((b"x", False), (b"x" * 300, False), (b"x" * 300, True)):
        with pytest.raises(QuotaExceeded):
            full.put("more", content, chunked=chunked)
    full.put("empty", b"")
    full.mkcol("c")
    assert (full.names(), len(full.blob_files), full.facts.used_bytes) == (["c", "empty", "large", "small"], 1, 1_000)


def test_at_nothing_left_a_body_of_equal_size_is_replaced(full: Storage) -> None:
    full.put("small", b"t" * 100)
    full.put("large", b"M" * 900)
    assert (full.get("small"), full.get("large"), full.facts.used_bytes) == (b"t" * 100, b"M" * 900, 1_000)
    for name, content in (("small", b"x" * 101), ("large", b"x" * 901)):
        old = full.get(name)
        with pytest.raises(QuotaExceeded):
            full.put(name, content)
        assert full.get(name) == old
    full.put("large", b"M" * 800)
    full.put("small", b"t" * 200)


def test_what_a_dead_upload_had_reserved_is_given_back_when_it_is_needed(full: Storage) -> None:
    """A living upload keeps its reservation, and an answer of 507 counts it as used."""

    def reserve(name: str) -> None:
        full.database.write(
            lambda unit: uploads.reserve(unit, full.facts.id, name, reserved_bytes=600, expires_us=2**60, now_us=0)
        )

    full.delete("large")
    reserve("alive")
    staged = full.blobs.stage(full.facts.id, "alive")
    for content, chunked in ((b"x" * 301, False), (b"x" * 301, True), (b"x" * 301, False)):
        with pytest.raises(QuotaExceeded) as refused:
            full.put("new", content, chunked=chunked)
        assert refused.value.used_bytes >= 700
    reserve("dead")
    full.put("new", b"x" * 300)
    assert (full.facts.used_bytes, count_rows(full, ["upload"])) == (400, {"upload": 1})
    staged.close()
    full.put("other", b"x" * 600)
    assert (full.facts.used_bytes, count_rows(full, ["upload"])) == (1_000, {"upload": 0})


def test_properties_and_copies_count(full: Storage) -> None:
    with pytest.raises(QuotaExceeded):
        full.proppatch("small", ("{urn:x}p", b'<p xmlns="urn:x"/>'))
    with pytest.raises(QuotaExceeded):
        full.copy("small", "copy")
    assert (full.properties("small"), full.names()) == ({}, ["large", "small"])
    full.copy("small", "large")
    assert full.facts.used_bytes == 200
    full.move("small", "moved")
    assert full.facts.used_bytes == 200


def test_a_smaller_quota_than_what_is_used_lets_things_shrink(full: Storage) -> None:
    full.database.write(lambda unit: stores.set_quota(unit, full.facts.id, 10))
    full.put("small", b"t" * 50)
    full.move("small", "c")
    full.delete("large")
    with pytest.raises(QuotaExceeded):
        full.put("x", b"1")


def test_the_error_says_how_much_is_missing(full: Storage) -> None:
    with pytest.raises(QuotaExceeded) as caught:
        full.put("more", b"x" * 7)
    error = caught.value
    assert (error.used_bytes, error.limit_bytes, error.needed_bytes) == (1_000, 1_000, 7)


def test_an_upload_under_way_holds_its_room(storage: Storage) -> None:
    storage.add_store("narrow", quota_bytes=1_000)
    store_id = storage.facts.id
    expires_us = storage.now_us + 100_000_000

    storage.database.write(
        lambda unit: uploads.reserve(
            unit, store_id, "blob", reserved_bytes=600, expires_us=expires_us, now_us=storage.now_us
        )
    )
    staged = storage.blobs.stage(store_id, "blob")
    with pytest.raises(QuotaExceeded):
        storage.put("x", b"x" * 401)
    storage.put("x", b"x" * 400)
    storage.now_us = expires_us
    storage.put("y", b"y" * 600)
    assert count_rows(storage, ["upload"]) == {"upload": 0}
    staged.close()


class Watched(io.BytesIO):
    """A body that notes what is promised while it is read."""

    def __init__(self, content: bytes, storage: Storage) -> None:
        super().__init__(content)
        self._storage = storage
        self.promised: set[int] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        storage = self._storage
        store_id = storage.facts.id
        self.promised.add(
            storage.database.read(lambda unit: uploads.sum_reserved(unit, store_id, now_us=storage.now_us))
        )
        return super().read(size)


def test_an_upload_reserves_what_it_declares_and_no_more(storage: Storage) -> None:
    storage.add_store("narrow", quota_bytes=600_000)
    content = Watched(b"x" * 500_000, storage)
    putting.put(storage.context, storage.at("x"), NewContent(content, 500_000, None))
    assert content.promised == {500_000}, "nothing is read before"
    assert count_rows(storage, ["upload"]) == {"upload": 0}


def test_of_a_large_body_that_is_refused_nothing_is_read(full: Storage) -> None:
    """A server that read it would invite it with `100 Continue` first (RFC 9110 §10.1.1)."""
    content = io.BytesIO(b"x" * 2_000)
    with pytest.raises(QuotaExceeded):
        putting.put(full.context, full.at("more"), NewContent(content, 2_000, None))
    conditions = Preconditions(if_none_match=parse_etags("*"))
    with pytest.raises(PreconditionFailed):
        putting.put(full.context, full.at("large"), NewContent(content, 2_000, None), conditions)
    assert content.tell() == 0


def test_a_chunked_upload_reserves_by_the_megabyte_and_stops_at_the_quota(storage: Storage) -> None:
    storage.add_store("narrow", quota_bytes=5 * GROWTH_BYTES // 2)
    content = Watched(b"x" * (2 * GROWTH_BYTES), storage)
    putting.put(storage.context, storage.at("x"), NewContent(content, None, None))
    assert content.promised == {0, GROWTH_BYTES, 2 * GROWTH_BYTES}
    storage.delete("x")
    endless = Watched(b"x" * (9 * GROWTH_BYTES), storage)
    with pytest.raises(QuotaExceeded):
        putting.put(storage.context, storage.at("y"), NewContent(endless, None, None))
    assert endless.tell() < 4 * GROWTH_BYTES
    assert (storage.names(), storage.blob_files, count_rows(storage, ["upload"])) == ([], [], {"upload": 0})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_of_equal_length_passes_at_zero_available(storage: Storage, chunked: bool) -> None:
    """RFC 4331 §3: what adds nothing needs no room, whether its length is known or not."""
    storage.add_store("narrow", quota_bytes=2_000)
    storage.put("x", b"x" * 2_000)
    storage.put("x", b"y" * 2_000, chunked=chunked)
    assert storage.get("x") == b"y" * 2_000
    with pytest.raises(QuotaExceeded):
        storage.put("x", b"z" * 2_001, chunked=chunked)
    assert storage.get("x") == b"y" * 2_000


def test_a_chunked_upload_that_fits_needs_no_megabyte(storage: Storage) -> None:
    storage.add_store("narrow", quota_bytes=2_000)
    storage.put("x", b"x" * 1_900, chunked=True)
    assert storage.facts.used_bytes == 1_900
