"""Connections that cost their client next to nothing, to davstore and to Dovecot, and a rate of many of them."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Mapping
from multiprocessing.queues import Queue
from typing import Final

_BLOCK_BYTES: Final = 1 << 18


class Wire:
    """A connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = b""

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _read_to(self, end: bytes) -> bytes:
        """Return all bytes to an end and with it."""
        held = bytearray(self._held)
        at = 0
        while (found := held.find(end, at)) < 0:
            at = max(0, len(held) - len(end))
            held += self._receive()
        self._held = bytes(held[found + len(end) :])
        return bytes(held[: found + len(end)])

    def _receive(self) -> bytes:
        block = self._socket.recv(_BLOCK_BYTES)
        if not block:
            raise SystemExit("the server has ended a connection")
        return block


class HttpWire(Wire):
    """A connection to a davstore; targets are relative to the user's store, but for those that begin with a slash."""

    def __init__(self, address: tuple[str, int], authorization: str) -> None:
        super().__init__(address)
        self._fields = f"Host: {address[0]}:{address[1]}\r\nAuthorization: {authorization}\r\n"

    def __enter__(self) -> HttpWire:
        return self

    def ask(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a request, and read its answer, which must be one of success."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        place = target if target.startswith("/") else f"/dav/store/me/{target}"
        head = f"{method} {place} HTTP/1.1\r\n{self._fields}{more}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = self._read_to(b"\r\n\r\n").lower()
        if not answer.startswith(b"http/1.1 2"):
            raise SystemExit(f"{method} {target}: {answer[:80]!r}")
        if b"transfer-encoding: chunked" in answer:
            while self._chunk():
                pass
            return
        length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        self._pass_over(length)

    def _chunk(self) -> int:
        size = int(self._read_to(b"\r\n"), 16)
        self._pass_over(size + 2)
        return size

    def _pass_over(self, length: int) -> None:
        while len(self._held) < length:
            length -= len(self._held)
            self._held = self._receive()
        self._held = self._held[length:]


class ImapWire(Wire):
    """A connection to an IMAP server, signed in."""

    def __init__(self, address: tuple[str, int], user: str, password: str) -> None:
        super().__init__(address)
        self._number = 0
        self._read_to(b"\r\n")
        self.ask(f"LOGIN {user} {password}")

    def __enter__(self) -> ImapWire:
        return self

    def ask(self, command: str, *literals: bytes) -> None:
        """Send a command with literals, and read its answer, which must be OK."""
        self._number += 1
        tag = b"a%d " % self._number
        self._socket.sendall(
            tag + command.encode() + b"".join(b" {%d+}\r\n%b" % (len(one), one) for one in literals) + b"\r\n"
        )
        said = b""
        while not said.startswith(tag):
            said = self._read_to(b"\r\n")
        if not said.startswith(tag + b"OK"):
            raise SystemExit(f"{command}: {said!r}")

    def append(self, mailbox: str, *messages: bytes) -> None:
        """Append messages, all or none of them."""
        self.ask(f"APPEND {mailbox}", *messages)


def rate(
    connect: Callable[[], Wire],
    send: Callable[[Wire, str, bytes], None],
    bodies: list[bytes],
    connections: int,
    seconds: float,
) -> float:
    """Return how many bodies a second some connections send, each in a process of its own, each to a new place."""
    context = multiprocessing.get_context("fork")
    counts: Queue[int] = context.Queue()

    def run(first: int) -> None:
        wire, count = connect(), 0
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            send(wire, f"{first}-{count}", bodies[(first + count * connections) % len(bodies)])
            count += 1
        counts.put(count)
        counts.close()
        counts.join_thread()
        os._exit(0)

    processes = [context.Process(target=run, args=(first,)) for first in range(connections)]
    for process in processes:
        process.start()
    total = sum(counts.get(timeout=seconds + 60) for _ in processes)
    for process in processes:
        process.join()
    return total / seconds
