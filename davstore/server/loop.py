"""cheroot's WSGI server with its threads on one epoll: none of them waits for a client, and everything has a bound.

A thread takes a connection when something can be done for it and gives it back when the client has to act. There is no
hand-over from a thread that selects to one that works: the kernel wakes the thread that has been idle for the shortest
time, and no more of them run, and hold handles, than there is work for.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from cheroot import wsgi

from davstore.server.connection import GRACE_SECONDS, Connection, Wait, render_refusal
from davstore.server.crowds import Crowd, share
from davstore.server.limits import Limits
from davstore.server.phases import RULES
from davstore.server.service import Service
from davstore.server.turns import Turns

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

MAX_OWING: Final = 20
"""Connections of one client that may owe a request at a time: the newest stay. A proxy has no such bound."""
UNSENT_BYTES: Final = 131_072
"""The bytes of an answer that the kernel takes in advance of the network: they are memory too."""
_TICK_SECONDS: Final = 0.5
_BREAK_SECONDS: Final = 1.0
_SHORT_OF: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LATER_SECONDS: Final = 0.0005
"""Delay of an accept for each connection more than another worker has, up to some. Without it one of two workers often
got all eight connections of a client."""
_MOST_LATER: Final = 4
_EVENTS: Final = {Wait.INPUT: select.EPOLLIN | select.EPOLLONESHOT, Wait.ROOM: select.EPOLLOUT | select.EPOLLONESHOT}

log = logging.getLogger("davstore.server")


class Server(wsgi.Server):
    """Serves a WSGI application.

    listener is a socket that listens already; without it the address is bound. crowd counts the connections of all
    workers that accept from it. is_proxy is true of an address behind which many clients are.
    """

    version = software = "davstore"

    def __init__(
        self,
        address: tuple[str, int],
        application: WSGIApplication,
        *,
        limits: Limits = Limits(),  # noqa: B008  frozen
        max_connections: int = 1_000,
        listener: socket.socket | None = None,
        crowd: Crowd | None = None,
        is_proxy: Callable[[str], bool] = lambda _address: False,
        **rest: Any,
    ) -> None:
        super().__init__(address, application, **rest)
        self._application = application
        self._limits = limits
        self._max_connections = max_connections
        self._stopping = threading.Event()
        self.socket = listener
        self._is_own = listener is None
        self._crowd = crowd or share(1)[0]
        self._is_proxy = is_proxy
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.numthreads)]
        self._open: dict[int, Connection] = {}
        self._waiting: dict[int, Connection] = {}
        """Connections that no thread has. The thread that takes one out, by `_claim`, has it alone."""
        self._accepting = threading.Lock()
        self._turns = Turns[Connection](max(1, self.numthreads // 2), self._give_turn)

    def prepare(self) -> None:
        """Bind and listen, unless a listener was given, and start the threads that answer."""
        if self.socket is None:
            host, port = self.bind_addr
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.socket = self.bind(*found[0][:3])
            self.socket.listen(self.request_queue_size)
        name, port = self.server_name, self.bind_addr[1]
        self._service = Service(self._application, name, port, self._limits, self._stopping)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.socket.settimeout(0)  # another worker may be first to accept
        self._arrivals = select.poll()
        self._arrivals.register(self.socket, select.POLLIN)
        self._end = os.eventfd(0)
        self._epoll = select.epoll()
        self._epoll.register(self._end, select.EPOLLIN)
        for thread in self._threads:
            thread.start()
        self._report_connections()

    def serve(self) -> None:
        """Accept connections and look after slow clients until `stop`."""
        tick = 0.0
        while not self._stopping.is_set():
            if self._arrivals.poll(_TICK_SECONDS * 1000):
                self._accept_some()
            if time.monotonic() >= tick:
                tick = time.monotonic() + _TICK_SECONDS
                self._report_connections()
                self._cut_overdue()
        while not self._stopped.wait(_TICK_SECONDS):
            self._cut_overdue()

    def _cut_overdue(self) -> None:
        now = time.monotonic()
        for connection in list(self._waiting.values()):
            if connection.is_overdue(now):
                self._cut(connection)

    def stop(self) -> None:
        """Accept no more, let requests that have begun end until the shutdown timeout, and break the rest."""
        if self._stopping.is_set():
            return
        with self._accepting:
            self._stopping.set()
            self._crowd.leave()
            while self._is_own and self._accept():
                pass  # connections that the kernel has accepted would be reset
            self.socket.close()
        self._settle(self.shutdown_timeout)
        for connection in list(self._open.values()):
            if not self._cut(connection, at_once=True):
                connection.break_off()
        self._settle(_BREAK_SECONDS)
        os.eventfd_write(self._end, 1)
        self._stopped.set()

    def _settle(self, seconds: float) -> None:
        """Wait for the requests that have begun, and close the connections without one."""
        deadline = time.monotonic() + seconds
        while self._open and time.monotonic() < deadline:
            for connection in list(self._waiting.values()):
                if connection.is_idle():
                    self._cut(connection, at_once=True)
            time.sleep(0.02)

    def _work(self) -> None:
        while True:
            ((number, _),) = self._epoll.poll(maxevents=1)
            if number == self._end:
                return
            connection = self._waiting.get(number)
            if connection is not None and self._claim(connection):
                self._go_on(connection)
                if len(self._open) > len(self._waiting):
                    # Another thread wants the interpreter. On one core it would get it, again and again for each system
                    # call of its request, only when the kernel ends our slice: 60 ms for one request in fifty.
                    os.sched_yield()

    def _go_on(self, connection: Connection) -> None:
        try:
            wait = connection.proceed()
            while wait is Wait.INPUT and len(self._open) == 1 and connection.has_next():
                # The next request of a client alone often comes before we wait for it, and would wake another thread.
                wait = connection.proceed()
        except Exception:
            # The application has a boundary of its own: this is for an answer that breaks after it began.
            log.exception("an answer broke off")
            self._finish(connection, connection.fail)
            return
        if wait is Wait.OVER:
            self._finish(connection, connection.close)
        else:
            self._hand_back(connection, wait)

    def _finish(self, connection: Connection, end: Callable[[], None]) -> None:
        del self._open[connection.number]
        self._report_connections()
        try:
            end()
        except Exception:
            log.exception("an answer could not be closed")

    def _hand_back(self, connection: Connection, wait: Wait) -> None:
        """Give a connection back: any thread may claim it when its wait is over."""
        with connection.lock:
            self._waiting[connection.number] = connection
            if wait is not Wait.TURN:
                self._epoll.modify(connection.number, _EVENTS[wait])
                return
            if self._turns.take_or_wait(connection):
                self._go_on_with_turn(connection)

    def _claim(self, connection: Connection) -> bool:
        """Take a waiting connection; False when another thread has it, or it is gone."""
        with connection.lock:
            if self._waiting.get(connection.number) is not connection:
                return False
            del self._waiting[connection.number]
            return True

    def _give_turn(self, connection: Connection) -> bool:
        """Have a thread take a connection from the queue; False when the connection no longer waits."""
        with connection.lock:
            if self._waiting.get(connection.number) is not connection:
                return False
            self._go_on_with_turn(connection)
            return True

    def _go_on_with_turn(self, connection: Connection) -> None:
        connection.holds_turn = True
        self._epoll.modify(connection.number, _EVENTS[Wait.ROOM])  # there is always room to send

    def _accept_some(self) -> None:
        """Accept new connections, later the more are open here than in another worker: that one is to be first."""
        later = min(self._crowd.excess(), _MOST_LATER)
        if later:
            time.sleep(later * _LATER_SECONDS)
        for _ in range(4 if later == _MOST_LATER else 1):
            with self._accepting:
                if self._stopping.is_set() or not self._accept():
                    return

    def _report_connections(self) -> None:
        if not self._stopping.is_set():
            self._crowd.report(len(self._open))

    def _accept(self) -> bool:
        """Take a connection that has arrived; False when there is none."""
        try:
            connected, address = self.socket.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _SHORT_OF and not self._make_room():
                log.warning("cannot accept a connection: %s", error.strerror)
                time.sleep(_TICK_SECONDS)
            return False
        self._welcome(connected, address)
        return True

    def _welcome(self, connected: socket.socket, address: tuple[str, int]) -> None:
        connection = Connection(self._service, self._turns, connected, address)
        self._bound_owing(connection)
        if len(self._open) >= self._max_connections and not self._make_room():
            with contextlib.suppress(OSError):
                connected.send(render_refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections"))
            connected.close()
            return
        self._open[connection.number] = connection
        self._report_connections()
        with connection.lock:
            self._waiting[connection.number] = connection
            self._epoll.register(connection.number, _EVENTS[Wait.INPUT])

    def _bound_owing(self, newest: Connection) -> None:
        """Cut a client's oldest connection that owes a request, when too many do."""
        if len(self._waiting) < MAX_OWING or self._is_proxy(newest.peer.address):
            return
        owing = [one for one in list(self._waiting.values()) if one.client == newest.client and RULES[one.phase].owes]
        if len(owing) >= MAX_OWING:
            oldest = min(owing, key=lambda one: one.since)
            waits_for_us = not oldest.wire.received_bytes and oldest.wire.has_more()
            if _is_late(oldest) and not waits_for_us:
                self._cut(oldest)

    def _make_room(self) -> bool:
        """Cut a connection for a new one: one that lingers, else the longest idle, else one that is late."""
        waiting = list(self._waiting.values())
        first = min(waiting, key=lambda one: (RULES[one.phase].precedence, one.since), default=None)
        if first is None:
            return False
        if RULES[first.phase].of_most:
            crowds = collections.Counter(one.client for one in list(self._open.values()))
            first = min(waiting, key=lambda one: (-crowds[one.client], one.since))
        return (not RULES[first.phase].spared or _is_late(first)) and self._cut(first, at_once=True)

    def _cut(self, connection: Connection, *, at_once: bool = False) -> bool:
        """End a connection that no thread has; False when one took it meanwhile. at_once: without lingering."""
        if not self._claim(connection):
            return False
        self._turns.leave(connection)
        wait = connection.cut()
        if at_once or wait is Wait.OVER:
            self._finish(connection, connection.close)
        else:
            self._hand_back(connection, wait)
        return True


def _is_late(connection: Connection) -> bool:
    return connection.age_seconds() > GRACE_SECONDS
