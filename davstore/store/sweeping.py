"""Taking away what nobody needs any more: old tombstones, and what crashes left. Every sweep may run twice."""

from __future__ import annotations

from functools import partial

from davstore.blobs import Blobs
from davstore.metadata import history, stores, uploads
from davstore.metadata.engine import Database
from davstore.metadata.unit import Unit


def sweep_history(database: Database, *, now_us: int, keep_seconds: int, keep_changes: int) -> None:
    """Forget the tombstones that are both old and far behind; older tokens are refused from then on."""
    before_us = now_us - keep_seconds * 1_000_000
    for owner in database.read(stores.list_owners):
        database.write(partial(_sweep_store, owner=owner, before_us=before_us, keep_changes=keep_changes))


def _sweep_store(unit: Unit, *, owner: str, before_us: int, keep_changes: int) -> None:
    ledger = stores.lock(unit, owner)
    floor = min(stores.number_at(unit, ledger.store_id, before_us), ledger.seq - keep_changes)
    if floor > ledger.facts.floor:
        stores.set_floor(unit, ledger.store_id, floor)
        history.forget(unit, ledger.store_id, floor)


def sweep_uploads(database: Database, blobs: Blobs) -> None:
    """Take away what uploads left whose process died: reservations, staged files, blobs without a row; at once."""
    blobs.sweep_staged()
    for owner in database.read(stores.list_owners):
        if left := list_leftovers(database, blobs, owner):
            store_id, nameless = database.write(partial(_end_uploads, owner=owner, left=left))
            for name in nameless:
                blobs.delete(store_id, name)


def list_leftovers(database: Database, blobs: Blobs, owner: str) -> set[str]:
    """Return the blobs that were reserved or published, that no row names, and that no upload holds any more.

    A process that is killed leaves them: in the middle of an upload, or before the deletion of what it had replaced.
    Uploads that begin or end meanwhile are not among them.
    """
    store_id = database.read(partial(stores.get, owner=owner)).id
    lying = {name for name, _ in blobs.list_blobs(store_id)}
    lying |= database.read(partial(uploads.list_reserved_blobs, store_id=store_id))
    lying -= database.read(partial(uploads.list_named_blobs, store_id=store_id))
    if left := {name for name in lying if not blobs.is_held(store_id, name)}:
        left -= database.read(partial(uploads.list_named_blobs, store_id=store_id))  # an upload may have ended well
    return left


def _end_uploads(unit: Unit, *, owner: str, left: set[str]) -> tuple[int, set[str]]:
    """Give back what was reserved, and return which blobs are still without a name.

    Whoever died without an answer to its COMMIT had the store locked; with the lock here, that commit is decided. An
    upload that was admitted just now loses its reservation, and nothing else: its last unit looks for room again.
    """
    store_id = stores.lock(unit, owner).store_id
    for name in left:
        uploads.release(unit, store_id, name)
    return store_id, left - uploads.list_named_blobs(unit, store_id)
