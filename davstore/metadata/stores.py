"""The row of a store: its counters, and the lock that orders its writes (ADR 22)."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from davstore.errors import NotFound
from davstore.metadata.statements import Row, Statement, Write
from davstore.metadata.tables import instant, metadata, node, store, store_root
from davstore.metadata.unit import Unit
from davstore.model.nodes import ResourceType, StoreFacts
from davstore.model.paths import Area

R = TypeVar("R", bound=Row)

SAMPLE_US = 3_600_000_000
"""How often a change number is written down with its time: an hour is fine enough for a history of weeks."""

ROOTS: Final = tuple(area.value for area in Area)
"""The areas that each store has a root for."""
FACTS = (
    store.c.id,
    store.c.owner,
    store.c.epoch,
    store.c.seq,
    store.c.floor,
    store.c.used_bytes,
    store.c.quota_bytes,
    store_root.c.node_id,
    store_root.c.area,
    store.c.entries,
    store.c.traits,
)
"""The columns of `StoreFacts`."""
ROOTED = store.join(store_root, and_(store_root.c.store_id == store.c.id, store_root.c.area == bindparam("area")))
"""The tables they come from. A statement on them takes the number of an area."""


class _Counters(NamedTuple):
    """The columns of a locked store that `StoreFacts` lacks."""

    next_id: int
    sampled_us: int
    unmapped_us: int


_BY_OWNER = Statement(select(*FACTS).select_from(ROOTED).where(store.c.owner == bindparam("owner")), StoreFacts)
_LOCK = Statement(
    select(*FACTS, store.c.next_id, store.c.sampled_us, store.c.unmapped_us)
    .select_from(ROOTED)
    .where(store.c.owner == bindparam("owner"))
    .with_for_update(of=store),
    StoreFacts,
    _Counters,
)
_ROOT_OF = Statement[tuple[int]](
    select(store_root.c.node_id).where(
        store_root.c.store_id == bindparam("store_id"), store_root.c.area == bindparam("area")
    )
)
_SETTLE = Write(
    update(store)
    .where(store.c.id == bindparam("id_"))
    .values({name: bindparam(name) for name in ("seq", "next_id", "used_bytes", "entries", "unmapped_us")})
)
_SAMPLE = Write(insert(instant))
_SAMPLED = Write(update(store).where(store.c.id == bindparam("id_")).values(sampled_us=bindparam("at_us")))
_CREATE = Statement[tuple[int]](
    insert(store)
    .values(
        owner=bindparam("owner"),
        epoch=bindparam("epoch"),
        seq=0,
        floor=0,
        next_id=1 + len(ROOTS),
        traits=0,
        used_bytes=0,
        entries=0,
        quota_bytes=bindparam("quota_bytes"),
        sampled_us=0,
    )
    .returning(store.c.id)
)
_ROOT = (
    Write(
        insert(node).values(
            store_id=bindparam("store_id"),
            id=bindparam("id"),
            resource_id=bindparam("resource_id"),
            is_coll=1,
            type=int(ResourceType.COLLECTION),
            created_us=bindparam("now_us"),
            modified_us=bindparam("now_us"),
        )
    ),
    Write(insert(store_root).values(store_id=bindparam("store_id"), area=bindparam("area"), node_id=bindparam("id"))),
)
_SET_QUOTA = Write(update(store).where(store.c.id == bindparam("id_")).values(quota_bytes=bindparam("quota_bytes")))
_OWNERS = Statement[tuple[str]](select(store.c.owner).order_by(store.c.id))
_NUMBERS = Statement[tuple[int, int, int]](select(store.c.id, store.c.epoch, store.c.seq).order_by(store.c.id))
_RENEW = Write(update(store).where(store.c.id == bindparam("id_")).values(epoch=bindparam("epoch")))
_OLD_ENOUGH = Statement[tuple[int | None]](
    select(func.max(instant.c.seq)).where(
        instant.c.store_id == bindparam("store_id"), instant.c.at_us <= bindparam("at_us")
    )
)
_SET_FLOOR = Write(update(store).where(store.c.id == bindparam("id_")).values(floor=bindparam("floor")))
_FORGET_INSTANTS = Write(
    delete(instant).where(instant.c.store_id == bindparam("store_id"), instant.c.seq < bindparam("floor"))
)


_REMOVE_CONTENT = [
    Write(delete(table).where(table.c.store_id == bindparam("s")))
    for table in metadata.sorted_tables
    if table.primary_key.columns.keys()[0] == "store_id"
]
_REMOVE_STORE = Write(delete(store).where(store.c.id == bindparam("s")))


@dataclass(slots=True)
class Ledger:
    """The row of a locked store: numbers, ids and bytes are taken here and written back by `settle`."""

    facts: StoreFacts
    seq: int
    next_id: int
    used_bytes: int
    entries: int
    sampled_us: int
    unmapped_us: int
    """When a name of the store was last unmapped, before this unit."""
    unmaps: bool = False
    """This unit unmaps names."""
    dropped: list[str] = field(default_factory=list)
    """Blobs that this unit left without a name: their files go after the commit."""
    jobs: int = 0
    """How many of the ids this unit gave to jobs."""
    _first_id: int = field(init=False)

    def __post_init__(self) -> None:
        """Remember the one counter that the facts lack."""
        self._first_id = self.next_id

    @property
    def store_id(self) -> int:
        """The id of the store."""
        return self.facts.id

    def number(self) -> int:
        """Take the next change number."""
        self.seq += 1
        return self.seq

    def new_id(self) -> int:
        """Take an id for a node, a body or a job."""
        self.next_id += 1
        return self.next_id - 1

    @property
    def makes_content(self) -> bool:
        """Tell whether ids were taken for nodes or bodies."""
        return self.next_id - self._first_id > self.jobs

    def take(self, count: int) -> None:
        """Take so many ids and so many change numbers, behind the last of either."""
        self.next_id += count
        self.seq += count

    def find_changes(self) -> dict[str, int]:
        """Return all counters when something was taken from one of them, else none."""
        facts, next_id = self.facts, self.next_id
        if next_id == self._first_id and (self.seq, self.used_bytes, self.entries) == (
            facts.seq,
            facts.used_bytes,
            facts.entries,
        ):
            return {}
        return {"seq": self.seq, "next_id": next_id, "used_bytes": self.used_bytes, "entries": self.entries}


def create(unit: Unit, owner: str, *, now_us: int, quota_bytes: int | None = None) -> int:
    """Make an empty store and return its id. Its epoch is random, so that no token of another store fits."""
    row = unit.one(_CREATE, {"owner": owner, "epoch": secrets.randbits(48), "quota_bytes": quota_bytes})
    if row is None:
        raise NotFound(owner)
    (store_id,) = row
    for root, area in enumerate(ROOTS, start=1):
        values = {"store_id": store_id, "id": root, "area": area, "resource_id": str(uuid.uuid4()), "now_us": now_us}
        for statement in _ROOT:
            unit.run(statement, values)
    return store_id


def get(unit: Unit, owner: str, area: Area = Area.STORE) -> StoreFacts:
    """Return the row of a store, with the root of an area.

    Raises:
        NotFound: no user of that name has one.
    """
    return _one(unit, _BY_OWNER, owner, area)


def lock(unit: Unit, owner: str, area: Area = Area.STORE) -> Ledger:
    """Lock a store: the first statement of every unit that writes to it, before any check (I1 in docs/sync.md).

    All areas are locked; the facts have the root of one.

    Raises:
        NotFound: no user of that name has one.
    """
    facts, counters = _one(unit, _LOCK, owner, area)
    return Ledger(
        facts, facts.seq, counters.next_id, facts.used_bytes, facts.entries, counters.sampled_us, counters.unmapped_us
    )


def _one(unit: Unit, statement: Statement[R], owner: str, area: Area) -> R:
    row = unit.one(statement, {"owner": owner, "area": int(area)})  # sqlite3 looks for an adapter of any subclass
    if row is None:
        raise NotFound(f"{owner} has no store, or its root is lost, which `davstore check` tells")
    return row


def get_root(unit: Unit, facts: StoreFacts, area: Area) -> int:
    """Return the node at the root of an area: a statement where the facts have that of another.

    Raises:
        NotFound: the store has no such area.
    """
    if area == facts.area:
        return facts.root_id
    row = unit.one(_ROOT_OF, {"store_id": facts.id, "area": int(area)})
    if row is None:
        raise NotFound(f"{facts.owner} has no root of area {area}, which `davstore check` tells")
    return row[0]


def settle(unit: Unit, ledger: Ledger, *, now_us: int) -> None:
    """Write the counters back, when something was taken from them."""
    facts, changes = ledger.facts, ledger.find_changes()
    if not changes:
        return
    unmapped_us = max(ledger.unmapped_us, now_us) if ledger.unmaps else ledger.unmapped_us
    unit.run(_SETTLE, {"id_": facts.id, "unmapped_us": unmapped_us, **changes})
    if ledger.seq > facts.seq and now_us - ledger.sampled_us >= SAMPLE_US:
        unit.run(_SAMPLE, {"store_id": facts.id, "seq": ledger.seq, "at_us": now_us})
        unit.run(_SAMPLED, {"id_": facts.id, "at_us": now_us})


def set_quota(unit: Unit, store_id: int, quota_bytes: int | None) -> None:
    """Set how many bytes the store may hold; None: as many as the disk."""
    unit.run(_SET_QUOTA, {"id_": store_id, "quota_bytes": quota_bytes})


def remove(unit: Unit, store_id: int) -> None:
    """Delete a store with every row of it. Its user must be gone, and the files of its blobs are the caller's."""
    for statement in _REMOVE_CONTENT:
        unit.run(statement, {"s": store_id})
    unit.run(_REMOVE_STORE, {"s": store_id})


def list_owners(unit: Unit) -> list[str]:
    """Return the owner of every store."""
    return [owner for (owner,) in unit.all(_OWNERS, {})]


def list_numbers(unit: Unit) -> list[tuple[int, int, int]]:
    """Return id, epoch and newest change number of every store."""
    return unit.all(_NUMBERS, {})


def renew_epochs(unit: Unit) -> int:
    """Give every store another epoch, so that no sync token of before fits, and return how many stores there are."""
    stores = list_numbers(unit)
    unit.many(_RENEW, [{"id_": store_id, "epoch": secrets.randbits(48)} for store_id, _, _ in stores])
    return len(stores)


def number_at(unit: Unit, store_id: int, at_us: int) -> int:
    """Return a change number that was surely given by then, 0 when none is known."""
    row = unit.one(_OLD_ENOUGH, {"store_id": store_id, "at_us": at_us})
    return row[0] if row and row[0] else 0


def set_floor(unit: Unit, store_id: int, floor: int) -> None:
    """Refuse tokens from before floor from now on: the tombstones up to it are swept."""
    unit.run(_SET_FLOOR, {"id_": store_id, "floor": floor})
    unit.run(_FORGET_INSTANTS, {"store_id": store_id, "floor": floor})
