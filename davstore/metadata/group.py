"""Group commit: the write functions that wait at one moment share a transaction and its fsync (DECISIONS 11)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from davstore.errors import Unavailable
from davstore.metadata.unit import Unit, Work

GROUP = 64
"""Functions in one transaction: enough to make the fsync cheap, few enough that nobody waits long for the group."""


class _Job:
    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = False


class GroupCommit:
    """The writer of one SQLite file, shared by the threads of a process.

    There is no writer thread: of the threads that wait, the one that gets the turn commits for all who had come by
    then, and the others find their work done. A function may run twice, so it must touch nothing but the database.
    Other processes are held apart by a lock file: SQLite's own waiting is unfair and sleeps.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], unit: Callable[[Any], Unit], lock_file: Path) -> None:
        self._connection = connect()
        self._unit = unit(self._connection)
        self._lock_file = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._waiting: deque[_Job] = deque()
        self._turn = threading.Lock()

    def run(self, work: Work) -> Any:
        """Run work in a transaction and return its value after the commit is on disk.

        Raises: what work raised, or the database's own error; then nothing of work was written.
        """
        job = _Job(work)
        self._waiting.append(job)
        with self._turn:
            while not job.done:
                self._commit_waiting()
        if job.error is not None:
            raise job.error
        return job.value

    def close(self) -> None:
        """Close the connection and the lock file."""
        with self._turn:
            self._connection.close()
            os.close(self._lock_file)

    def _commit_waiting(self) -> None:
        jobs = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP))]
        try:
            with self._alone_among_processes():
                if len(jobs) == 1 or not self._commit_together(jobs):
                    for job in jobs:
                        self._commit_alone(job)
        finally:
            for job in jobs:  # whatever ended this thread, nobody waits for ever
                if not job.done:
                    job.error, job.done = Unavailable("the writer was interrupted"), True

    def _commit_together(self, jobs: list[_Job]) -> bool:
        """Run each job behind a savepoint and commit once. False: the transaction was lost, and nothing is written."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.error = None
                connection.execute("SAVEPOINT job")
                try:
                    job.value = job.work(self._unit)
                except Exception as error:  # noqa: BLE001  handed to the thread that waits for this job
                    if not connection.in_transaction:  # a full disk ends the whole transaction
                        return False
                    job.error = error
                    connection.execute("ROLLBACK TO job")
                connection.execute("RELEASE job")
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

    @contextlib.contextmanager
    def _alone_among_processes(self) -> Iterator[None]:
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)
