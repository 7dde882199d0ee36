"""The row of a store: its counters, and the lock that orders its writes (DECISIONS 10, 29, 30)."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field

from sqlalchemy import bindparam, delete, func, insert, select, update

from davstore.errors import NotFound
from davstore.metadata.tables import KIND_COLLECTION, instant, node, store
from davstore.metadata.unit import Statement, Unit
from davstore.model.nodes import StoreFacts

SAMPLE_US = 3_600_000_000
"""How often a change number is written down with its time: an hour is fine enough for a history of weeks."""

FACTS = (
    store.c.id,
    store.c.owner,
    store.c.epoch,
    store.c.seq,
    store.c.floor,
    store.c.used_bytes,
    store.c.quota_bytes,
    store.c.root_id,
)
"""The columns of `StoreFacts`."""
_BY_OWNER = Statement(select(*FACTS).where(store.c.owner == bindparam("owner")))
_LOCK = Statement(
    select(*FACTS, store.c.next_id, store.c.sampled_us).where(store.c.owner == bindparam("owner")).with_for_update()
)
_SETTLE = Statement(
    update(store)
    .where(store.c.id == bindparam("id_"))
    .values(seq=bindparam("seq"), next_id=bindparam("next_id"), used_bytes=bindparam("used_bytes"))
)
_SAMPLE = Statement(insert(instant))
_SAMPLED = Statement(update(store).where(store.c.id == bindparam("id_")).values(sampled_us=bindparam("at_us")))
_CREATE = Statement(
    insert(store)
    .values(
        owner=bindparam("owner"),
        epoch=bindparam("epoch"),
        seq=0,
        floor=0,
        next_id=3,
        root_id=1,
        threads_id=2,
        used_bytes=0,
        quota_bytes=bindparam("quota_bytes"),
        sampled_us=0,
    )
    .returning(store.c.id)
)
_ROOT = Statement(
    insert(node).values(
        store_id=bindparam("store_id"),
        id=bindparam("id"),
        resource_id=bindparam("resource_id"),
        kind=KIND_COLLECTION,
        created_us=bindparam("now_us"),
        modified_us=bindparam("now_us"),
    )
)
_SET_QUOTA = Statement(update(store).where(store.c.id == bindparam("id_")).values(quota_bytes=bindparam("quota_bytes")))
_OWNERS = Statement(select(store.c.owner).order_by(store.c.id))
_IDS = Statement(select(store.c.id))
_SET_EPOCH = Statement(update(store).where(store.c.id == bindparam("id_")).values(epoch=bindparam("epoch")))
_OLD_ENOUGH = Statement(
    select(func.max(instant.c.seq)).where(
        instant.c.store_id == bindparam("store_id"), instant.c.at_us <= bindparam("at_us")
    )
)
_SET_FLOOR = Statement(update(store).where(store.c.id == bindparam("id_")).values(floor=bindparam("floor")))
_FORGET_INSTANTS = Statement(
    delete(instant).where(instant.c.store_id == bindparam("store_id"), instant.c.seq < bindparam("floor"))
)


@dataclass(slots=True)
class Ledger:
    """The row of a locked store: numbers, ids and bytes are taken here and written back by `settle`."""

    facts: StoreFacts
    seq: int
    next_id: int
    used_bytes: int
    sampled_us: int
    dropped: list[str] = field(default_factory=list)
    """Blobs that this unit left without a name: their files go after the commit."""

    @property
    def store_id(self) -> int:
        """The id of the store."""
        return self.facts.id

    def number(self) -> int:
        """Take the next change number."""
        self.seq += 1
        return self.seq

    def new_id(self) -> int:
        """Take an id for a node or a body."""
        self.next_id += 1
        return self.next_id - 1


def create(unit: Unit, owner: str, *, now_us: int, quota_bytes: int | None = None) -> int:
    """Make an empty store and return its id. Its epoch is random, so that no token of another store fits."""
    row = unit.one(_CREATE, {"owner": owner, "epoch": secrets.randbits(48), "quota_bytes": quota_bytes})
    if row is None:
        raise NotFound(owner)
    store_id: int = row[0]
    for root in (1, 2):
        unit.run(_ROOT, {"store_id": store_id, "id": root, "resource_id": str(uuid.uuid4()), "now_us": now_us})
    return store_id


def get(unit: Unit, owner: str) -> StoreFacts:
    """Return the row of a store.

    Raises:
        NotFound: nobody of that name has one.
    """
    row = unit.one(_BY_OWNER, {"owner": owner})
    if row is None:
        raise NotFound(owner)
    return StoreFacts._make(row)


def lock(unit: Unit, owner: str) -> Ledger:
    """Lock a store: the first statement of every unit that writes to it, before any check (SYNC.md I1).

    Raises:
        NotFound: nobody of that name has one.
    """
    row = unit.one(_LOCK, {"owner": owner})
    if row is None:
        raise NotFound(owner)
    facts = StoreFacts._make(row[:-2])
    return Ledger(facts, facts.seq, row[-2], facts.used_bytes, row[-1])


def settle(unit: Unit, ledger: Ledger, *, now_us: int) -> None:
    """Write the counters back, when something was taken from them."""
    facts = ledger.facts
    if ledger.seq == facts.seq and ledger.used_bytes == facts.used_bytes:
        return
    values = {"id_": facts.id, "seq": ledger.seq, "next_id": ledger.next_id, "used_bytes": ledger.used_bytes}
    unit.run(_SETTLE, values)
    if now_us - ledger.sampled_us >= SAMPLE_US:
        unit.run(_SAMPLE, {"store_id": facts.id, "seq": ledger.seq, "at_us": now_us})
        unit.run(_SAMPLED, {"id_": facts.id, "at_us": now_us})


def set_quota(unit: Unit, store_id: int, quota_bytes: int | None) -> None:
    """Set how many bytes the store may hold; None: as many as the disk."""
    unit.run(_SET_QUOTA, {"id_": store_id, "quota_bytes": quota_bytes})


def list_owners(unit: Unit) -> list[str]:
    """Return the owner of every store."""
    return [row[0] for row in unit.all(_OWNERS, {})]


def renew_epochs(unit: Unit) -> int:
    """Give every store a new random epoch, so that no sync token from before fits; return how many stores there are."""
    rows = [{"id_": row[0], "epoch": secrets.randbits(48)} for row in unit.all(_IDS, {})]
    unit.many(_SET_EPOCH, rows)
    return len(rows)


def number_at(unit: Unit, store_id: int, at_us: int) -> int:
    """Return a change number that was surely given by then, 0 when none is known."""
    row = unit.one(_OLD_ENOUGH, {"store_id": store_id, "at_us": at_us})
    return row[0] if row and row[0] else 0


def set_floor(unit: Unit, store_id: int, floor: int) -> None:
    """Refuse tokens from before floor from now on: the tombstones up to it are swept."""
    unit.run(_SET_FLOOR, {"id_": store_id, "floor": floor})
    unit.run(_FORGET_INSTANTS, {"store_id": store_id, "floor": floor})
