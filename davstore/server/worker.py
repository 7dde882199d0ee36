"""One serving process: reads its orders from standard input and serves until it is told to stop.

It is started by the supervisor and ends with it. SIGTERM and SIGINT stop it gracefully: no new requests, those in
flight get the shutdown timeout.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
import time

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.server.connection import StrictServer
from davstore.settings import Settings, load_settings

LOG_FORMAT = f"%(asctime)s {os.getpid()} %(name)s %(levelname)s %(message)s"
_COLLECTED = 50_000
"""Objects made before the collector looks for cycles: requests leave next to none, and a listing makes as many."""

SWEEP_SECONDS = 3600

log = logging.getLogger("davstore.worker")

_BACKLOG = 128
_QUEUE = 256
"""Connections that wait for a thread; the next one gets 503."""


def build_server(settings: Settings, host: str, port: int) -> StrictServer:
    """Build the server of one worker, bound to nothing yet."""
    limits = settings.server
    server = StrictServer(
        (host, port),
        wiring.build_application(settings),
        numthreads=limits.threads,
        server_name="davstore",
        request_queue_size=_BACKLOG,
        timeout=limits.idle_timeout_seconds,
        shutdown_timeout=limits.shutdown_timeout_seconds,
        accepted_queue_size=_QUEUE,
        accepted_queue_timeout=1,
        reuse_port=True,
    )
    server.max_request_header_size = limits.max_header_bytes
    server.keep_alive_conn_limit = limits.max_idle_connections
    server.body_timeout_seconds = limits.body_timeout_seconds
    return server


def set_up_process() -> None:
    """Log to standard error, and do not spend a tenth of the processor on what nobody asks for.

    The collector never looks again at what is there by now, and a line of the log is not told who wrote it.
    """
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging._srcfile = None  # this and the next as the manual of logging has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    gc.freeze()
    gc.set_threshold(_COLLECTED)


def main() -> None:
    """Serve as ordered."""
    set_up_process()
    orders = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    if orders["core"] is not None:
        os.sched_setaffinity(0, {orders["core"]})
    settings = load_settings(flags=orders["settings"], environ={})
    server = build_server(settings, *orders["address"])
    if orders["sweeps"]:
        threading.Thread(target=_sweep_now_and_then, args=[settings], daemon=True).start()

    def stop(_signal: int, _frame: object) -> None:
        # stop() waits for the loop that this handler interrupts, so it needs a thread of its own.
        threading.Thread(target=server.stop).start()

    server.prepare()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # The supervisor blocks these while it starts us, so none is lost before the handlers are there.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    server.serve()


def _sweep_now_and_then(settings: Settings) -> None:
    """Sweep at the start and every hour after; one that fails is tried again with the next."""
    while True:
        try:
            wiring.sweep(settings)
        except DavstoreError:
            log.exception("the sweep failed")
        time.sleep(SWEEP_SECONDS)


def _end_with_supervisor() -> None:
    """End at once when the supervisor is gone: its successor needs the address, and what was acknowledged is safe."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
