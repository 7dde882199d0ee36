"""Group commit: the write functions that wait at one moment share a transaction and its fsync (ADR 2)."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from davstore.errors import Unavailable
from davstore.metadata.unit import Unit, Work

GROUP = 64
"""Functions in one transaction: enough to make the fsync cheap, few enough that no thread waits long for the group."""


class _Job:
    __slots__ = ("done", "error", "turn", "value", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.turn = threading.Lock()
        self.turn.acquire()


class GroupCommit:
    """The writer of one SQLite file, shared by the threads of a process.

    There is no writer thread: the first thread that comes leads, and commits for all that wait by then; threads that
    come meanwhile wait, and the first of them leads next. A function may run twice, so it must touch nothing but the
    database. Other processes are held apart by a lock file: SQLite's own waiting is unfair and sleeps.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], unit: Callable[[Any], Unit], lock_file: Path) -> None:
        self._connection = connect()
        self._unit = unit(self._connection)
        self._lock_file = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._mutex = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._led = False

    def run(self, work: Work) -> Any:
        """Run work in a transaction and return its value after the commit is on disk.

        Raises: the error of work, or the database's own; then nothing of work was written.
        """
        job = _Job(work)
        with self._mutex:
            self._waiting.append(job)
            leads, self._led = not self._led, True
        if not leads:
            job.turn.acquire()  # until it is done, or first in the row
        if not job.done:
            self._lead()
        if job.error is not None:
            try:
                raise job.error
            finally:
                job.error = None  # its frames hold the job: their objects would wait for the collector of cycles
        return job.value

    def close(self) -> None:
        """Close the connection and the lock file, once no thread writes."""
        self._connection.close()
        os.close(self._lock_file)

    def _lead(self) -> None:
        """Commit for the threads that wait, this thread's job first, and hand the lead on."""
        jobs: list[_Job] = []
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            try:
                jobs += self._take(GROUP)  # after the wait for other processes, in which more came
                self._commit(jobs)
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
        finally:
            jobs = jobs or self._take(1)  # this thread's, when the wait was interrupted
            with self._mutex:
                heir = self._waiting[0] if self._waiting else None
                self._led = heir is not None
            if heir is not None:
                heir.turn.release()
            for job in jobs:
                if not job.done:  # whatever ended this thread, no other waits for ever
                    job.error, job.done = Unavailable("the writer was interrupted"), True
                job.turn.release()

    def _take(self, most: int) -> list[_Job]:
        with self._mutex:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), most))]

    def _commit(self, jobs: list[_Job]) -> None:
        """Commit once for all jobs; that is tried without savepoints, for which SQLite copies each page, then with."""
        if len(jobs) > 1 and (self._commit_together(jobs) or self._commit_together(jobs, savepoints=True)):
            return
        for job in jobs:
            self._commit_alone(job)

    def _commit_together(self, jobs: list[_Job], *, savepoints: bool = False) -> bool:
        """Run each job and commit once. False: the transaction was lost, and nothing is written.

        A job that fails is lost alone: it wrote nothing, as nearly all that are refused, or there are savepoints.
        Jobs that come while the others run are taken in too, as long as they are few enough for one group.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.error, written = None, connection.total_changes
                if savepoints:
                    connection.execute("SAVEPOINT job")
                try:
                    job.value = job.work(self._unit)
                except Exception as error:  # noqa: BLE001  handed to the thread that waits for this job
                    if not connection.in_transaction:  # a full disk ends the whole transaction
                        return False
                    job.error = error
                    if savepoints:
                        connection.execute("ROLLBACK TO job")
                    elif connection.total_changes != written:
                        return False
                if savepoints:
                    connection.execute("RELEASE job")
                if job is jobs[-1]:
                    jobs += self._take(GROUP - len(jobs))
            connection.execute("COMMIT")
        except sqlite3.Error:
            return False
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        for job in jobs:
            job.done = True
        return True

    def _commit_alone(self, job: _Job) -> None:
        connection = self._connection
        job.error = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            job.value = job.work(self._unit)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  handed to the thread that waits for this job
            job.error = error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        job.done = True
