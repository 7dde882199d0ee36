"""Strict HTTP/1.1 framing over cheroot (RFC 9112, RFC 9110 §10.1.1).

What cannot be framed without doubt is refused here, before the application, and the connection closed. The application
reads bodies that never lie about their end (`bodies`); a body that it refuses is neither invited by `100 Continue` nor
read into memory. Slow clients are not yet held off here: put a proxy in front where strangers can connect.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import socket
import time
import traceback as tracebacks

from cheroot import server, wsgi

from davstore.errors import Malformed
from davstore.server.bodies import Body, ChunkedBody, CountedBody

DRAIN_BYTES = 65_536
"""An unread body up to this size costs less to read and drop than a new connection."""
JOINED_BYTES = 65_536
"""A larger part is sent by itself: copying it costs more than a packet."""
DRAIN_SECONDS = 2.0
"""How long the rest of a refused upload is read away, so that the client sees the answer and not a reset."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_TARGET = re.compile(rb"[!-~]+")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_ONCE = frozenset({b"Content-Length", b"Transfer-Encoding", b"Host"})

log = logging.getLogger("davstore.server")


class StrictRequest(server.HTTPRequest):
    """One request and its answer."""

    body: Body
    _head = b""
    """The head of the answer until its first part comes."""

    def read_request_line(self) -> bool:
        """Read the request line; the raw target stays in `uri` (REQUEST_URI)."""
        try:
            read = bool(super().read_request_line())  # type: ignore[no-untyped-call]  # cheroot's stubs name no types
        except ValueError:
            return self._refuse("400 Bad Request", "Malformed request target")
        if read and not (_TOKEN.fullmatch(self.method) and _TARGET.fullmatch(self.uri)):
            return self._refuse("400 Bad Request", "Malformed request line")
        if read and self.request_protocol not in (b"HTTP/1.1", b"HTTP/1.0"):
            return self._refuse("400 Bad Request", "Malformed protocol version")
        return read

    def read_request_headers(self) -> bool:
        """Read the fields and decide how the body is framed and whether the connection lives on."""
        try:
            self._read_fields()
            self._check_framing()
        except Malformed as error:
            return self._refuse("400 Bad Request", str(error))
        if self.chunked_read and self.inheaders[b"Transfer-Encoding"].lower() != b"chunked":
            return self._refuse("501 Not Implemented", "Unknown transfer coding")
        options = [option.strip().lower() for option in self.inheaders.get(b"Connection", b"").split(b",")]
        new = self.request_protocol == b"HTTP/1.1"
        self.close_connection = b"close" in options or (not new and b"keep-alive" not in options)
        return True

    def _read_fields(self) -> None:
        fields: dict[bytes, bytes] = self.inheaders
        while (line := self.rfile.readline()) != b"\r\n":
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t\r\n")
            if not (colon and line.endswith(b"\r\n") and _TOKEN.fullmatch(name)):
                raise Malformed("Malformed header field")
            if b"\0" in value or b"\r" in value:
                raise Malformed("Control character in a header field")
            if b"_" in name:
                continue  # `Content_Length` would pass for Content-Length in the environ
            name = name.title()
            if name in fields:
                if name in _ONCE:
                    raise Malformed("A header field came twice that must come once")
                value = fields[name] + b", " + value
            fields[name] = value

    def _check_framing(self) -> None:
        fields: dict[bytes, bytes] = self.inheaders
        new = self.request_protocol == b"HTTP/1.1"
        self.chunked_read = b"Transfer-Encoding" in fields
        if new and b"Host" not in fields:
            raise Malformed("No Host")
        if self.chunked_read and (not new or b"Content-Length" in fields):
            raise Malformed("Transfer-Encoding beside Content-Length or in HTTP/1.0")
        if not _LENGTH.fullmatch(fields.get(b"Content-Length", b"0")):
            raise Malformed("Malformed Content-Length")

    def respond(self) -> None:
        """Let the application answer, with the body as `wsgi.input`."""
        source = self.conn.rfile
        if self.chunked_read:
            self.body = ChunkedBody(source, self._begin_body)
        else:
            self.body = CountedBody(source, self._begin_body, int(self.inheaders.get(b"Content-Length", 0)))
        self.rfile = self.body
        try:
            self.server.gateway(self).respond()
            self.ensure_headers_sent()
            self._send_head()
            if self.chunked_write:
                self.conn.wfile.write(b"0\r\n\r\n")
        finally:
            self.conn.unread = not self.body.whole
            self.conn.socket.settimeout(self.server.timeout)

    def _begin_body(self) -> None:
        self.conn.socket.settimeout(self.server.body_timeout_seconds)
        if self._waits_for_100 and not self.sent_headers:
            self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    @property
    def _waits_for_100(self) -> bool:
        expects: bytes = self.inheaders.get(b"Expect", b"")
        return expects.lower() == b"100-continue" and self.request_protocol == b"HTTP/1.1"

    def send_headers(self) -> None:
        """Send the head of the answer; say `close` when the rest of the request was not read."""
        if not (self.body.whole or self._drained()):
            self.close_connection = True
        wire, self.conn.wfile = self.conn.wfile, io.BytesIO()
        try:
            super().send_headers()
            self._head = self.conn.wfile.getvalue()
        finally:
            self.conn.wfile = wire

    def write(self, chunk: bytes) -> None:
        """Send a part of the answer; the first small one leaves together with the head: one packet, one waking."""
        if self.chunked_write or len(chunk) > JOINED_BYTES:
            self._send_head()
            super().write(chunk)
        else:
            head, self._head = self._head, b""
            self.conn.wfile.write(head + chunk)

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self.conn.wfile.write(head)

    def _drained(self) -> bool:
        """Read and drop the rest of a small body; False when the connection has to go instead."""
        if self.close_connection or self.body.broken or (self._waits_for_100 and not self.body.begun):
            return False
        if isinstance(self.body, CountedBody) and self.body.left_bytes > DRAIN_BYTES:
            return False
        try:
            self.conn.socket.settimeout(DRAIN_SECONDS)
            self.body.begun = True
            self.body.read(DRAIN_BYTES)
            return self.body.read(1) == b""
        except Malformed:
            return False

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer a request that did not reach the application, and close."""
        self.close_connection = self.conn.unread = self.sent_headers = True
        body = f"{msg}\n".encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            self.conn.wfile.write(head.encode() + body)

    def _refuse(self, status: str, text: str) -> bool:
        self.simple_response(status, text)
        return False


class StrictConnection(server.HTTPConnection):
    """A connection that lets a client whose upload was refused see the answer before it closes."""

    RequestHandlerClass = StrictRequest
    unread = False

    def close(self) -> None:
        """Close. With unread bytes in the socket the kernel would send a reset, which can overtake the answer."""
        if self.unread:
            with contextlib.suppress(OSError):
                self._read_away()
        super().close()

    def _read_away(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + DRAIN_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            if not self.socket.recv(1 << 16):
                return


class StrictServer(wsgi.Server):
    """cheroot's WSGI server with the strict connection; says nothing of versions and logs through logging."""

    ConnectionClass = StrictConnection
    version = "davstore"
    software = "davstore"
    body_timeout_seconds = 60

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot has to say."""
        log.log(level, "%s%s", msg, f"\n{tracebacks.format_exc()}" if traceback else "")
