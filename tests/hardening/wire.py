"""Raw requests to a real server, and answers held against what HTTP/1.1 says of them (RFC 9112)."""

from __future__ import annotations

import base64
import re
import socket
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.client.served import Server, children_of

PATIENCE_SECONDS = 5
"""No request may hang longer (promise 6 of `docs/reliability.md`)."""
NO_BODY = (204, 304)

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([ -~\t\x80-\xff]*)\r\n")


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_from_connection(self) -> bool:
        """Tell whether the connection refused what it could not frame: it closes, whatever the method was."""
        return self.headers.get("Connection") == "close" and "X-Request-Id" not in self.headers


class Wire:
    """Sends bytes to a server, each request on a connection of its own, as its first user."""

    def __init__(self, server: Server) -> None:
        url = urlsplit(server.url)
        assert url.hostname is not None
        assert url.port is not None
        self.address = (url.hostname, url.port)
        self.store = url.path
        self.password = server.credentials[1]
        self.authorization = "Basic " + base64.b64encode(":".join(server.credentials).encode()).decode()

    def head(self, method: str, path: str, fields: dict[str, str] | list[tuple[str, str]] | None = None) -> bytes:
        """Return a head as it is given. A path that is no target by itself is in the store; `!` keeps it as it is.

        Host and Authorization are added unless given; None takes a field away.
        """
        given = list(fields.items() if isinstance(fields, dict) else fields or ())
        names = {name.lower() for name, _ in given}
        own = [("Host", "{}:{}".format(*self.address)), ("Authorization", self.authorization)]
        target = path if path[:1] in ("/", "*", "!") or "://" in path else f"{self.store}{path}"
        lines = [
            f"{method} {target.removeprefix('!')} HTTP/1.1",
            *(f"{name}: {value}" for name, value in [*(one for one in own if one[0].lower() not in names), *given]),
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def send(
        self,
        method: str,
        path: str,
        fields: dict[str, str] | list[tuple[str, str]] | None = None,
        *,
        body: bytes | str = b"",
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Answer:
        """Send one request; the length of a body is added unless fields say how it is framed."""
        body = body.encode() if isinstance(body, str) else body
        given = list(fields.items() if isinstance(fields, dict) else fields or ())
        if body and not {"content-length", "transfer-encoding"} & {name.lower() for name, _ in given}:
            given.append(("Content-Length", str(len(body))))
        return self.exchange(self.head(method, path, given) + body, method=method, patience_seconds=patience_seconds)

    def exchange(self, request: bytes, *, method: str = "GET", patience_seconds: float = PATIENCE_SECONDS) -> Answer:
        """Send bytes, and that nothing follows; return the only answer to them."""
        begun = time.monotonic()
        received = bytearray()
        with socket.create_connection(self.address, timeout=patience_seconds) as connection:
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)  # what is announced and not there is missing
            except OSError:
                pass  # refused while we were sending: the answer is there
            while block := connection.recv(1 << 16):
                received += block
        assert time.monotonic() - begun < patience_seconds, request[:200]
        return parse_answer(bytes(received), method=method)


def parse_answer(received: bytes, *, method: str) -> Answer:
    """Return the one final answer in bytes, which is framed as it says and followed by nothing."""
    while received.startswith(b"HTTP/1.1 100 "):
        received = received.partition(b"\r\n\r\n")[2]
    line = _STATUS_LINE.match(received)
    assert line, f"no status line: {received[:200]!r}"
    status, position = int(line[1]), line.end()
    headers: dict[str, str] = {}
    while field := _FIELD.match(received, position):
        name, value = field[1].decode("latin-1").title(), field[2].decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        position = field.end()
    assert received[position : position + 2] == b"\r\n", f"a broken head: {received[position:][:200]!r}"
    body = received[position + 2 :]
    answer = Answer(status, headers, body)
    if method == "HEAD" or status in NO_BODY:
        assert not body, f"a body where none may be: {body[:200]!r}"
        return answer
    assert "Transfer-Encoding" not in headers
    assert headers.get("Content-Length") == str(len(body)), f"{len(body)} bytes, not {headers}"
    return answer


def workers_of(server: Server) -> list[int]:
    """Return the process ids of the workers."""
    return sorted(children_of(server._process.pid, "worker"))


def memory_of(process: int, field: str) -> int:
    """Return VmRSS (now) or VmHWM (the most since `forget_peak`) of a process in KiB."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def forget_peak(process: int) -> None:
    """Begin to measure the most memory anew."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
