"""Sweeps: old tombstones, and leftovers of crashes, are taken away. Every sweep may run twice."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import NotFound
from davstore.metadata import dispositions, locks, stores, tombstones, uploads
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit

SWEPT_ROWS = 10_000
"""Tombstones of one unit: a tenth of a second, for which all writers wait."""


def sweep_history(database: Database, *, now_us: int, keep_seconds: int, keep_changes: int) -> None:
    """Forget the tombstones that are both old and far behind; older tokens are refused from then on."""
    for owner in database.read(stores.list_owners):
        sweep = partial(
            _sweep_store,
            owner=owner,
            now_us=now_us,
            before_us=now_us - keep_seconds * 1_000_000,
            keep_changes=keep_changes,
        )
        with contextlib.suppress(NotFound):  # the user was removed meanwhile
            while database.write(sweep):
                pass


def _sweep_store(unit: Unit, *, owner: str, now_us: int, before_us: int, keep_changes: int) -> bool:
    """Delete locks that expired, some tombstones, and some dispositions without a message; True: there may be more.

    The charge of the tombstones is given back.
    """
    ledger = stores.lock(unit, owner)
    floor = min(stores.number_at(unit, ledger.store_id, before_us), ledger.seq - keep_changes)
    if floor > ledger.facts.floor:
        stores.set_floor(unit, ledger.store_id, floor)
    locks.sweep_locks(unit, ledger.store_id, now_us=now_us)
    more = tombstones.forget(unit, ledger, max(floor, ledger.facts.floor), limit=SWEPT_ROWS)
    more |= dispositions.sweep(unit, ledger.store_id, before_us=before_us, now_us=now_us, limit=SWEPT_ROWS)
    stores.settle(unit, ledger, now_us=now_us)
    return more


class Swept(NamedTuple):
    """The number of blobs that a sweep set aside, and their bytes."""

    blobs: int
    size_bytes: int


def sweep_uploads(database: Database, blobs: Blobs, *, now_us: int) -> Swept:
    """Take away the leftovers of uploads whose process died.

    Reservations and staged files go at once. Blobs without a row are set aside a day after they were first seen so:
    a database that is the wrong one, or was put back from a copy, names none of them either.
    """
    blobs.sweep_staged()
    blobs.forget_lost(now_us=now_us)
    count = size_bytes = 0
    for owner in database.read(stores.list_owners):
        with contextlib.suppress(NotFound):  # the user was removed meanwhile
            store_id = database.read(partial(stores.get, owner=owner)).id
            left, nameless = list_leftovers(database, blobs, store_id), set[str]()
            if left.published or left.reserved:
                nameless = database.write(partial(_end_uploads, owner=owner, left=left))
            taken = blobs.set_aside(store_id, nameless, now_us=now_us)
            count, size_bytes = count + taken[0], size_bytes + taken[1]
    owned = {store_id for store_id, _, _ in database.read(stores.list_numbers)}
    for store_id in set(blobs.list_stores()) - owned:  # its user was removed, and not all of it could be deleted then
        nameless = {name for name, _ in blobs.list_blobs(store_id) if not blobs.is_held(store_id, name)}
        taken = blobs.set_aside(store_id, nameless, now_us=now_us)
        count, size_bytes = count + taken[0], size_bytes + taken[1]
    return Swept(count, size_bytes)


def has_dead_uploads(database: Database, blobs: Blobs) -> bool:
    """Tell whether bytes are promised to an upload that no process makes; one that has just begun looks so too."""
    return any(not blobs.is_held(store_id, blob) for store_id, blob in database.look(uploads.list_reserved))


class Leftovers(NamedTuple):
    """Blobs that no row names and no upload holds: those that lie there, and those that were only reserved."""

    published: set[str]
    reserved: set[str]


def list_leftovers(database: Database, blobs: Blobs, store_id: int) -> Leftovers:
    """Return the leftovers of processes that were killed in the middle of an upload, or before a deletion.

    An upload holds its blob from the first byte until its row is committed, so a published blob without holder and row
    is garbage. A reservation may belong to an upload that has just begun and has no file yet.
    """
    published = {name for name, _ in blobs.list_blobs(store_id)}
    reserved = database.read(partial(uploads.list_reserved_blobs, store_id=store_id)) - published
    named = database.read(partial(uploads.list_named_blobs, store_id=store_id))
    free = {name for name in (published | reserved) - named if not blobs.is_held(store_id, name)}
    if free:
        free -= database.read(partial(uploads.list_named_blobs, store_id=store_id))  # an upload may have ended well
    return Leftovers(published & free, reserved & free)


def _end_uploads(unit: Unit, *, owner: str, left: Leftovers) -> set[str]:
    """Give back the reserved bytes, and return which of the published blobs are still without a name.

    A process that died without an answer to its COMMIT had locked the store; with the lock here, that commit is
    decided. An upload that has just begun loses its reservation, and nothing else: its last unit looks for room
    again, and its blob is not to be taken.
    """
    store_id = stores.lock(unit, owner).store_id
    for name in left.published | left.reserved:
        uploads.release(unit, store_id, name)
    return left.published - uploads.list_named_blobs(unit, store_id)
