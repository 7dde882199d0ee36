"""Takes jobs from the table as they are due, one after the other. No error of a job ends it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from davstore.errors import DavstoreError, NotFound
from davstore.jobs.bell import Bell
from davstore.metadata import jobs
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit
from davstore.model.jobs import Job

LEASE_US = 600_000_000
"""Much longer than a job takes. One that takes longer may be begun anew by the next process, and must bear that."""
LOOK_SECONDS = 30.0
"""How often the table is read without a ring of the bell: a process that has no bell may have left a job."""

log = logging.getLogger("davstore.jobs")


Effect = Callable[[Unit], None]


class Task(NamedTuple):
    """The work for jobs of one kind. One that repeats is a job of the whole server.

    run may be called twice for a job, as when the process dies. The effect that it returns is written in the unit that
    ends the job, and so once. id is that of a job that repeats, and never another's; every_us is from its end to its
    next begin. is_wanted is asked at the start and when the bell rings: whether it is due before its time.
    """

    run: Callable[[Job], Effect | None]
    id: int = 0
    every_us: int = 0
    is_wanted: Callable[[], bool] = lambda: False


class Runner:
    """Runs the tasks for jobs of a database. No other does: a lease that is there at the start is a dead one's."""

    def __init__(
        self, database: Database, tasks: Mapping[str, Task], bell: Bell, *, clock_us: Callable[[], int]
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._bell = bell
        self._clock_us = clock_us
        self._seen_us: int | None = None
        self._unasked = set(tasks)

    def run(self, leaving: threading.Event) -> None:
        """Do the jobs that are due, wait for more, and so on until leaving is set and the bell rings."""
        while not leaving.is_set():
            if self._bell.wait(self.do_due(leaving)):
                self._unasked = set(self._tasks)

    def do_due(self, leaving: threading.Event) -> float:
        """Do all that is due, or the job begun when leaving is set; return the seconds until there may be more."""
        try:
            self._set_right()
            self._look_for_wants()
            while not leaving.is_set() and (held := self._claim()):
                self._attempt(held)
            due_us = self._database.read(partial(jobs.find_due_us, now_us=self._clock_us()))
        except Exception as error:  # noqa: BLE001  the database is away, or worse: this process goes on
            self._tell(f"jobs paused for up to {LOOK_SECONDS:.0f} s", error)
            return LOOK_SECONDS
        wait = LOOK_SECONDS if due_us is None else (due_us - self._clock_us()) / 1_000_000
        return min(max(wait, 0.0), LOOK_SECONDS)

    def _set_right(self) -> None:
        """At the start, and after the clock was set back, free jobs that would wait for a time that was never meant."""
        now_us = self._clock_us()
        is_first, was_us = self._seen_us is None, self._seen_us or 0
        if is_first or now_us < was_us:
            self._database.write(partial(self._free, now_us=now_us, is_first=is_first))
        self._seen_us = now_us

    def _free(self, unit: Unit, *, now_us: int, is_first: bool) -> None:
        beyond_us = 0 if is_first else now_us + LEASE_US
        jobs.end_leases(unit, now_us=now_us, beyond_us=beyond_us)
        jobs.hasten_failed(unit, now_us=now_us)
        for kind, task in self._tasks.items():
            if task.every_us:
                jobs.ensure(unit, task.id, kind, due_us=now_us)
                far_us = now_us + 2 * task.every_us  # a clock is set back by moments, too
                jobs.hasten(unit, task.id, now_us=now_us, beyond_us=far_us)

    def _look_for_wants(self) -> None:
        """Ask the tasks that have not answered since the last ring; one that fails is asked again at the next look."""
        for kind in sorted(self._unasked):
            task = self._tasks[kind]
            try:
                if task.every_us and task.is_wanted():
                    now_us = self._clock_us()
                    self._database.write(partial(jobs.hasten, id_=task.id, now_us=now_us, beyond_us=now_us))
                self._unasked.remove(kind)
            except Exception as error:  # noqa: BLE001  the job is done at its time, and the others are not held up
                self._tell(f"job {kind}: it cannot be told whether it is due before its time", error)

    def _claim(self) -> Job | None:
        now_us = self._clock_us()
        due_us = self._database.read(partial(jobs.find_due_us, now_us=now_us))
        if due_us is None or due_us > now_us:  # to look costs no write
            return None
        return self._database.write(partial(jobs.claim, now_us=now_us, lease_us=LEASE_US))

    def _attempt(self, held: Job) -> None:
        """Do a job; one that fails is tried again later, whatever it raises."""
        try:
            task = self._tasks[held.kind]
            effect = task.run(held)
            self._database.write(partial(self._end, held=held, effect=effect, every_us=task.every_us))
        except Exception as error:  # noqa: BLE001  logged, counted by its attempts, and put off
            self._tell(f"job {held.kind} {held.store_id}.{held.id} failed, attempt {held.attempts}", error)
            with contextlib.suppress(NotFound):  # another process has it by now, or its store was removed
                self._database.write(partial(jobs.fail, held=held, now_us=self._clock_us()))

    def _end(self, unit: Unit, *, held: Job, effect: Effect | None, every_us: int) -> None:
        if every_us:
            jobs.repeat(unit, held, due_us=self._clock_us() + every_us)
        else:
            jobs.done(unit, held)
        if effect is not None:
            effect(unit)

    def _tell(self, what: str, error: Exception) -> None:
        """Log an error; an unexpected one with a trace."""
        is_known = isinstance(error, DavstoreError | OSError)
        log.error("%s: %s", what, error if is_known else repr(error), exc_info=None if is_known else error)
