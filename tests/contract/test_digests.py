"""Digests and lengths that a client announces: held against the body, and kept for clients that compare (RFC 9530)."""

from __future__ import annotations

import hashlib
import io

import pytest

from davstore.errors import Malformed
from davstore.model.facets import CHECKSUMS
from davstore.protocol.http.integrity import IntegrityFields
from davstore.store import putting
from davstore.store.putting import NewContent, Written
from tests.contract.storage import INLINE_BYTES, START_US, Storage, count_rows

BODIES = [b"small", b"L" * (INLINE_BYTES + 1)]
LONG_AGO_US = START_US - 86_400_000_000


def put(storage: Storage, body: bytes, promises: IntegrityFields, modified_us: int | None = None) -> Written:
    content = NewContent(io.BytesIO(body), None, "text/plain", promises, modified_us)
    return putting.put(storage.context, storage.at("a"), content)


def checksums(storage: Storage, text: str) -> list[str]:
    listing = storage.listing(text, depth=1, facets={CHECKSUMS})
    told = (listing.facets.of(CHECKSUMS).get(one.node_id) for one in listing.resources)
    return [checksum for checksum in told if checksum is not None]


@pytest.mark.parametrize("body", BODIES, ids=len)
def test_a_broken_promise_leaves_what_was_there(storage: Storage, body: bytes) -> None:
    storage.put("a", b"old")
    for promises in (
        IntegrityFields({"sha256": "0" * 64}),
        IntegrityFields({"sha1": "0" * 40}, compared=True),
        IntegrityFields({"sha256": hashlib.sha256(body).hexdigest(), "md5": "0" * 32}),
        IntegrityFields(length=len(body) - 1),
        IntegrityFields(length=len(body) + 1),
    ):
        with pytest.raises(Malformed):
            put(storage, body, promises)
    assert storage.get("a") == b"old"
    assert storage.blob_files == []
    assert count_rows(storage, ["body", "upload"]) == {"body": 1, "upload": 0}


@pytest.mark.parametrize("body", BODIES, ids=len)
def test_checksums_go_with_the_body(storage: Storage, body: bytes) -> None:
    sha1, md5 = (hashlib.new(name, body, usedforsecurity=False).hexdigest() for name in ("sha1", "md5"))
    put(storage, body, IntegrityFields({"sha1": sha1}, length=len(body), compared=True))
    storage.copy("a", "b")
    storage.move("a", "c")
    storage.put("d", body)
    assert checksums(storage, "") == [f"SHA1:{sha1} MD5:{md5}"] * 2
    storage.put("b", body)
    assert checksums(storage, "b") == []
    assert checksums(storage, "c") == [f"SHA1:{sha1} MD5:{md5}"]


def test_the_time_of_the_client_wins_once(storage: Storage) -> None:
    storage.put("a")
    for modified_us in (LONG_AGO_US, START_US + 86_400_000_000):
        written = put(storage, b"new", IntegrityFields(), modified_us)
        assert written.resource.modified_us == modified_us == storage.find("a").modified_us
    assert storage.put("a").resource.modified_us > modified_us
