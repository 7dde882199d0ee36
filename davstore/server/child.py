"""A process that the supervisor forks: its first state, its orders to leave, its end (docs/architecture.md).

All processes share the memory of the supervisor until they write to it, so the supervisor imports the modules they need
and opens nothing that must not be shared: work that does is run `apart`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, TypeVar

from davstore.errors import DavstoreError

T = TypeVar("T")

_STANDARD = 2
"""The last of the descriptors that every process has."""
_COLLECTED = 50_000
"""Objects made before the collector looks for cycles: requests leave next to none, and a listing makes as many."""
_M_ARENA_MAX = -8  # malloc.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

log = logging.getLogger("davstore.supervisor")


def settle_image() -> None:
    """Prepare the memory of this process for those that are forked from it: the less they write to, the more is shared.

    The collector of cycles never looks at the objects made so far. With a heap for each thread, each would keep the
    most that it ever held: 20 MB more after large reports.
    """
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and "MALLOC_ARENA_MAX" not in os.environ:
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.malloc_trim(0)
    gc.freeze()


def log_format() -> str:
    """Return the format of a line of the log of this process."""
    return f"%(asctime)s {os.getpid()} %(name)s %(levelname)s %(message)s"


class Lines(logging.Formatter):
    """Formats the lines of the log of this process as `log_format` says, in a third of its parent's time."""

    def __init__(self) -> None:
        super().__init__(log_format())
        self._process = os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a trace beneath where there is one."""
        if record.exc_info or record.exc_text or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)} {self._process} {record.name} {record.levelname} {record.getMessage()}"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  the parent's
        """Return the time with milliseconds. The time of day is rendered once a second."""
        return f"{_time_of_day(int(record.created), datefmt or self.default_time_format)},{int(record.msecs):03d}"


@lru_cache(maxsize=2)
def _time_of_day(second: int, form: str) -> str:
    return time.strftime(form, time.localtime(second))


def set_up_process() -> None:
    """Log to standard error, and save a tenth of the processor.

    The collector of cycles never looks again at the objects made so far, and a line of the log does not look up its
    caller.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging._srcfile = None  # this and the next as the manual of logging has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    gc.freeze()
    gc.set_threshold(_COLLECTED)


class Control:
    """The supervisor, as a child sees it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.leaving = threading.Event()

    def say_ready(self) -> None:
        """Report to the supervisor that this process does its work."""
        self._line.send(b"ready\n")

    def obey(self, leave: Callable[[], None]) -> None:
        """Call leave, on a thread, once the supervisor says so; end at once when it is gone.

        Its successor needs the address then, and acknowledged writes are safe.
        """
        threading.Thread(target=self._listen, args=[leave], daemon=True).start()

    def _listen(self, leave: Callable[[], None]) -> None:
        with contextlib.suppress(ConnectionResetError):  # it ended before it read our message
            while self._line.recv(64):
                if not self.leaving.is_set():
                    self.leaving.set()
                    threading.Thread(target=leave, daemon=True).start()
        os._exit(1)


class Child:
    """One process. It gets no descriptor but its standard streams, its line to the supervisor, and those it keeps."""

    def __init__(
        self, name: str, work: Callable[[Control], None], *, keeps: Collection[int], leave_seconds: float
    ) -> None:
        self.name = name
        self.started = time.monotonic()
        self._leave_seconds = leave_seconds
        self._deadline: float | None = None
        self._ready = False
        self._status: int | None = None
        self._line, theirs = socket.socketpair()
        self._line.settimeout(0)
        with theirs:
            self.id = os.fork()
            if self.id == 0:
                _live(lambda: _begin(name, work, theirs), keeps={theirs.fileno(), *keeps})

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it does its work."""
        if not self._ready:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._ready = bool(self._line.recv(64))
        return self._ready

    @property
    def status(self) -> int | None:
        """The exit status, that of a signal below zero; None while it lives. One that leaves too slowly is killed."""
        if self._status is None and self._deadline and time.monotonic() > self._deadline:
            log.warning("%s %d did not stop in time", self.name, self.id)
            self.kill()
        self._look()
        return self._status

    @property
    def memory_bytes(self) -> int:
        """The memory that it holds, shared pages included; 0: it is gone."""
        try:
            return int(Path(f"/proc/{self.id}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def leave(self) -> None:
        """Order it to finish the work it has begun."""
        self._deadline = time.monotonic() + self._leave_seconds
        with contextlib.suppress(OSError):  # it is dead, which `status` reports
            self._line.send(b"leave\n")

    def kill(self) -> None:
        """End it now."""
        if self._status is None:
            os.kill(self.id, signal.SIGKILL)
            self._look(0)

    def _look(self, options: int = os.WNOHANG) -> None:
        if self._status is None and (found := os.waitpid(self.id, options))[0]:
            self._status = os.waitstatus_to_exitcode(found[1])
            self._line.close()


def _begin(name: str, work: Callable[[Control], None], line: socket.socket) -> None:
    """Do the work of a child. Signals are the supervisor's, also those that a terminal sends to all processes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"davstore-{name}")
    for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(word, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the supervisor has blocked these when it forked
    os.dup2(2, 1)
    set_up_process()
    work(Control(line))


def _live(work: Callable[[], None], *, keeps: Collection[int]) -> NoReturn:
    """Run work as all that this process does. Nothing of its parent is closed in an orderly way, or runs on."""
    status = 1
    try:
        for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
            if number > _STANDARD and number not in keeps:
                with contextlib.suppress(OSError):  # that of the listing
                    os.close(number)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        work()
        status = 0
    finally:
        kind, error, trace = sys.exc_info()
        if kind and error:
            sys.excepthook(kind, error, trace)
        os._exit(status)


def apart(work: Callable[[], T]) -> T:
    """Run work in a process of its own and return its value: its imports and open files are not shared with children.

    Raises: the errors of work that davstore knows. SystemExit: it failed otherwise, and said how.
    """
    parent = os.getpid()
    readable, writable = os.pipe()

    def answer() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C ends the parent, and with it this process
        if os.getppid() != parent:
            return
        said: object
        try:
            said = work()
        except (DavstoreError, OSError) as error:
            said = _Raised(error)
        with os.fdopen(writable, "wb") as output:
            pickle.dump(said, output)

    process = os.fork()
    if process == 0:
        _live(answer, keeps={writable})
    os.close(writable)
    with os.fdopen(readable, "rb") as source:
        told = source.read()
    os.waitpid(process, 0)
    if not told:
        raise SystemExit(1)
    said = pickle.loads(told)  # noqa: S301  our own child's
    if isinstance(said, _Raised):
        raise said.error
    value: T = said
    return value


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error
