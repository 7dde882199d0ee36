"""The asker, the time and the services of one request: the first argument of every use case."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from davstore.blobs import Blobs
from davstore.errors import QuotaExceeded
from davstore.metadata import stores, uploads
from davstore.metadata.database import Database
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.model.principals import Principal
from davstore.policy.quota import charged_bytes

T = TypeVar("T")
Note = Callable[[int, int, int], None]
"""Notes store, epoch and change number outside the database (`Numbers.note`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the use cases bound; the settings say how."""

    inline_bytes: int = 65_536
    propfind_members: int = 10_000
    sync_rows: int = 10_000
    properties_per_node: int = 1_000
    upload_seconds: int = 86_400
    locks_per_user: int = 200
    locks_per_resource: int = 20
    lock_seconds: int = 3_600
    tree_nodes: int = 100_000


def now_us() -> int:
    """Return microseconds since the epoch."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Services:
    """What every request is served from. clock gives microseconds since the epoch.

    drops_litter: what macOS keeps beside a user's files is not kept.
    """

    database: Database
    blobs: Blobs
    limits: Limits = field(default_factory=Limits)
    drops_litter: bool = False
    clock: Callable[[], int] = now_us
    note: Note = lambda _store_id, _epoch, _seq: None

    def context(self, asker: Principal) -> Context:
        """Return the context of the store calls of one request."""
        return Context(asker, self.clock(), self)


@dataclass(frozen=True, slots=True)
class Context:
    """One request's asker, and its time in microseconds since the epoch."""

    asker: Principal
    now_us: int
    services: Services

    def write(self, owner: str, work: Callable[[Unit, Ledger], T]) -> T:
        """Run work with the owner's store locked, and write its counters back; nothing stays of a failure.

        It may run twice: where there is no room, what uploads had reserved that died is given back first.

        Raises:
            NotFound: nobody of that name has a store.
            QuotaExceeded: work added more than the quota has room for.
            DiskFull: work added something, and the disk has room only for what makes room.
        """

        try:
            return self._write(owner, work)
        except QuotaExceeded:
            if not self._release_dead(owner):
                raise
        return self._write(owner, work)

    def _write(self, owner: str, work: Callable[[Unit, Ledger], T]) -> T:
        def locked(unit: Unit) -> tuple[T, Ledger]:
            ledger = stores.lock(unit, owner)
            first_id = ledger.next_id
            value = work(unit, ledger)
            grown = _grown_bytes(ledger) > 0
            if grown:
                require_room(unit, ledger, 0, now_us=self.now_us)
            if grown or ledger.next_id > first_id:
                self.services.blobs.require_room()
            stores.settle(unit, ledger, now_us=self.now_us)
            return value, ledger

        value, ledger = self.services.database.write(locked)
        if ledger.seq != ledger.facts.seq:
            self.services.note(ledger.store_id, ledger.facts.epoch, ledger.seq)
        for blob in ledger.dropped:
            self.services.blobs.delete(ledger.store_id, blob)
        return value

    def _release_dead(self, owner: str) -> bool:
        """Give back what is reserved and held by no upload; whoever was admitted just now looks for room again."""

        store_id = self.services.database.read(lambda unit: stores.get(unit, owner)).id
        names = self.services.database.read(lambda unit: uploads.list_reserved_blobs(unit, store_id))
        dead = [name for name in names if not self.services.blobs.is_held(store_id, name)]

        def work(unit: Unit) -> None:
            stores.lock(unit, owner)
            for name in dead:
                uploads.release(unit, store_id, name)

        if dead:
            self.services.database.write(work)
        return bool(dead)


def find_room(unit: Unit, ledger: Ledger, *, now_us: int) -> int | None:
    """Return the bytes that the quota leaves, beside what is reserved for uploads under way; None without a quota."""
    if ledger.facts.quota_bytes is None:
        return None
    charged = charged_bytes(ledger.used_bytes, ledger.entries)
    return ledger.facts.quota_bytes - charged - uploads.sum_reserved(unit, ledger.store_id, now_us=now_us)


def require_room(unit: Unit, ledger: Ledger, needed_bytes: int, *, now_us: int) -> None:
    """Raise QuotaExceeded unless the store has room for more. What adds nothing always passes (RFC 4331 §3)."""
    if ledger.facts.quota_bytes is None:
        return
    room = find_room(unit, ledger, now_us=now_us)
    grown = _grown_bytes(ledger)
    if room is not None and needed_bytes > room and needed_bytes + grown > 0:
        raise QuotaExceeded(
            used_bytes=_charged_before(ledger) + uploads.sum_reserved(unit, ledger.store_id, now_us=now_us),
            limit_bytes=ledger.facts.quota_bytes or 0,
            needed_bytes=needed_bytes + grown,
        )


def _charged_before(ledger: Ledger) -> int:
    return charged_bytes(ledger.facts.used_bytes, ledger.facts.entries)


def _grown_bytes(ledger: Ledger) -> int:
    return charged_bytes(ledger.used_bytes, ledger.entries) - _charged_before(ledger)
