"""The processes of a supervisor: started, revived, replaced by those with other settings, and stopped."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.jobs.bell import Bell
from davstore.server import crowds, job_process, worker
from davstore.server.child import Child, apart
from davstore.server.worker import Orders
from davstore.settings import Settings

_START_SECONDS = 60.0
"""Time for a worker to begin to serve, on a machine that is busy."""
_SETTLED_SECONDS = 30.0
"""A worker that lived so long had started well: when it dies the next comes at once."""
_LOOK_SECONDS = 10.0
"""Time between two looks at the memory of the workers."""
_PAUSES_SECONDS = (0, 1, 2, 4, 8, 15, 30, 60)
_STOP_MARGIN_SECONDS = 5
"""Time that a process gets beyond its shutdown timeout before it is killed."""

log = logging.getLogger("davstore.supervisor")


class Slot:
    """The place of one process. When it dies another comes: at once, or after pauses that grow."""

    def __init__(self, start: Callable[[], Child], bell: Bell) -> None:
        self._start = start
        self._bell = bell
        self.child = start()
        self._early_deaths = 0
        self._due: float | None = None

    def tend(self) -> None:
        """Start another process in the place of a dead one, when it is time; a job sweeps what that one left."""
        child, status = self.child, self.child.status
        if status is None:
            return
        now = time.monotonic()
        if self._due is None:
            self._early_deaths = 0 if now - child.started > _SETTLED_SECONDS else self._early_deaths + 1
            pause = next_pause(self._early_deaths)
            log.error("%s %d ended with %d; another starts in %d s", child.name, child.id, status, pause)
            self._due = now + pause
            self._bell.ring()
        if now >= self._due:
            try:
                self.child = self._start()
            except OSError as error:  # no process, no memory: a machine in need is no reason to end the other workers
                log.warning("no %s can be started: %s", child.name, error.strerror)
                self._due = now + _PAUSES_SECONDS[-1]
            else:
                self._due = None


class WorkerSlot(Slot):
    """The place of a worker; another one in it has the same orders."""

    def __init__(self, start: Callable[[], Child], bell: Bell, orders: Orders) -> None:
        super().__init__(start, bell)
        self.orders = orders


def next_pause(early_deaths: int) -> int:
    """Return the seconds until a slot is filled again, after so many workers in a row that died young."""
    return _PAUSES_SECONDS[min(max(early_deaths - 1, 0), len(_PAUSES_SECONDS) - 1)]


class Processes:
    """All processes of a supervisor. told_to_stop is asked while one is waited for to come up."""

    def __init__(self, settings: Settings, listener: socket.socket, told_to_stop: Callable[[], bool]) -> None:
        self._settings = settings
        self._key = secrets.token_bytes(32)
        self._listener = listener
        self._bell = Bell()
        self._told_to_stop = told_to_stop
        self._slots: list[WorkerSlot] = []
        self._jobs: list[Slot] = []
        self._leaving: list[Child] = []
        self._looked = time.monotonic()

    def start(self) -> bool:
        """Start all processes and wait until the workers serve; False: one did not, without an order to stop."""
        slots = [self._slot_of(orders) for orders in _orders(self._settings, self._key)]
        self._jobs = [self._jobs_slot(self._settings)]
        for slot in slots:
            if not self._comes_up(slot.child):
                slot.child.kill()
                self._leaving.append(slot.child)
            else:
                self._slots.append(slot)
        return not self._leaving

    def tend(self) -> None:
        """Restart processes that died, forget those that have left, and replace workers that hold too much memory."""
        for slot in (*self._slots, *self._jobs):
            slot.tend()
        self._leaving = [child for child in self._leaving if child.status is None]
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._replace_large_workers()

    def reload(self, load: Callable[[], Settings]) -> None:
        """Replace the processes one by one by those with the settings that load returns.

        With settings that are wrong, or with which no worker comes up, the old ones go on.
        """
        try:
            settings = _keep_fixed(self._settings, load())
            apart(partial(wiring.log_policy, settings))
        except DavstoreError as error:
            log.error("not reloaded: %s", error)  # noqa: TRY400  # it names the line; a trace would say nothing more
            return
        if self._replace_workers(settings) and self._replace_jobs(settings):
            self._settings = settings
            log.info("reloaded")

    def _replace_workers(self, settings: Settings) -> bool:
        """Replace each worker once another serves; return whether all were replaced."""
        for number, orders in enumerate(_orders(settings, self._key)):
            if not self._replace_worker(number, orders):
                if not self._told_to_stop():
                    log.error("only %d workers reloaded", number)
                return False
        self._leave(self._slots[number + 1 :])
        del self._slots[number + 1 :]
        return True

    def _replace_worker(self, number: int, orders: Orders) -> bool:
        """Let a worker leave once another one serves in its place; return whether one does."""
        try:
            slot = self._slot_of(orders)
        except OSError as error:
            log.error("no worker can be started: %s", error.strerror)  # noqa: TRY400  the machine's fault, not ours
            return False
        if not self._comes_up(slot.child):
            if not self._told_to_stop():
                log.error("worker %d did not come up", slot.child.id)
            slot.child.kill()
            return False
        self._leave(self._slots[number : number + 1])
        self._slots[number : number + 1] = [slot]
        return True

    def _replace_large_workers(self) -> None:
        """Replace workers that hold more memory than they may, unless they have only just begun."""
        most = self._settings.server.worker_memory_mib << 20
        for number, slot in enumerate(self._slots):
            child = slot.child
            held = child.memory_bytes
            if held > most and time.monotonic() - child.started > _SETTLED_SECONDS:
                log.warning("worker %d holds %d MiB; another one takes its place", child.id, held >> 20)
                self._replace_worker(number, slot.orders)

    def _replace_jobs(self, settings: Settings) -> bool:
        """Replace the process of the jobs, which waits until the one before has left; return whether it was."""
        try:
            slot = self._jobs_slot(settings)
        except OSError as error:
            log.error("only the workers reloaded: %s", error.strerror)  # noqa: TRY400  the machine's fault, not ours
            return False
        self._leave(self._jobs)
        self._jobs = [slot]
        return True

    def stop(self) -> None:
        """Order all processes to finish the work they have begun; `tend` until `is_gone`."""
        self._leave([*self._slots, *self._jobs])
        self._slots, self._jobs = [], []

    def kill(self) -> None:
        """End the processes that have not left."""
        for child in self._leaving:
            child.kill()

    @property
    def is_gone(self) -> bool:
        """Whether all processes have left."""
        return not self._slots and not self._jobs and not self._leaving

    def _slot_of(self, orders: Orders) -> WorkerSlot:
        seconds = orders.settings.server.shutdown_timeout_seconds + _STOP_MARGIN_SECONDS
        work = partial(worker.work, orders, self._listener, self._bell)
        keeps = [self._listener.fileno(), self._bell.descriptor]
        return WorkerSlot(partial(Child, "worker", work, keeps=keeps, leave_seconds=seconds), self._bell, orders)

    def _jobs_slot(self, settings: Settings) -> Slot:
        seconds = job_process.LEAVE_SECONDS + _STOP_MARGIN_SECONDS
        work = partial(job_process.work, settings, self._bell)
        return Slot(partial(Child, "jobs", work, keeps=[self._bell.descriptor], leave_seconds=seconds), self._bell)

    def _leave(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            slot.child.leave()
            self._leaving.append(slot.child)

    def _comes_up(self, child: Child) -> bool:
        """Wait until a worker serves; False: it ended before, or takes too long, or the supervisor is to stop."""
        deadline = child.started + _START_SECONDS
        while not child.is_ready:
            if child.status is not None or self._told_to_stop() or time.monotonic() > deadline:
                return False
            self.tend()
            time.sleep(0.02)
        return True


def _keep_fixed(now: Settings, given: Settings) -> Settings:
    """Return the given settings with those that only a start can change as they are now; log where they differ."""
    kept = replace(
        given,
        server=replace(given.server, bind=now.server.bind, allow_remote=now.server.allow_remote),
        data=now.data,
        database=now.database,
    )
    wanted, effective = given.as_values(), kept.as_values()
    for name in wanted:
        if wanted[name] != effective[name]:
            log.warning("%s changes with a restart only", name)
    return kept


def _orders(settings: Settings, key: bytes) -> list[Orders]:
    """Return the parameters of each worker. With a core for each, it is bound: threads that change cores cost half."""
    cores = sorted(os.sched_getaffinity(0))
    count = settings.server.workers or len(cores)
    pinned = cores[:count] if count <= len(cores) else [None] * count
    return [Orders(settings, key, core, crowd) for core, crowd in zip(pinned, crowds.share(count), strict=True)]
