"""The process of the jobs from inside: what is due is done, what fails waits, and what was killed is done again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from davstore.errors import NotFound, Unavailable
from davstore.jobs import runner as running
from davstore.jobs.bell import Bell
from davstore.jobs.runner import LEASE_US, Runner, Task
from davstore.metadata import jobs, stores, uploads
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit
from davstore.model.jobs import Job
from davstore.store.sweeping import has_dead_uploads
from tests.contract.storage import START_US, Storage, add_user, count_rows
from tests.contract.test_jobs import again, append

HOUR_US = 3_600_000_000
GOES_ON = threading.Event()


class Bench:
    """A storage whose jobs are done on a clock that moves only here, as often as it is asked to."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.now_us = START_US
        self.ran: list[str] = []
        self.bell = Bell()
        self.tasks = {"tell": Task(self.note)}

    def note(self, job: Job) -> None:
        self.ran.append(job.payload or job.kind)

    def start(self, database: Database | None = None) -> Runner:
        """Return what a process that has just started runs."""
        return Runner(database or self.storage.database, self.tasks, self.bell, clock_us=lambda: self.now_us)


@pytest.fixture
def bench(storage: Storage) -> Bench:
    """Return one without jobs."""
    return Bench(storage)


def test_what_is_due_is_done_and_what_is_not_is_waited_for(bench: Bench) -> None:
    append(bench.storage, START_US + 5_000_000, START_US, START_US - 1)
    runner = bench.start()
    assert runner.do_due(GOES_ON) == 5
    assert bench.ran == ["2", "1"]
    bench.now_us += 5_000_000
    assert runner.do_due(GOES_ON) == 30  # it may be a process without the bell that leaves the next
    assert bench.ran == ["2", "1", "0"]
    assert count_rows(bench.storage, ["job"]) == {"job": 0}


@pytest.mark.parametrize("error", [NotFound("a"), OSError(5, "broken"), ZeroDivisionError(), KeyError("a")])
def test_a_job_that_raises_is_logged_and_tried_again_and_holds_up_no_other(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [error]

    def run(job: Job) -> None:
        if job.payload == "0" and broken:
            raise broken[0]
        bench.note(job)

    bench.tasks["tell"] = Task(run)
    append(bench.storage, START_US, START_US)
    runner = bench.start()
    assert runner.do_due(GOES_ON) == 1
    assert bench.ran == ["1"]
    [said] = caplog.messages
    assert said.startswith("job tell 1.3 failed, attempt 1: ")
    assert bool(caplog.records[0].exc_info) == isinstance(error, ZeroDivisionError | KeyError)
    bench.now_us += 1_000_000
    assert runner.do_due(GOES_ON) == 2
    broken.clear()
    bench.now_us += 2_000_000
    runner.do_due(GOES_ON)
    assert bench.ran == ["1", "0"]


def test_a_job_that_nobody_knows_waits_for_who_does(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    append(bench.storage, START_US, kind="of tomorrow")
    assert bench.start().do_due(GOES_ON) == 1
    assert "job of tomorrow 1.3 failed, attempt 1: KeyError('of tomorrow')" in caplog.text
    assert count_rows(bench.storage, ["job"]) == {"job": 1}


def effect_on(storage: Storage) -> Callable[[Unit], None]:
    """Return a change that cannot be written twice."""
    return lambda unit: add_user(unit, "effect", now_us=storage.now_us)


@pytest.mark.parametrize("moment", ["before it has begun", "before its end is written"])
def test_a_process_that_is_killed_at_a_job_loses_nothing_and_does_nothing_twice(bench: Bench, moment: str) -> None:
    storage = bench.storage

    def die_in(_unit: Unit) -> None:
        effect_on(storage)(_unit)
        os.kill(os.getpid(), signal.SIGKILL)

    def die(_job: Job) -> Callable[[Unit], None]:
        if moment == "before it has begun":
            os.kill(os.getpid(), signal.SIGKILL)
        return die_in

    append(storage, START_US)
    storage.database.close()
    child = os.fork()
    if child == 0:
        try:
            bench.tasks["tell"] = Task(die)
            bench.start(again(storage.database)).do_due(GOES_ON)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert storage.database.read(stores.list_owners) == ["me"]
    bench.tasks["tell"] = Task(lambda _job: effect_on(storage))
    runner = bench.start()
    assert runner.do_due(GOES_ON) == 1  # it may be the job that kills
    bench.now_us += 1_000_000
    runner.do_due(GOES_ON)
    assert storage.database.read(stores.list_owners) == ["me", "effect"]
    assert count_rows(storage, ["job"]) == {"job": 0}


def test_a_job_that_outlives_its_lease_has_its_effect_once_and_holds_up_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    storage, database = bench.storage, again(bench.storage.database)

    def run(job: Job) -> Callable[[Unit], None] | None:
        bench.note(job)
        if job.payload == "1":
            return None
        if job.attempts == 1:
            bench.now_us += LEASE_US
            other = database.write(lambda unit: jobs.claim(unit, now_us=bench.now_us, lease_us=LEASE_US))
            assert other is not None
            database.write(lambda unit: (jobs.done(unit, other), effect_on(storage)(unit)))
        return effect_on(storage)

    bench.tasks["tell"] = Task(run)
    append(storage, START_US, START_US + 1)
    bench.start().do_due(GOES_ON)
    database.close()
    assert bench.ran == ["0", "1"]
    assert storage.database.read(stores.list_owners) == ["me", "effect"]
    [said] = caplog.messages
    assert said.startswith("job tell 1.3 failed, attempt 1: ")
    assert said.endswith("its lease ran out and another process took it")


@pytest.mark.parametrize("error", [NotFound("a"), OSError(5, "broken"), KeyError("a")])
def test_a_job_whose_effect_raises_waits_as_one_that_fails_and_holds_up_no_other(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [error]

    def run(job: Job) -> Callable[[Unit], None] | None:
        bench.note(job)
        return fail if job.payload == "0" and broken else None

    def fail(unit: Unit) -> None:
        effect_on(bench.storage)(unit)
        raise broken[0]

    bench.tasks["tell"] = Task(run)
    append(bench.storage, START_US, START_US)
    runner = bench.start()
    assert runner.do_due(GOES_ON) == 1  # as one that fails for the first time, and not when a lease ends
    assert bench.ran == ["0", "1"]
    [said] = caplog.messages
    assert said.startswith("job tell 1.3 failed, attempt 1: ")
    assert bench.storage.database.read(stores.list_owners) == ["me"]
    broken.clear()
    bench.now_us += 1_000_000
    runner.do_due(GOES_ON)
    assert bench.ran == ["0", "1", "0"]
    assert count_rows(bench.storage, ["job"]) == {"job": 0}


def test_a_restart_begins_nothing_anew_and_forgets_nothing(bench: Bench) -> None:
    bench.tasks = {"sweep": Task(bench.note, id=1, every_us=HOUR_US)}
    bench.start().do_due(GOES_ON)
    bench.now_us += HOUR_US - 1
    bench.start().do_due(GOES_ON)
    assert bench.ran == ["sweep"]
    bench.now_us += 1
    bench.start().do_due(GOES_ON)
    bench.now_us += 30 * HOUR_US
    bench.start().do_due(GOES_ON)
    assert bench.ran == ["sweep"] * 3


@pytest.mark.parametrize("restarts", [True, False])
def test_a_clock_that_jumps_does_no_harm(bench: Bench, restarts: bool) -> None:
    bench.tasks = {"sweep": Task(bench.note, id=1, every_us=HOUR_US)}
    runner = bench.start()
    for jump_us in (0, 9_000 * HOUR_US, -9_000 * HOUR_US, -1):
        bench.now_us += jump_us
        runner = bench.start() if restarts else runner
        runner.do_due(GOES_ON)
    assert bench.ran == ["sweep"] * 3  # to be set back by little is no reason


def test_a_job_is_not_begun_by_a_process_that_leaves(bench: Bench) -> None:
    append(bench.storage, START_US, START_US)
    leaving = threading.Event()
    bench.tasks["tell"] = Task(lambda job: (bench.note(job), leaving.set())[0])
    bench.start().run(leaving)
    assert bench.ran == ["0"]
    assert count_rows(bench.storage, ["job"]) == {"job": 1}


def test_a_process_that_has_left_a_job_wakes_that_of_the_jobs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOK_SECONDS", 86_400.0)
    begun, ended, leaving = threading.Event(), threading.Event(), threading.Event()
    database = again(bench.storage.database)

    class Watched(Bell):
        def wait(self, seconds: float) -> bool:
            begun.set()
            return super().wait(seconds)

    bench.bell = Watched()
    bench.tasks["tell"] = Task(lambda job: (bench.note(job), ended.set())[0])
    thread = threading.Thread(target=lambda: bench.start(database).run(leaving))
    thread.start()
    assert begun.wait(30)
    bench.storage.database.close()
    child = os.fork()
    if child == 0:
        try:
            bench.storage.database = again(bench.storage.database)
            append(bench.storage, START_US)
            bench.bell.ring()
        finally:
            os._exit(0)
    assert ended.wait(30)
    os.waitpid(child, 0)
    leaving.set()
    bench.bell.ring()
    thread.join(30)
    assert not thread.is_alive()
    database.close()


def test_a_ring_is_heard_once_and_never_lost() -> None:
    bell = Bell()
    assert not bell.wait(0)
    for _ in range(3):
        bell.ring()
    assert bell.wait(0)
    assert not bell.wait(0)
    os.eventfd_write(bell.descriptor, 2**64 - 2)
    bell.ring()  # it can count no further, and does not wait
    assert bell.wait(0)


def test_what_a_dead_upload_left_makes_the_sweep_due(bench: Bench) -> None:
    """Leftovers are looked for at the start and when the bell rings: the supervisor rings when a worker has died."""
    storage = bench.storage
    wanted = Task(bench.note, 1, HOUR_US, lambda: has_dead_uploads(storage.database, storage.blobs))
    bench.tasks = {"sweep": wanted}
    runner = bench.start()
    runner.do_due(GOES_ON)
    assert bench.ran == ["sweep"]
    blob = "0d7f3ab4-0000-4000-8000-000000000000"
    storage.database.write(
        lambda unit: uploads.reserve(unit, 1, blob, reserved_bytes=9, expires_us=bench.now_us + HOUR_US, now_us=0)
    )
    staged = storage.blobs.stage(1, blob)
    leaving = threading.Event()
    bench.start().do_due(GOES_ON)  # it is alive
    assert bench.ran == ["sweep"]
    staged.close()
    bench.tasks = {"sweep": wanted._replace(run=lambda job: (bench.note(job), leaving.set())[0])}
    runner = bench.start()
    runner.do_due(leaving)
    assert bench.ran == ["sweep"] * 2
    storage.database.write(lambda unit: uploads.release(unit, 1, blob))


def test_a_task_that_cannot_say_whether_it_is_wanted_holds_up_no_job_and_is_asked_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    errors = [PermissionError(13, "Permission denied", "blobs/1"), ZeroDivisionError()]

    def say(kind: str) -> bool:
        asked.append(kind)
        if kind == "broken" and errors:
            raise errors.pop(0)
        return len(asked) > 2  # "broken" in the third look, "whole" never

    for number, kind in enumerate(("broken", "whole"), start=1):
        bench.tasks[kind] = Task(bench.note, number, HOUR_US, lambda kind=kind: say(kind))
    append(bench.storage, START_US, START_US + 1_000_000)
    runner = bench.start()
    runner.do_due(GOES_ON)
    assert sorted(bench.ran) == ["0", "broken", "whole"]
    bench.now_us += 1_000_000
    runner.do_due(GOES_ON)
    assert bench.ran[3:] == ["1"]
    assert asked == ["broken", "whole", "broken"]
    assert [message.partition(": ")[0] for message in caplog.messages] == ["job broken"] * 2
    runner.do_due(GOES_ON)
    assert bench.ran[4:] == ["broken"]
    runner.do_due(GOES_ON)
    assert asked == ["broken", "whole", "broken", "broken"]


def test_a_database_that_is_away_is_waited_for(
    sqlite_storage: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(sqlite_storage)
    append(sqlite_storage, START_US)
    sqlite_storage.database.close()
    file = sqlite_storage.database.file
    assert file is not None
    aside = file.rename(file.with_name("aside"))
    runner = bench.start()
    assert runner.do_due(GOES_ON) == 30
    assert "jobs paused for up to 30 s: " in caplog.text
    with pytest.raises(Unavailable):
        sqlite_storage.database.read(stores.list_owners)
    aside.rename(file)
    runner.do_due(GOES_ON)
    assert bench.ran == ["0"]
