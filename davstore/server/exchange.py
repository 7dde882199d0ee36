"""One request and its answer, as a WSGI application sees them and as the bytes that go out (PEP 3333, RFC 9112)."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from davstore.errors import Malformed, Unavailable
from davstore.server.bodies import Body, ChunkedBody, CountedBody
from davstore.server.request_head import Head
from davstore.server.service import Service
from davstore.server.sockets import Wire

if TYPE_CHECKING:
    from types import TracebackType
    from wsgiref.types import WSGIEnvironment

    Raised = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

DRAIN_BYTES: Final = 65_536
"""An unread body up to this size costs less to read and drop than a new connection."""
DRAIN_SECONDS: Final = 0.1
"""Time for bytes that are on their way; longer, and refused requests would hold the threads that others need."""
JOINED_BYTES: Final = 65_536
"""A larger part is sent by itself: copying it costs more than a packet."""

_BODILESS: Final = (204, 304)

log = logging.getLogger("davstore.server")


class Peer(NamedTuple):
    """The address of a client."""

    address: str
    port: str


class Exchange:
    """One request with its body, and its answer as parts that are made one after the other."""

    def __init__(self, service: Service, peer: Peer, wire: Wire, head: Head) -> None:
        self._service = service
        self._peer = peer
        self._head = head
        self._reader = wire.reader()
        self._status = ""
        self._fields: list[tuple[str, str]] = []
        self._length_bytes: int | None = None
        self._has_body = True
        self._written: list[bytes] = []
        self._chunked = False
        self.close_connection = not head.keeps_alive
        self.sent_headers = False
        self.body = self._open_body(wire)

    def _open_body(self, wire: Wire) -> Body:
        # `100 Continue` invites a body that the client holds back, when it is first read (RFC 9110 §10.1.1).
        begin = partial(wire.send, b"HTTP/1.1 100 Continue\r\n\r\n") if self._head.expects_100 else None
        if self._head.chunked:
            return ChunkedBody(self._reader, begin)
        return CountedBody(self._reader, begin, self._head.length_bytes)

    def answer(self) -> Iterator[bytes]:
        """Let the application answer; yield the bytes that go out. Sets `close_connection` by its end."""
        environ = self._environ()
        parts = self._service.application(environ, self._start_response)
        sent_bytes = 0
        try:
            for part in filter(None, itertools.chain(self._written, parts)):
                if not self._has_body:
                    continue
                if self._length_bytes is not None and sent_bytes + len(part) > self._length_bytes:
                    break
                sent_bytes += len(part)
                yield from self._framed(part)
            if not self.sent_headers:
                yield self._render_head()
            if self._chunked:
                yield b"0\r\n\r\n"
            if self._has_body and self._length_bytes not in (None, sent_bytes):
                log.error("%s %s: the answer has not the length it says", self._head.method, self._head.target)
                self.close_connection = True
        finally:
            if hasattr(parts, "close"):
                parts.close()
            # The environ refers to this exchange: its objects would wait for the collector of cycles.
            environ.clear()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Raised | None = None
    ) -> Callable[[bytes], object]:
        """Begin the answer; with exc_info in the place of the one begun before (PEP 3333)."""
        if exc_info is not None and exc_info[1] is not None and self.sent_headers:
            raise exc_info[1]
        if exc_info is None and self._status:
            raise RuntimeError("start_response was called twice")
        lengths = (value for name, value in reversed(headers) if name.lower() == "content-length")
        length = next(lengths, None)  # it is one of the last
        self._status, self._fields = status, headers
        self._length_bytes = None if length is None else int(length)
        self._has_body = self._head.method != "HEAD" and int(status[:3]) not in _BODILESS
        return self._written.append

    def _framed(self, part: bytes) -> Iterator[bytes]:
        """Frame a part; the first small one leaves together with the head: one packet, one waking."""
        head = b"" if self.sent_headers else self._render_head()
        if self._chunked:
            yield b"%b%x\r\n%b\r\n" % (head, len(part), part)
        elif len(part) <= JOINED_BYTES:
            yield head + part
        else:
            if head:
                yield head
            yield part

    def _render_head(self) -> bytes:
        """Render the head of the answer; it says `close` when the rest of the request was not read."""
        if not self._status:
            raise RuntimeError("start_response was not called")
        self.sent_headers = True
        framing: list[tuple[str, str]] = []
        if self._length_bytes is None and self._has_body:
            if self._head.protocol == "HTTP/1.1":
                self._chunked = True
                framing.append(("Transfer-Encoding", "chunked"))
            else:
                self.close_connection = True
        if self._service.stopping.is_set() or not (self.body.whole or self._drained()):
            self.close_connection = True
        self.body.begun = True  # too late for an invitation
        if self.close_connection:
            framing.append(("Connection", "close"))
        elif self._head.protocol == "HTTP/1.0":
            framing.append(("Connection", "keep-alive"))
        lines = [f"HTTP/1.1 {self._status}", *(f"{name}: {value}" for name, value in (*self._fields, *framing))]
        head = "\r\n".join(lines)
        if not head.count("\n") == head.count("\r") == len(lines) - 1:
            raise ValueError("a line break in a header field of the answer")
        return b"%b\r\n%b" % (head.encode("latin-1"), _closing(int(time.time())))

    def _drained(self) -> bool:
        """Read and drop the rest of a small body; False when the connection has to go instead."""
        if self.close_connection or self.body.broken or (self._head.expects_100 and not self.body.begun):
            return False
        if isinstance(self.body, CountedBody) and self.body.left_bytes > DRAIN_BYTES:
            return False
        try:
            self._reader.limit_seconds = DRAIN_SECONDS
            self.body.begun = True
            self.body.read(DRAIN_BYTES)
            return self.body.read(1) == b""
        except (Malformed, Unavailable):
            return False

    def _environ(self) -> WSGIEnvironment:
        """Return the environ; REQUEST_URI is the raw target, from which the boundary takes the path."""
        head = self._head
        path, _, query = head.target.partition("?")
        return {
            "REQUEST_METHOD": head.method,
            "REQUEST_URI": head.target,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": head.protocol,
            "SERVER_NAME": self._service.name,
            "SERVER_PORT": str(self._service.port),
            "SERVER_SOFTWARE": "davstore",
            "REMOTE_ADDR": self._peer.address,
            "REMOTE_PORT": self._peer.port,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": self.body,
            "wsgi.input_terminated": head.chunked,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **head.fields,
        }


@lru_cache(maxsize=1)
def _closing(second: int) -> bytes:
    """Return the last fields of every head, and its end."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: davstore\r\n\r\n".encode()
