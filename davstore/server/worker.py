"""One serving process: reads its orders from standard input and serves until it is told to stop.

It is started by the supervisor and ends with it. SIGTERM stops it gracefully: no new requests, those in flight get the
shutdown timeout. What a terminal sends to all processes (SIGINT, SIGHUP) the supervisor answers for.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.server.connection import StrictServer
from davstore.settings import Settings, load_settings

LOG_FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"

SWEEP_SECONDS = 3600

log = logging.getLogger("davstore.worker")

BACKLOG = 1024
"""Connections that wait for a worker while all are busy or one is being started."""
_QUEUE = 256
"""Connections that wait for a thread; the next one gets 503."""


class SharingServer(StrictServer):
    """Takes its connections from a socket that listens already and that other workers take from too."""

    listener: socket.socket | None = None

    def bind(self, family: int, kind: int, proto: int = 0) -> None:
        """Take the listener, when there is one, in the place of a socket of its own."""
        if self.listener is None:
            super().bind(family, kind, proto)
        else:
            self.socket = self.listener

    def prepare(self) -> None:
        """Get ready to serve. Another worker may be first to accept: that must not make this one wait for the next."""
        super().prepare()
        self.socket.settimeout(0)


def build_server(
    settings: Settings,
    host: str,
    port: int,
    *,
    listener: socket.socket | None = None,
    key: bytes | None = None,
) -> StrictServer:
    """Build the server of one worker, with a listener that it shares or bound to nothing yet.

    key is that of `wiring.build_application`.
    """
    limits = settings.server
    server = SharingServer(
        (host, port),
        wiring.build_application(settings, key=key),
        numthreads=limits.threads,
        server_name="davstore",
        request_queue_size=BACKLOG,
        timeout=limits.idle_timeout_seconds,
        shutdown_timeout=limits.shutdown_timeout_seconds,
        accepted_queue_size=_QUEUE,
        accepted_queue_timeout=1,
    )
    server.listener = listener
    server.max_request_header_size = limits.max_header_bytes
    server.keep_alive_conn_limit = limits.max_idle_connections
    server.body_timeout_seconds = limits.body_timeout_seconds
    return server


def main() -> None:
    """Serve as ordered."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    orders = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    if orders["core"] is not None:
        os.sched_setaffinity(0, {orders["core"]})
    settings = load_settings(flags=orders["settings"], environ={})
    listener = socket.socket(fileno=orders["listener"])
    host, port = listener.getsockname()[:2]
    server = build_server(settings, host, port, listener=listener, key=bytes.fromhex(orders["key"]))
    if orders["sweeps"]:
        threading.Thread(target=_sweep_now_and_then, args=[settings], daemon=True).start()

    def stop(_signal: int, _frame: object) -> None:
        # stop() waits for the loop that this handler interrupts, so it needs a thread of its own.
        threading.Thread(target=server.stop).start()

    server.prepare()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The supervisor blocks these while it starts us, so none is lost before the handlers are there.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.write(1, b"ready\n")  # to the supervisor, which reads no more after that
    os.dup2(2, 1)
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
