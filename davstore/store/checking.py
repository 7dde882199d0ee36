"""Looking for damage (DECISIONS 37). Nothing is repaired here, and nothing written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import CorruptBlob
from davstore.metadata import integrity, stores, uploads
from davstore.metadata.engine import Database
from davstore.metadata.integrity import BodyRow
from davstore.metadata.unit import Unit


class Finding(NamedTuple):
    """One damage: whose store, of which kind, and which row or blob."""

    store: str
    kind: str
    what: str


def check(database: Database, blobs: Blobs, *, now_us: int, read_data: bool = False) -> list[Finding]:
    """Return every damage that one snapshot shows; read_data also reads and digests every body.

    A running server does no harm: a blob that was published and is not yet named counts only when no upload claims it.
    """

    def work(unit: Unit) -> list[Finding]:
        found = [Finding("", "broken page", page) for page in integrity.each_bad_page(unit)]
        for owner in stores.list_owners(unit):
            store_id = stores.get(unit, owner).id
            found += [Finding(owner, kind, what) for kind, what in integrity.each_damage(unit, store_id)]
            found += [
                Finding(owner, kind, what)
                for kind, what in _damaged_bodies(unit, blobs, store_id, now_us=now_us, read_data=read_data)
            ]
        return found

    return database.read(work)


def _damaged_bodies(
    unit: Unit, blobs: Blobs, store_id: int, *, now_us: int, read_data: bool
) -> Iterator[tuple[str, str]]:
    lengths = {name: length for name, length, _ in blobs.list_blobs(store_id)}
    for row in integrity.each_body(unit, store_id):
        if row.blob is not None and row.blob not in lengths:
            yield "blob is missing", row.blob
        elif row.blob is not None and lengths[row.blob] != row.length:
            yield "blob of another length than its row", row.blob
        elif read_data and _digest(blobs, store_id, row) != row.sha256:
            yield "body does not match its digest", row.blob or str(row.id)
    claimed = uploads.list_claimed_blobs(unit, store_id, now_us=now_us)
    yield from (("blob that nobody names", name) for name in lengths.keys() - claimed)


def _digest(blobs: Blobs, store_id: int, row: BodyRow) -> str:
    if row.blob is None:
        return hashlib.sha256(row.inline or b"").hexdigest()
    digest = hashlib.sha256()
    try:
        reader = blobs.open(store_id, row.blob)
        try:
            for piece in reader.read(0, row.length):
                digest.update(piece)
        finally:
            reader.close()
    except CorruptBlob:
        return ""
    return digest.hexdigest()
