"""One unit of writing: a store is locked, a `Writer` changes it, the effects follow, and all is committed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from davstore.engine import effects, room
from davstore.engine.context import Context
from davstore.engine.rights import is_guest, require_named
from davstore.engine.writer import Writer
from davstore.errors import QuotaExceeded
from davstore.metadata import stores
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Path

T = TypeVar("T")


def write(context: Context, path: Path, work: Callable[[Writer], T]) -> T:
    """Run work with the store of a path locked, and write its counters back; nothing stays of a failure.

    It may run twice: where there is no room, the reservations of dead uploads are given back first.

    Raises:
        NotFound: no user of that name has a store.
        QuotaExceeded: work added more than the quota has room for.
        DiskFull: work added nodes, bodies, names or bytes, and only the reserved space of the disk is left.
    """
    return write_and_tell(context, path, work)[0]


def write_and_tell(context: Context, path: Path, work: Callable[[Writer], T]) -> tuple[T, StoreFacts]:
    """Run work as `write` does; return also the store as this unit left it, for a sync token. Raises as `write`."""
    try:
        return _write(context, path, work)
    except QuotaExceeded:
        if not room.release_dead(context.services, path.store):
            raise
    return _write(context, path, work)


def _write(context: Context, path: Path, work: Callable[[Writer], T]) -> tuple[T, StoreFacts]:
    services = context.services
    if is_guest(context.asker, path):
        services.database.read(lambda unit: require_named(context, unit, path))

    def locked(unit: Unit) -> tuple[T, Ledger]:
        ledger = stores.lock(unit, path.store, path.area)
        writer = Writer(context, unit, ledger)
        value = work(writer)
        effects.follow(writer)
        grown = room.grown_bytes(writer) > 0
        if grown:
            room.require_room(writer, 0)
        if grown or ledger.makes_content:  # what only deletes, and the jobs that it leaves, may use the reserve
            services.blobs.require_room()
        stores.settle(unit, ledger, now_us=context.now_us)
        return value, ledger

    value, ledger = services.database.write(locked)
    if ledger.seq != ledger.facts.seq:
        services.note(ledger.store_id, ledger.facts.epoch, ledger.seq)
    for blob in ledger.dropped:
        services.blobs.delete(ledger.store_id, blob)
    return value, ledger.facts._replace(seq=ledger.seq)
