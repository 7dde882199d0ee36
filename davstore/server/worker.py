"""One serving process: reads its orders from standard input and serves until it is told to stop.

It is started by the supervisor, ends with it, and leaves when it says so: no new requests then, those in flight get the
shutdown timeout. Signals are the supervisor's, also those that a terminal or a service manager sends to all processes.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from functools import lru_cache

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.model.networks import find_address
from davstore.server.limits import Limits
from davstore.server.loop import StrictServer
from davstore.settings import Settings, load_settings

LOG_FORMAT = f"%(asctime)s {os.getpid()} %(name)s %(levelname)s %(message)s"
_COLLECTED = 50_000
"""Objects made before the collector looks for cycles: requests leave next to none, and a listing makes as many."""

SWEEP_SECONDS = 3600

log = logging.getLogger("davstore.worker")

BACKLOG = 1024
"""Connections that wait for a worker while all are busy or one is being started."""


def build_server(
    settings: Settings, listener: socket.socket, *, has_siblings: bool = False, key: bytes | None = None
) -> StrictServer:
    """Build the server of one worker; it takes its connections from a socket that it shares with its siblings.

    key is that of `wiring.build_application`.
    """
    limits = settings.server
    return StrictServer(
        listener.getsockname()[:2],
        wiring.build_application(settings, key=key),
        listener=listener,
        has_siblings=has_siblings,
        is_proxy=lambda address: limits.proxies.holds(find_address(address)),
        limits=Limits(
            idle_seconds=limits.idle_timeout_seconds,
            body_seconds=limits.body_timeout_seconds,
            head_bytes=limits.max_header_bytes,
        ),
        max_connections=limits.max_connections,
        numthreads=limits.threads,
        shutdown_timeout=limits.shutdown_timeout_seconds,
    )


class _Lines(logging.Formatter):
    """Formats the lines of the log as its parent does, the time of day once a second."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  the parent's
        """Return the time with milliseconds."""
        return f"{_time_of_day(int(record.created), datefmt or self.default_time_format)},{int(record.msecs):03d}"


@lru_cache(maxsize=2)
def _time_of_day(second: int, form: str) -> str:
    return time.strftime(form, time.localtime(second))


def set_up_process() -> None:
    """Log to standard error, and do not spend a tenth of the processor on what nobody asks for.

    The collector never looks again at what is there by now, and a line of the log is not told who wrote it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging._srcfile = None  # this and the next as the manual of logging has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    gc.freeze()
    gc.set_threshold(_COLLECTED)


def main() -> None:
    """Serve as ordered."""
    os.umask(0o077)
    set_up_process()
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as told:  # it takes no byte of what comes later
        orders = json.loads(told.readline())
    leaving = threading.Event()
    threading.Thread(target=_obey, args=[leaving], daemon=True).start()
    if orders["core"] is not None:
        os.sched_setaffinity(0, {orders["core"]})
    settings = load_settings(flags=orders["settings"], environ={})
    _allow_files()
    listener, key = socket.socket(fileno=orders["listener"]), bytes.fromhex(orders["key"])
    server = build_server(settings, listener, has_siblings=orders["has_siblings"], key=key)
    if orders["sweeps"]:
        threading.Thread(target=sweep_now_and_then, args=[settings], daemon=True).start()

    def stop() -> None:
        leaving.wait()
        server.stop()

    server.prepare()
    threading.Thread(target=stop, daemon=True).start()
    for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(word, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the supervisor has blocked these while it started us
    os.write(1, b"ready\n")  # to the supervisor, which reads no more after that
    os.dup2(2, 1)
    server.serve()


def _allow_files() -> None:
    """Take as many file descriptors as this machine gives: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def sweep_now_and_then(settings: Settings) -> None:
    """Sweep at the start and every hour after; one that fails is tried again with the next."""
    while True:
        try:
            wiring.sweep(settings)
        except (DavstoreError, OSError) as error:
            log.error("the sweep failed: %s", error)  # noqa: TRY400  the line says what to do, a trace would not
        time.sleep(SWEEP_SECONDS)


def _obey(leaving: threading.Event) -> None:
    """Leave when the supervisor says so, and end at once when it is gone.

    Its successor needs the address then, and what was acknowledged is safe.
    """
    while os.read(sys.stdin.fileno(), 64):
        leaving.set()
    os._exit(1)


if __name__ == "__main__":
    main()
