"""One request and its answer, as cheroot's gateway sees them and as the bytes that go out (RFC 9112 §6, §7)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from cheroot import server, wsgi

from davstore.errors import Malformed, Unavailable
from davstore.server.bodies import Body, ChunkedBody, CountedBody
from davstore.server.request_head import Head
from davstore.server.sockets import Wire

if TYPE_CHECKING:
    from davstore.server.connection import Connection

DRAIN_BYTES: Final = 65_536
"""An unread body up to this size costs less to read and drop than a new connection."""
DRAIN_SECONDS: Final = 0.1
"""What is on its way may arrive; longer, and those who are refused would hold the threads of those who are not."""
JOINED_BYTES: Final = 65_536
"""A larger part is sent by itself: copying it costs more than a packet."""

_BODILESS: Final = (204, 304)

log = logging.getLogger("davstore.server")


class Exchange(server.HTTPRequest):
    """One request with its body, and its answer as parts that are made one after the other."""

    conn: Connection
    status: Any  # bytes, once the gateway has set it

    def __init__(self, connection: Connection, head: Head) -> None:
        super().__init__(connection.server, connection)
        self.head = head
        self.close_connection = not head.keeps_alive
        self._reader = connection.wire.reader()
        self.rfile = self.body = self._open_body(connection.wire)

    def _open_body(self, wire: Wire) -> Body:
        # What the client holds back is asked for when somebody reads it (RFC 9110 §10.1.1).
        begin = partial(wire.send, b"HTTP/1.1 100 Continue\r\n\r\n") if self.head.expects_100 else None
        if self.head.chunked:
            return ChunkedBody(self._reader, begin)
        return CountedBody(self._reader, begin, self.head.length_bytes)

    def answer(self) -> Iterator[bytes]:
        """Let the application answer; yield what goes out. Sets `close_connection` by its end."""
        gateway = self.server.gateway(self)
        parts = self.server.wsgi_app(gateway.env, gateway.start_response)
        sent_bytes = 0
        try:
            for part in filter(None, parts):
                if not self._has_body:
                    continue
                if gateway.remaining_bytes_out is not None and sent_bytes + len(part) > gateway.remaining_bytes_out:
                    break
                sent_bytes += len(part)
                yield from self._framed(part)
            if not self.sent_headers:
                yield self._render_head()
            if self.chunked_write:
                yield b"0\r\n\r\n"
            if self._has_body and gateway.remaining_bytes_out not in (None, sent_bytes):
                log.error("%s %s: the answer has not the length it says", self.head.method, self.head.target)
                self.close_connection = True
        finally:
            if hasattr(parts, "close"):
                parts.close()
            # It leads to the gateway and back: what a request held would wait for the collector of cycles.
            gateway.env.clear()

    def _framed(self, part: bytes) -> Iterator[bytes]:
        """Frame a part; the first small one leaves together with the head: one packet, one waking."""
        head = b"" if self.sent_headers else self._render_head()
        if self.chunked_write:
            yield b"%b%x\r\n%b\r\n" % (head, len(part), part)
        elif len(part) <= JOINED_BYTES:
            yield head + part
        else:
            if head:
                yield head
            yield part

    @property
    def _has_body(self) -> bool:
        return self.head.method != "HEAD" and int(self.status[:3]) not in _BODILESS

    def _render_head(self) -> bytes:
        """Render the head of the answer; it says `close` when the rest of the request was not read."""
        self.sent_headers = True
        fields: list[tuple[bytes, bytes]] = self.outheaders
        names = {name.lower() for name, _ in fields}
        if b"content-length" not in names and self._has_body:
            if self.head.protocol == "HTTP/1.1":
                self.chunked_write = True
                fields.append((b"Transfer-Encoding", b"chunked"))
            else:
                self.close_connection = True
        if self.server.stopping or not (self.body.whole or self._drained()):
            self.close_connection = True
        self.body.begun = True  # too late for an invitation
        if self.close_connection:
            fields.append((b"Connection", b"close"))
        elif self.head.protocol == "HTTP/1.0":
            fields.append((b"Connection", b"keep-alive"))
        fields += [(b"Date", _date(int(time.time()))), (b"Server", b"davstore")]
        return b"HTTP/1.1 %b\r\n%b\r\n" % (self.status, b"".join([b"%b: %b\r\n" % field for field in fields]))

    def _drained(self) -> bool:
        """Read and drop the rest of a small body; False when the connection has to go instead."""
        if self.close_connection or self.body.broken or (self.head.expects_100 and not self.body.begun):
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


class Gateway(wsgi.Gateway_10):
    """cheroot's WSGI gateway with the environ of a parsed head."""

    req: Exchange

    def get_environ(self) -> Any:
        """Return the environ; REQUEST_URI is the raw target, from which the boundary takes the path (DECISIONS 1)."""
        head, connection = self.req.head, self.req.conn
        path, _, query = head.target.partition("?")
        return {
            "REQUEST_METHOD": head.method,
            "REQUEST_URI": head.target,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": head.protocol,
            "SERVER_NAME": self.req.server.server_name,
            "SERVER_PORT": str(self.req.server.bind_addr[1]),
            "SERVER_SOFTWARE": self.req.server.software,
            "REMOTE_ADDR": connection.remote_addr,
            "REMOTE_PORT": connection.remote_port,
            "wsgi.version": self.version,
            "wsgi.url_scheme": "http",
            "wsgi.input": self.req.body,
            "wsgi.input_terminated": head.chunked,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **head.fields,
        }

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Begin the answer; with exc_info in the place of the one begun before (PEP 3333)."""
        if exc_info and not self.req.sent_headers:
            self.req.outheaders.clear()
        write: Callable[[bytes], object] = super().start_response(status, headers, exc_info)
        return write


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
