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


def sweep_blobs(database: Database, blobs: Blobs, *, now_us: int, upload_seconds: int) -> int:
    """Delete blobs that no row names and that are older than the longest upload; return how many."""
    oldest = now_us / 1_000_000 - upload_seconds
    blobs.sweep_staged(oldest)
    swept = 0
    for owner in database.read(stores.list_owners):
        store_id = database.read(partial(stores.get, owner=owner)).id
        old = {name for name, _, written_at in blobs.list_blobs(store_id) if written_at < oldest}
        claimed = database.read(partial(uploads.list_claimed_blobs, store_id=store_id, now_us=now_us))
        for name in old - claimed:
            blobs.delete(store_id, name)
            swept += 1
    return swept
