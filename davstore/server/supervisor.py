"""One parent that holds the data directory and the address, and the workers that serve (DECISIONS 26, 27).

The workers are processes of their own, started by exec: nothing that the supervisor opened reaches them but their
standard input. The settings come through it, and its end tells a worker that the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from davstore.errors import AlreadyRunning, BadSettings
from davstore.settings import Settings

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_RESTART_SECONDS = 1.0
"""A worker is started at most once in this time: one that dies at its start must not take the processor."""
_RELEASE_SECONDS = 1.0
_STOP_MARGIN_SECONDS = 5
"""What a worker gets above the shutdown timeout before it is killed."""

_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", **os.environ}
"""Of a worker. With a heap for each thread, each keeps the most it ever held: 20 MB more after large reports."""

log = logging.getLogger("davstore.supervisor")


@contextlib.contextmanager
def hold_data_directory(directory: Path) -> Iterator[None]:
    """Make the directory if need be and keep every other `serve` out of it.

    Raises:
        AlreadyRunning: another `serve` holds it.
        BadSettings: it cannot be made or written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / "serve.lock").open("a")
    except OSError as error:
        raise BadSettings(f"data.path: {directory}: {error.strerror}") from error
    with lock:
        _insist(lambda: _lock(lock, directory))
        yield


def _lock(lock: IO[str], directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AlreadyRunning(f"another davstore serve uses {directory}") from error


@contextlib.contextmanager
def hold_address(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Reserve the address for the workers of this supervisor and yield it, with the port that 0 became.

    Raises:
        AlreadyRunning: somebody listens there.
        BadSettings: this machine has no such address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise BadSettings(f"server.bind: {host}: {error.strerror}") from error
    with socket.socket(family) as reserved:
        if port:
            # Strangers who both set SO_REUSEPORT share the requests; a bind without it tells whether anybody is there.
            _insist(lambda: _probe(family, address))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(reserved, address)
        # Not listening, so that no request comes here; not reusable, so that the probe of another supervisor fails.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield reserved.getsockname()[:2]


def _probe(family: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family) as probe:
        _bind(probe, address)


def _bind(reserved: socket.socket, address: tuple[Any, ...]) -> None:
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind(address)
    except OSError as error:
        place = f"{address[0]} port {address[1]}"
        if error.errno == errno.EADDRINUSE:
            raise AlreadyRunning(f"another program listens on {place}") from error
        raise BadSettings(f"server.bind: {place}: {error.strerror}") from error


def _insist(attempt: Callable[[], None]) -> None:
    """Try again for a while: the workers of a supervisor that was killed may not have noticed yet."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            return attempt()
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class _Worker:
    """One slot: the process that fills it now, and when that was started."""

    def __init__(self, orders: dict[str, object]) -> None:
        self._orders = json.dumps(orders).encode() + b"\n"
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        command = [sys.executable, "-m", "davstore.server.worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env=_ENVIRONMENT)  # noqa: S603  # a fixed command
        with contextlib.suppress(BrokenPipeError):
            self._input.write(self._orders)
            self._input.flush()

    def revive(self) -> None:
        """Start a process that ended anew, unless it was started just now."""
        if self.process.poll() is not None and time.monotonic() - self._started > _RESTART_SECONDS:
            log.error("worker %d ended with %d", self.process.pid, self.process.returncode)
            self._input.close()
            self._start()

    def wait(self, deadline: float) -> None:
        """Wait for the process until deadline, then kill it."""
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("worker %d did not stop in time", self.process.pid)
            self.process.kill()
            self.process.wait()
        self._input.close()

    @property
    def _input(self) -> IO[bytes]:
        assert self.process.stdin is not None  # noqa: S101  # it is a PIPE
        return self.process.stdin


def supervise(settings: Settings, address: tuple[str, int], announce: Callable[[str], None]) -> int:
    """Run the workers until a signal says stop; return the exit status. announce gets the URL once it answers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    workers = [_Worker(orders) for orders in _orders(settings, address)]
    try:
        while not _answers(address):
            if _told_to_stop(within_seconds=0.05):
                return 0
            if any(worker.process.poll() is not None for worker in workers):
                log.error("a worker could not start")
                return 1
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        announce(f"http://{host}:{address[1]}/")
        while not _told_to_stop(within_seconds=_RESTART_SECONDS):
            for worker in workers:
                worker.revive()
        return 0
    finally:
        _stop(workers, settings.server.shutdown_timeout_seconds + _STOP_MARGIN_SECONDS)


def _told_to_stop(*, within_seconds: float) -> bool:
    """Wait for a signal; False when the time is over or a worker ended."""
    received = signal.sigtimedwait(_SIGNALS, within_seconds)
    return received is not None and received.si_signo != signal.SIGCHLD


def _stop(workers: list[_Worker], seconds: float) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.wait(deadline)


def _orders(settings: Settings, address: tuple[str, int]) -> Iterator[dict[str, object]]:
    """What each worker is told. With a core for each it is bound to one: threads that change cores cost half."""
    cores = sorted(os.sched_getaffinity(0))
    count = settings.server.workers or len(cores)
    for number in range(count):
        core = cores[number] if count <= len(cores) else None
        yield {"settings": settings.as_values(), "address": address, "core": core, "sweeps": number == 0}


def _answers(address: tuple[str, int]) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104  # not bound: asked
    connection = http.client.HTTPConnection(host, address[1], timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
