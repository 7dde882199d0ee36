"""Jobs: work that a change leaves for later, and the process that has taken it (docs/adr/0017).

A job is appended in the unit of its change, so it is there exactly when the change is. A process has it for the time of
a lease, and takes it away in the unit of its effect: `done`, `repeat` and `fail` raise when another process has claimed
it since, and then the effect is not written either.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, insert, literal, select, update

from davstore.errors import NotFound
from davstore.metadata.statements import Statement, Write
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import job
from davstore.metadata.unit import Unit
from davstore.model.jobs import LONGEST_WAIT_US, Job, find_wait_us

WHOLE_SERVER = 0
"""The store_id of a job that is no store's."""

_columns = [getattr(job.c, name) for name in Job._fields]
_free = job.c.leased_until_us <= bindparam("now_us")
_held = (
    job.c.store_id == bindparam("s"),
    job.c.id == bindparam("i"),
    job.c.leased_until_us == bindparam("lease_us"),
)
_order = (job.c.due_us, job.c.store_id, job.c.id)
_INSERT = Write(insert(job).values({c.name: bindparam(c.name) for c in job.c}))
_ENSURE = Write(
    insert(job).from_select(
        [c.name for c in job.c],
        select(*(bindparam(c.name, type_=c.type) for c in job.c)).where(
            ~exists(literal(1)).where(job.c.store_id == bindparam("store_id"), job.c.id == bindparam("id"))
        ),
    )
)
_DUE = Statement(
    select(*_columns)
    .where(job.c.due_us <= bindparam("now_us"), _free)
    .order_by(*_order)
    .limit(1)
    .with_for_update(skip_locked=True),
    Job,
)
_NEXT = Statement[tuple[int]](select(job.c.due_us).where(_free).order_by(job.c.due_us).limit(1))
_LEASE = Write(
    update(job)
    .where(job.c.store_id == bindparam("s"), job.c.id == bindparam("i"))
    .values(attempts=bindparam("attempts"), leased_until_us=bindparam("lease_us"))
)
_LEASED = Statement(select(*_columns).where(job.c.leased_until_us > bindparam("beyond_us")), Job)
_DELETE = Write(delete(job).where(*_held))
_PUT_OFF = Write(
    update(job).where(*_held).values(due_us=bindparam("new_due_us"), attempts=bindparam("attempts"), leased_until_us=0)
)
_HASTEN = Write(
    update(job)
    .where(job.c.store_id == bindparam("s"), job.c.id == bindparam("i"), job.c.due_us > bindparam("beyond_us"))
    .values(due_us=bindparam("now_us"))
)
_HASTEN_FAILED = Write(
    update(job).where(job.c.attempts > 0, job.c.due_us > bindparam("beyond_us")).values(due_us=bindparam("now_us"))
)


def append(
    unit: Unit, ledger: Ledger, kind: str, *, due_us: int, node_id: int | None = None, payload: str = ""
) -> None:
    """Leave a job of a locked store: it is there once the unit is, and never without it.

    It may be written with the last of the disk, as a deletion may: only content is refused then.
    """
    ledger.jobs += 1
    unit.run(_INSERT, Job(ledger.store_id, ledger.new_id(), kind, node_id, payload, due_us, 0, 0)._asdict())


def ensure(unit: Unit, id_: int, kind: str, *, due_us: int) -> None:
    """Leave a job of the whole server, unless the one of this id is there."""
    unit.run(_ENSURE, Job(WHOLE_SERVER, id_, kind, None, "", due_us, 0, 0)._asdict())


def leave(unit: Unit, *, id_: int, kind: str, payload: str, due_us: int) -> None:
    """Leave a job of the whole server."""
    unit.run(_INSERT, Job(WHOLE_SERVER, id_, kind, None, payload, due_us, 0, 0)._asdict())


def claim(unit: Unit, *, now_us: int, lease_us: int) -> Job | None:
    """Take the job that is due for the longest time, for as long as the lease lasts; None: nothing is due."""
    found = unit.one(_DUE, {"now_us": now_us})
    if found is None:
        return None
    claimed = found._replace(attempts=found.attempts + 1, leased_until_us=now_us + lease_us)
    values = {"s": found.store_id, "i": found.id, "attempts": claimed.attempts, "lease_us": claimed.leased_until_us}
    unit.run(_LEASE, values)
    return claimed


def find_due_us(unit: Unit, *, now_us: int) -> int | None:
    """Return when the next job that no process has is due; None: there is none."""
    row = unit.one(_NEXT, {"now_us": now_us})
    return row[0] if row else None


def done(unit: Unit, held: Job) -> None:
    """Take a job away. Raises NotFound: it is not ours any more."""
    _require(unit.run(_DELETE, _hold(held)), held)


def repeat(unit: Unit, held: Job, *, due_us: int) -> None:
    """Put a job that is done off to its next time. Raises NotFound: it is not ours any more."""
    _require(unit.run(_PUT_OFF, {**_hold(held), "new_due_us": due_us, "attempts": 0}), held)


def fail(unit: Unit, held: Job, *, now_us: int) -> None:
    """Put a job off whose attempt failed, for longer each time. Raises NotFound: it is not ours any more."""
    _require(_put_off(unit, held, now_us=now_us), held)


def _put_off(unit: Unit, held: Job, *, now_us: int) -> int:
    due_us = now_us + find_wait_us(held.attempts)
    return unit.run(_PUT_OFF, {**_hold(held), "new_due_us": due_us, "attempts": held.attempts})


def _hold(held: Job) -> dict[str, int]:
    return {"s": held.store_id, "i": held.id, "lease_us": held.leased_until_us}


def _require(count: int, held: Job) -> None:
    if not count:
        raise NotFound(f"job {held.kind} {held.store_id}.{held.id}: its lease ran out and another process took it")


def end_leases(unit: Unit, *, now_us: int, beyond_us: int) -> None:
    """End leases that run beyond a time, as failed attempts."""
    for held in unit.all(_LEASED, {"beyond_us": beyond_us}):
        _put_off(unit, held, now_us=now_us)  # one that has ended meanwhile is none


def hasten(unit: Unit, id_: int, *, now_us: int, beyond_us: int) -> None:
    """Make a job of the whole server due now, if it is due later than beyond_us."""
    unit.run(_HASTEN, {"s": WHOLE_SERVER, "i": id_, "now_us": now_us, "beyond_us": beyond_us})


def hasten_failed(unit: Unit, *, now_us: int) -> None:
    """Make jobs due now that are put off for longer than any failure does: the clock was ahead then."""
    unit.run(_HASTEN_FAILED, {"now_us": now_us, "beyond_us": now_us + LONGEST_WAIT_US})
