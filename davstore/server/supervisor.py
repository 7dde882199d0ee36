"""One parent that holds the data directory and the address, and the processes that serve and do jobs.

They are forked, and share its memory as long as they do not write to it; of its descriptors they get the listening
socket and a line of their own, which ends when the supervisor is gone. The socket is one for all and stays open here,
so that a connection which waits in its queue loses nothing when a worker crashes or is replaced: another one takes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from davstore.directory import identity, serving
from davstore.errors import AlreadyRunning, BadSettings
from davstore.server.child import settle_image
from davstore.server.worker import BACKLOG
from davstore.server.workers import Processes
from davstore.settings import Settings
from davstore.store.backups import refuse_backup

T = TypeVar("T")

_STOPS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOPS, signal.SIGHUP, signal.SIGCHLD)
_RELEASE_SECONDS = 1.0
_HANDSHAKE_SECONDS = 0.1
"""Time for handshakes that have begun to end before the socket closes."""
_DRAIN_SECONDS = 2.0
_SO_ATTACH_FILTER = 26
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 2), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF))
"""A socket filter over the TCP header (linux/filter.h): drop segments with SYN among their flags, let the rest pass."""

log = logging.getLogger("davstore.supervisor")


@contextlib.contextmanager
def hold_data_directory(directory: Path) -> Iterator[None]:
    """Make the directory if need be and keep every other `serve` out of it. A command that upgrades it ends first.

    Raises:
        AlreadyRunning: another `serve` holds it.
        BadSettings: it cannot be made or written, or is a backup.
    """
    refuse_backup(directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with identity.hold(directory):
            lock = _insist(lambda: serving.take(directory))
    except OSError as error:
        raise BadSettings(f"data.path: {directory}: {error.strerror}") from error
    with lock:
        yield


@contextlib.contextmanager
def hold_address(host: str, port: int) -> Iterator[socket.socket]:
    """Reserve the address and yield its socket, which does not listen yet. Port 0 becomes a free one.

    Raises:
        AlreadyRunning: another program listens there.
        BadSettings: this machine has no such address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise BadSettings(f"server.bind: {host}: {error.strerror}") from error
    with socket.socket(family) as listener:
        _insist(lambda: _bind(listener, address))
        yield listener


def _bind(listener: socket.socket, address: tuple[Any, ...]) -> None:
    """Bind, even while connections of an earlier server end (SO_REUSEADDR); then keep other programs from it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        place = f"{address[0]} port {address[1]}"
        if error.errno == errno.EADDRINUSE:
            raise AlreadyRunning(f"another program listens on {place}") from error
        raise BadSettings(f"server.bind: {place}: {error.strerror}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _insist(attempt: Callable[[], T]) -> T:
    """Try again for a while: the workers of a supervisor that was killed may not have noticed yet."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            return attempt()
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def supervise(
    settings: Settings,
    listener: socket.socket,
    *,
    load: Callable[[], Settings],
    announce: Callable[[str], None],
) -> int:
    """Run the workers until a signal says stop; return the exit status.

    announce gets the URL once they serve. SIGHUP replaces them, one by one, by workers with the settings that load
    reads then. A second SIGTERM or SIGINT does not wait for requests in flight.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.listen(BACKLOG)
    settle_image()
    processes = Processes(settings, listener, _told_to_stop)
    try:
        if not processes.start():
            if _told_to_stop():
                return 0
            log.error("a worker could not start")
            return 1
        announce(_url(listener))
        while (received := _wait(1.0)) not in _STOPS:
            if received == signal.SIGHUP:
                processes.reload(load)
            processes.tend()
        return 0
    finally:
        _refuse_newcomers(listener)
        listener.close()
        processes.stop()
        while not processes.is_gone and _wait(0.2) not in _STOPS:
            processes.tend()
        processes.kill()


def _told_to_stop() -> bool:
    """Tell whether a signal to stop waits to be received."""
    return not signal.sigpending().isdisjoint(_STOPS)


def _wait(seconds: float) -> int | None:
    """Return the next signal, None when there is none for so long."""
    received = signal.sigtimedwait(_SIGNALS, seconds)
    return received.si_signo if received else None


def _refuse_newcomers(listener: socket.socket) -> None:
    """Let the workers take the connections in the queue, so that closing it resets none.

    New handshakes are not answered meanwhile; the client tries again after a second and is refused then.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    with contextlib.suppress(OSError):  # then only connections of the next moment are lost
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program))
        )
    deadline = time.monotonic() + _DRAIN_SECONDS
    time.sleep(_HANDSHAKE_SECONDS)
    while select.select([listener], [], [], 0)[0] and time.monotonic() < deadline and not _told_to_stop():
        time.sleep(0.01)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
