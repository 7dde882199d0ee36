"""A socket that never waits, with the bytes received and not read yet, and the pace of the peer."""

from __future__ import annotations

import fcntl
import select
import socket
import sys
import termios
import time
from typing import Final

from davstore.errors import TooSlow, Unavailable

RECEIVE_BYTES: Final = 65_536
_LONG_RECEIVE_BYTES: Final = 1 << 20
PACE_BYTES_PER_SECOND: Final = 500
"""Slower than any network that people use; a peer that moves less over a whole window is cut (ADR 4)."""


class Pace:
    """The pace of a peer: whether it moves enough over each window of the time that we wait for it."""

    def __init__(self, window_seconds: float) -> None:
        self.window_seconds = window_seconds
        self._waited_seconds = 0.0
        self._moved_bytes = 0

    @property
    def left_seconds(self) -> float:
        """The seconds left of the window."""
        return self.window_seconds - self._waited_seconds

    def keeps(self, waited_seconds: float, moved_bytes: int) -> bool:
        """Count time, and bytes moved since the connection began; False when a window ended with too few."""
        self._waited_seconds += waited_seconds
        if self.left_seconds > 0:
            return True
        enough = moved_bytes - self._moved_bytes >= PACE_BYTES_PER_SECOND * self.window_seconds
        self._waited_seconds, self._moved_bytes = 0.0, moved_bytes
        return enough


class Broken(OSError):
    """The connection is gone: no answer can be sent."""


class Wire:
    """One connected socket."""

    def __init__(self, connected: socket.socket, *, window_seconds: float) -> None:
        connected.settimeout(0)
        self.socket = connected
        self.held = bytearray()
        """Received, and not read yet."""
        self.ended = False
        """The peer will send no more."""
        self.stopped = False
        """We will read no more: the server stops."""
        self._window_seconds = window_seconds
        self.received_bytes = 0
        self.sent_bytes = 0

    def receive(self) -> None:
        """Receive the bytes that have arrived, without waiting. Raises Broken."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise Broken(str(error)) from error
        self.held += data
        self.received_bytes += len(data)
        self.ended = not data

    def has_more(self) -> bool:
        """Tell whether something has arrived that was not received yet."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def take(self, size: int) -> bytes:
        """Return up to size bytes of those held."""
        data = bytes(self.held[:size])
        del self.held[:size]
        return data

    def send(self, data: bytes | memoryview) -> int:
        """Send what fits without waiting and return how much that was; 0 is nothing now. Raises Broken."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Broken(str(error)) from error
        self.sent_bytes += sent
        return sent

    def moved_bytes(self) -> int:
        """Return how many bytes the peer sent us or took from us since the connection began."""
        try:
            unsent = int.from_bytes(fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except (OSError, ValueError):  # closed, by another thread perhaps
            unsent = 0
        return self.received_bytes + self.sent_bytes - unsent

    def reader(self) -> Reader:
        """Read on in the thread that asks, for bodies that are too large to be held."""
        return Reader(self, Pace(self._window_seconds))


class Reader:
    """The bytes that come over a wire, as a stream that waits for the peer, as long as the peer keeps the pace."""

    def __init__(self, wire: Wire, pace: Pace) -> None:
        self._wire = wire
        self._pace = pace
        self.limit_seconds: float | None = None
        """At most so much waiting from now on, whatever the pace."""

    def read(self, size: int) -> bytes:
        """Return size bytes; fewer only when the peer sends no more.

        Raises:
            TooSlow: the peer does not keep the pace.
            Unavailable: the server stops.
            OSError: the connection is broken.
        """
        data = self._wire.take(size)
        if len(data) == size:
            return data
        pieces, missing = [data], size - len(data)
        while missing and (data := self._receive(missing)):
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def readline(self, limit: int) -> bytes:
        """Return the bytes up to and with the next LF, at most limit; without LF when the peer sends no more."""
        held = self._wire.held
        while (end := held.find(b"\n", 0, limit) + 1) == 0 and len(held) < limit:
            data = self._receive(RECEIVE_BYTES)
            if not data:
                break
            held += data
        return self._wire.take(end or limit)

    def _receive(self, size: int) -> bytes:
        wire = self._wire
        while not wire.ended:
            try:
                data = wire.socket.recv(min(size, _LONG_RECEIVE_BYTES))
            except BlockingIOError:
                self._wait()
                continue
            if wire.stopped:
                raise Unavailable("the server stops")
            wire.received_bytes += len(data)
            wire.ended = not data
            return data
        return b""

    def _wait(self) -> None:
        left = (
            self._pace.left_seconds if self.limit_seconds is None else min(self.limit_seconds, self._pace.left_seconds)
        )
        begun = time.monotonic()
        poll = select.poll()
        poll.register(self._wire.socket, select.POLLIN)
        poll.poll(max(0.0, left) * 1000)
        waited = time.monotonic() - begun
        if self.limit_seconds is not None:
            self.limit_seconds -= waited
            if self.limit_seconds <= 0:
                raise TooSlow("no time left for the rest of the body")
        if not self._pace.keeps(waited, self._wire.received_bytes):
            raise TooSlow("the body comes too slowly")
