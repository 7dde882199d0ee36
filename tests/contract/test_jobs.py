"""The table of jobs: appended with its change, had by one process at a time, lost by none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from davstore.errors import NotFound
from davstore.metadata import jobs, stores
from davstore.metadata.database import Database
from davstore.metadata.postgresql import PostgreSQL
from davstore.metadata.sqlite import SQLite
from davstore.metadata.statements import Statement
from davstore.metadata.unit import Unit
from davstore.model.jobs import Job, find_wait_us
from davstore.store import enrolling
from tests.contract.storage import START_US, Storage, add_user, count_rows

LEASE_US = 60_000_000


def append(storage: Storage, *due_us: int, kind: str = "tell") -> None:
    """Append jobs of the store, each in the unit of a change."""

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, "me")
        for number, due in enumerate(due_us):
            jobs.append(unit, ledger, kind, due_us=due, node_id=1, payload=str(number))
        stores.settle(unit, ledger, now_us=START_US)

    storage.database.write(work)


def claim(database: Database, now_us: int = START_US) -> Job | None:
    return database.write(lambda unit: jobs.claim(unit, now_us=now_us, lease_us=LEASE_US))


def claim_all(database: Database, now_us: int = START_US) -> list[str]:
    return [found.payload for found in iter(lambda: claim(database, now_us), None)]


def find_due_us(storage: Storage, now_us: int = START_US) -> int | None:
    return storage.database.read(lambda unit: jobs.find_due_us(unit, now_us=now_us))


def test_jobs_are_had_in_the_order_in_which_they_are_due(storage: Storage) -> None:
    append(storage, START_US, START_US - 2, START_US + 1, START_US - 2)
    assert find_due_us(storage) == START_US - 2
    assert claim_all(storage.database) == ["1", "3", "0"]
    assert find_due_us(storage) == START_US + 1
    assert claim(storage.database, START_US + 1) is not None
    assert find_due_us(storage) is None


def test_what_was_appended_is_what_is_had(storage: Storage) -> None:
    append(storage, START_US)
    found = claim(storage.database)
    assert found is not None
    assert found._replace(id=0) == Job(1, 0, "tell", 1, "0", START_US, 1, START_US + LEASE_US)


def test_a_change_that_fails_leaves_no_job(storage: Storage) -> None:
    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, "me")
        jobs.append(unit, ledger, "tell", due_us=0)
        raise NotFound("a")

    with pytest.raises(NotFound):
        storage.database.write(work)
    assert count_rows(storage, ["job"]) == {"job": 0}


def test_a_job_of_the_server_is_there_once(storage: Storage) -> None:
    for due_us in (5, 7):
        storage.database.write(lambda unit, due_us=due_us: jobs.ensure(unit, 1, "sweep", due_us=due_us))
    assert find_due_us(storage) == 5
    assert count_rows(storage, ["job"]) == {"job": 1}


def test_a_store_takes_its_jobs_with_it(storage: Storage) -> None:
    append(storage, START_US, START_US)
    storage.database.write(lambda unit: jobs.ensure(unit, 1, "sweep", due_us=0))
    enrolling.remove_user(storage.database, storage.blobs, "me")
    assert count_rows(storage, ["job"]) == {"job": 1}


def test_nobody_else_has_a_job_until_its_lease_has_run_out(storage: Storage) -> None:
    append(storage, START_US)
    first = claim(storage.database)
    assert claim(storage.database, START_US + LEASE_US - 1) is None
    second = claim(storage.database, START_US + LEASE_US)
    assert first is not None
    assert second == first._replace(attempts=2, leased_until_us=START_US + 2 * LEASE_US)


ENDINGS: list[Callable[[Unit, Job], None]] = [
    jobs.done,
    lambda unit, held: jobs.repeat(unit, held, due_us=0),
    lambda unit, held: jobs.fail(unit, held, now_us=0),
]


@pytest.mark.parametrize("end", ENDINGS, ids=["done", "repeated", "failed"])
def test_who_has_lost_a_job_has_no_effect(storage: Storage, end: Callable[[Unit, Job], None]) -> None:
    """The effect is in the unit that takes the job away, so it is written once: a process that comes late fails."""
    append(storage, START_US)
    late, held = claim(storage.database), claim(storage.database, START_US + LEASE_US)
    assert late is not None
    assert held is not None

    def work(unit: Unit, ended: Job) -> None:
        add_user(unit, "effect", now_us=START_US)
        end(unit, ended)

    with pytest.raises(NotFound, match=r"job tell 1\.3: its lease ran out"):
        storage.database.write(lambda unit: work(unit, late))
    assert storage.database.read(stores.list_owners) == ["me"]
    storage.database.write(lambda unit: work(unit, held))
    assert storage.database.read(stores.list_owners) == ["me", "effect"]
    with pytest.raises(NotFound):
        storage.database.write(lambda unit: end(unit, held))


def test_what_is_done_is_gone(storage: Storage) -> None:
    append(storage, START_US)
    held = claim(storage.database)
    assert held is not None
    storage.database.write(lambda unit: jobs.done(unit, held))
    assert count_rows(storage, ["job"]) == {"job": 0}


def test_what_repeats_is_due_again_and_starts_anew(storage: Storage) -> None:
    append(storage, START_US)
    for now_us in (START_US, START_US + 7):
        held = claim(storage.database, now_us)
        assert held is not None
        assert held.attempts == 1
        storage.database.write(lambda unit, held=held: jobs.repeat(unit, held, due_us=START_US + 7))
    assert find_due_us(storage) == START_US + 7


def test_a_job_that_fails_waits_longer_each_time_and_never_for_ever(storage: Storage) -> None:
    append(storage, START_US)
    now_us, waits = START_US, []
    for _ in range(14):
        held = claim(storage.database, now_us)
        assert held is not None
        storage.database.write(lambda unit, held=held, now_us=now_us: jobs.fail(unit, held, now_us=now_us))
        due_us = find_due_us(storage, now_us)
        assert due_us is not None
        waits.append((due_us - now_us) // 1_000_000)
        assert claim(storage.database, due_us - 1) is None
        now_us = due_us
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    assert find_wait_us(10**9) == 3_600_000_000


def test_leases_of_the_dead_end_as_tried_in_vain(storage: Storage) -> None:
    append(storage, START_US)
    assert claim(storage.database) is not None
    storage.database.write(lambda unit: jobs.end_leases(unit, now_us=START_US, beyond_us=0))
    assert claim(storage.database) is None
    again = claim(storage.database, START_US + find_wait_us(1))
    assert again is not None
    assert again.attempts == 2


def test_leases_of_a_clock_that_was_ahead_end(storage: Storage) -> None:
    append(storage, START_US, START_US)
    year_us = 365 * 86_400_000_000
    ahead, genuine = claim(storage.database, START_US + year_us), claim(storage.database)
    assert ahead is not None
    assert genuine is not None
    storage.database.write(lambda unit: jobs.end_leases(unit, now_us=START_US, beyond_us=START_US + LEASE_US))
    again = claim(storage.database, START_US + find_wait_us(1))
    assert again is not None
    assert again.id == ahead.id
    storage.database.write(lambda unit: jobs.done(unit, genuine))


def test_a_wait_of_a_clock_that_was_ahead_ends(storage: Storage) -> None:
    append(storage, START_US)
    held = claim(storage.database)
    assert held is not None
    later_us = START_US + 365 * 86_400_000_000
    storage.database.write(lambda unit: jobs.fail(unit, held, now_us=later_us))
    append(storage, later_us)  # meant for then
    storage.database.write(lambda unit: jobs.hasten_failed(unit, now_us=START_US))
    assert claim_all(storage.database) == ["0"]
    assert find_due_us(storage) == later_us


def test_a_job_is_made_due_when_it_is_far_away(storage: Storage) -> None:
    storage.database.write(lambda unit: jobs.ensure(unit, 1, "sweep", due_us=START_US + 100))
    for beyond_us, due_us in ((START_US + 100, START_US + 100), (START_US + 99, START_US)):
        storage.database.write(
            lambda unit, beyond_us=beyond_us: jobs.hasten(unit, 1, now_us=START_US, beyond_us=beyond_us)
        )
        assert find_due_us(storage) == due_us


@pytest.mark.parametrize("statement", [jobs._DUE, jobs._NEXT])
def test_what_is_due_is_found_without_a_look_at_what_is_not(sqlite_storage: Storage, statement: Statement[Any]) -> None:
    text, own = statement.on(sqlite_storage.database.dialect)
    values = {**own, "now_us": START_US}
    plan = sqlite_storage.database.look(
        lambda unit: unit.connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    )
    assert re.fullmatch(r"(SEARCH|SCAN) job USING INDEX job_due.*", " ".join(row[3] for row in plan))


def again(database: Database) -> Database:
    """Return the database as another process opens it."""
    if isinstance(database, PostgreSQL):
        return PostgreSQL(database._url)
    assert isinstance(database, SQLite)
    return SQLite(database.file)


def test_of_two_processes_one_has_each_job(storage: Storage) -> None:
    append(storage, *[START_US] * 60)
    storage.database.close()
    begin, end = os.pipe()
    outputs = []
    for _ in range(2):
        readable, writable = os.pipe()
        if os.fork() == 0:
            status = 1
            try:
                os.close(end)
                os.read(begin, 1)  # until both are there
                os.write(writable, json.dumps(claim_all(again(storage.database))).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(writable)
        outputs.append(readable)
    os.close(begin)
    os.close(end)
    claimed = []
    for readable in outputs:
        with os.fdopen(readable, "rb") as output:
            claimed.append(json.loads(output.read()))
        assert os.wait()[1] == 0
    assert sorted(map(int, claimed[0] + claimed[1])) == list(range(60))
    assert min(map(len, claimed)) > 0, "they were not there at the same time"
