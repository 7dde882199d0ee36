"""One parent that holds the data directory and the address, and the workers that serve (DECISIONS 26, 27).

The workers are processes of their own, started by exec: nothing that the supervisor opened reaches them but their
standard input. The settings come through it, and its end tells a worker that the supervisor is gone.
"""

from __future__ import annotations

import contextlib
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
"""How long the workers of a supervisor that was killed may take to notice."""
_STOP_MARGIN_SECONDS = 5
"""What a worker gets above the shutdown timeout before it is killed."""

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
        if not _within(_RELEASE_SECONDS, lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            raise AlreadyRunning(f"another davstore serve uses {directory}")
        yield


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
        # Two strangers who both set SO_REUSEPORT would share the requests; a plain bind tells whether anybody is there.
        if port and not _within(_RELEASE_SECONDS, lambda: _probe(family, address)):
            raise AlreadyRunning(f"another program listens on {host}:{port}")
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
        # Not listening, so that no request comes here; not reusable, so that the probe of another supervisor fails.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield reserved.getsockname()[:2]


def _probe(family: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            raise BadSettings(f"server.bind: port {address[1]}: {error.strerror}") from error


def _within(seconds: float, attempt: Callable[[], None]) -> bool:
    """Try until it works or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


class _Worker:
    """One slot: the process that fills it now, and when that was started."""

    def __init__(self, orders: dict[str, object]) -> None:
        self._orders = json.dumps(orders).encode() + b"\n"
        self.process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")

    def start(self) -> None:
        """Start the process, unless the last start was just now."""
        if time.monotonic() - self._started < _RESTART_SECONDS:
            return
        self._started = time.monotonic()
        command = [sys.executable, "-m", "davstore.server.worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603  # a fixed command
        with contextlib.suppress(BrokenPipeError):
            self._input.write(self._orders)
            self._input.flush()

    def revive(self) -> None:
        """Start a process that ended anew."""
        if self.process and self.process.poll() is not None:
            log.error("worker %d ended with %d", self.process.pid, self.process.returncode)
            self._input.close()
            self.process = None
        if self.process is None:
            self.start()

    def stop(self, deadline: float) -> None:
        """Wait for the process, then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("worker %d did not stop in time", self.process.pid)
            self.process.kill()
            self.process.wait()
        self._input.close()

    @property
    def _input(self) -> IO[bytes]:
        assert self.process is not None  # noqa: S101  # both callers have just looked
        assert self.process.stdin is not None  # noqa: S101  # PIPE
        return self.process.stdin


def supervise(settings: Settings, address: tuple[str, int], announce: Callable[[str], None]) -> int:
    """Run the workers until a signal says stop; return the exit status. announce gets the URL once it answers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    workers = [_Worker(orders) for orders in _orders(settings, address)]
    for worker in workers:
        worker.start()
    failed = False
    try:
        failed = not _wait_until_ready(workers, address)
        if not failed:
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            announce(f"http://{host}:{address[1]}/")
            _keep(workers)
    finally:
        for worker in workers:
            if worker.process:
                worker.process.terminate()
        deadline = time.monotonic() + settings.server.shutdown_timeout_seconds + _STOP_MARGIN_SECONDS
        for worker in workers:
            worker.stop(deadline)
    return 1 if failed else 0


def _orders(settings: Settings, address: tuple[str, int]) -> Iterator[dict[str, object]]:
    """What each worker is told. With a core for each it is bound to one: threads that change cores cost half."""
    cores = sorted(os.sched_getaffinity(0))
    count = settings.server.workers or len(cores)
    for number in range(count):
        core = cores[number] if count <= len(cores) else None
        yield {"settings": settings.as_values(), "address": address, "core": core}


def _wait_until_ready(workers: list[_Worker], address: tuple[str, int]) -> bool:
    """Wait until a worker answers; False when one cannot start or a signal came first."""
    while not _answers(address):
        received = signal.sigtimedwait(_SIGNALS, 0.05)
        if received and received.si_signo != signal.SIGCHLD:
            return True
        if any(worker.process and worker.process.poll() is not None for worker in workers):
            log.error("a worker could not start")
            return False
    return True


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


def _keep(workers: list[_Worker]) -> None:
    """Restart what ends until a signal says stop."""
    while True:
        received = signal.sigtimedwait(_SIGNALS, _RESTART_SECONDS)
        if received and received.si_signo != signal.SIGCHLD:
            return
        for worker in workers:
            worker.revive()
