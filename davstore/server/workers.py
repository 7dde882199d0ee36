"""The worker processes of a supervisor: started, revived, replaced by those with other settings, and stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import IO, NamedTuple

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.settings import Settings

_START_SECONDS = 60.0
"""What a worker gets to begin to serve on a machine that is busy."""
_SETTLED_SECONDS = 30.0
"""A worker that lived so long had started well: when it dies the next comes at once."""
_PAUSES_SECONDS = (0, 1, 2, 4, 8, 15, 30, 60)
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", **os.environ}
"""Of a worker. With a heap for each thread, each keeps the most it ever held: 20 MB more after large reports."""
_STOP_MARGIN_SECONDS = 5
"""What a worker gets above the shutdown timeout before it is killed."""

log = logging.getLogger("davstore.supervisor")


class Orders(NamedTuple):
    """What a worker is told. key is all workers'; core None: any; sweeps: it clears away what is over."""

    settings: Settings
    key: str
    core: int | None
    sweeps: bool
    has_siblings: bool


class Worker:
    """One process."""

    def __init__(self, orders: Orders, listener: socket.socket) -> None:
        self.orders = orders
        self.started = time.monotonic()
        self._ready = False
        self._deadline: float | None = None
        # -P: nothing is imported from the directory that somebody happened to start us in.
        command = [sys.executable, "-P", "-m", "davstore.server.worker"]
        self._process = subprocess.Popen(  # noqa: S603  # a fixed command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what a dead worker did not take would be written again, and fail, when its pipe is closed
            pass_fds=[listener.fileno()],
            env=_ENVIRONMENT,
        )
        words = orders._asdict() | {"settings": orders.settings.as_values(), "listener": listener.fileno()}
        self._say(json.dumps(words).encode())

    @property
    def id(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it serves."""
        if not self._ready and select.select([self._output], [], [], 0)[0]:
            self._ready = bool(self._output.readline())
        return self._ready

    @property
    def status(self) -> int | None:
        """The exit status; None while it lives. One that takes too long to leave is killed."""
        if self._deadline and time.monotonic() > self._deadline and self._process.poll() is None:
            log.warning("worker %d did not stop in time", self.id)
            self.kill()
        if self._process.poll() is not None:
            self._input.close()
            self._output.close()
        return self._process.returncode

    def leave(self) -> None:
        """Tell it to finish what it has begun."""
        seconds = self.orders.settings.server.shutdown_timeout_seconds + _STOP_MARGIN_SECONDS
        self._deadline = time.monotonic() + seconds
        self._say(b"leave")

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()

    def _say(self, line: bytes) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                self._input.write(line + b"\n")

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  # it is a PIPE
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101  # it is a PIPE
        return self._process.stdout


class Slot:
    """A place for one worker. When that dies another comes: at once, or after pauses that grow."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._early_deaths = 0
        self._due: float | None = None

    def tend(self, listener: socket.socket) -> None:
        """Start another worker in the place of a dead one, when it is time."""
        status = self.worker.status
        if status is None:
            return
        now = time.monotonic()
        if self._due is None:
            self._early_deaths = 0 if now - self.worker.started > _SETTLED_SECONDS else self._early_deaths + 1
            pause = next_pause(self._early_deaths)
            log.error("worker %d ended with %d; another starts in %d s", self.worker.id, status, pause)
            self._due = now + pause
        if now >= self._due:
            try:
                self.worker = Worker(self.worker.orders._replace(sweeps=True), listener)  # after the dead one
            except OSError as error:  # no process, no memory: a machine in need is no reason to end the other workers
                log.warning("no worker can be started: %s", error.strerror)
                self._due = now + _PAUSES_SECONDS[-1]
            else:
                self._due = None


def next_pause(early_deaths: int) -> int:
    """Return the seconds until a slot is filled again, after so many workers in a row that died young."""
    return _PAUSES_SECONDS[min(max(early_deaths - 1, 0), len(_PAUSES_SECONDS) - 1)]


class Crew:
    """All workers of a supervisor. told_to_stop is asked while something here waits for a worker to come up."""

    def __init__(self, settings: Settings, listener: socket.socket, told_to_stop: Callable[[], bool]) -> None:
        self._settings = settings
        self._key = secrets.token_hex(32)
        self._listener = listener
        self._told_to_stop = told_to_stop
        self._slots: list[Slot] = []
        self._leaving: list[Worker] = []

    def start(self) -> bool:
        """Start all workers and wait until they serve; False: one did not, and nobody said stop."""
        workers = [Worker(orders, self._listener) for orders in _orders(self._settings, self._key)]
        for worker in workers:
            if not self._comes_up(worker):
                worker.kill()
                self._leaving.append(worker)
            else:
                self._slots.append(Slot(worker))
        return not self._leaving

    def tend(self) -> None:
        """Revive who died, and forget who has left."""
        for slot in self._slots:
            slot.tend(self._listener)
        self._leaving = [worker for worker in self._leaving if worker.status is None]

    def reload(self, load: Callable[[], Settings]) -> None:
        """Replace the workers one by one by those with the settings that load returns.

        With settings that are wrong, or with which no worker comes up, the old ones go on.
        """
        try:
            settings = _keep_fixed(self._settings, load())
            wiring.tell_policy(settings)
        except DavstoreError as error:
            log.error("not reloaded: %s", error)  # noqa: TRY400  # it names the line; a trace would say nothing more
            return
        for number, orders in enumerate(_orders(settings, self._key)):
            try:
                worker = Worker(orders, self._listener)
            except OSError as error:
                # The machine's fault, not ours
                log.error("only %d workers reloaded: %s", number, error.strerror)  # noqa: TRY400
                return
            if not self._comes_up(worker):
                if not self._told_to_stop():
                    log.error("only %d workers reloaded: worker %d did not come up", number, worker.id)
                worker.kill()
                return
            self._leave(self._slots[number : number + 1])
            self._slots[number : number + 1] = [Slot(worker)]
        self._leave(self._slots[number + 1 :])
        del self._slots[number + 1 :]
        self._settings = settings
        log.info("reloaded")

    def stop(self) -> None:
        """Tell all workers to finish what they have begun; `tend` until `is_gone`."""
        self._leave(self._slots)
        self._slots = []

    def kill(self) -> None:
        """End the workers that have not left."""
        for worker in self._leaving:
            worker.kill()

    @property
    def is_gone(self) -> bool:
        """Whether all workers have left."""
        return not self._slots and not self._leaving

    def _leave(self, slots: list[Slot]) -> None:
        for slot in slots:
            slot.worker.leave()
            self._leaving.append(slot.worker)

    def _comes_up(self, worker: Worker) -> bool:
        """Wait until a worker serves; False: it ended before, or takes too long, or the supervisor is to stop."""
        deadline = worker.started + _START_SECONDS
        while not worker.is_ready:
            if worker.status is not None or self._told_to_stop() or time.monotonic() > deadline:
                return False
            self.tend()
            time.sleep(0.02)
        return True


def _keep_fixed(now: Settings, given: Settings) -> Settings:
    """Return what is given, with what only a start can change as it is now; say so when it differs."""
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


def _orders(settings: Settings, key: str) -> list[Orders]:
    """What each worker is told. With a core for each it is bound to one: threads that change cores cost half."""
    cores = sorted(os.sched_getaffinity(0))
    count = settings.server.workers or len(cores)
    pinned = cores[:count] if count <= len(cores) else [None] * count
    return [
        Orders(settings, key, core, sweeps=number == 0, has_siblings=count > 1) for number, core in enumerate(pinned)
    ]
