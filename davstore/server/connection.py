"""One client's connection as a machine that never waits: bytes become requests, answers leave as there is room.

Only the application, and the reading of a body too large to be held, take a thread for longer. Slow heads, small
bodies and answers that a client takes slowly cost no thread at all (ADR 4).
"""

from __future__ import annotations

import contextlib
import enum
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from davstore.model.enums import QuickEnum
from davstore.model.networks import network_of
from davstore.server.exchange import Exchange, Peer
from davstore.server.phases import RULES, LastWord, Phase
from davstore.server.request_head import END, BadHead, Head, is_hopeless, parse_head
from davstore.server.service import Service
from davstore.server.sockets import PACE_BYTES_PER_SECOND, Broken, Wire
from davstore.server.turns import Turns

HELD_BYTES: Final = 65_536
"""A body up to this size is complete before a thread takes the request."""
GRACE_SECONDS: Final = 1.0
"""A client sends its request within this time, or may be cut when others have no place."""
RETRY_AFTER_SECONDS: Final = 5


class Wait(QuickEnum):
    """The event that a connection waits for: bytes to read, room to send, a turn to upload; or none."""

    INPUT = enum.auto()
    ROOM = enum.auto()
    TURN = enum.auto()
    OVER = enum.auto()


class Connection:
    """The state of one client. Only the thread that has claimed it calls `proceed`, `cut`, `fail` and `close`.

    lock is held while it changes hands.
    """

    def __init__(
        self, service: Service, turns: Turns[Connection], connected: socket.socket, address: tuple[str, int]
    ) -> None:
        self._service = service
        self._turns = turns
        self.wire = Wire(connected, window_seconds=service.limits.body_seconds)
        self.lock = threading.Lock()
        self.number = connected.fileno()
        self.peer = Peer(address[0], str(address[1]))
        self.client = network_of(address[0], ipv4_bits=32)
        """The network whose connections are counted together."""
        self.holds_turn = False
        self.phase = Phase.HEAD
        self.since = time.monotonic()
        """When the phase began."""
        self.deadline = self.since + service.limits.head_seconds
        self._mark_bytes = 0
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._parts: Iterator[bytes] | None = None
        self._out: bytes | memoryview = b""

    def proceed(self) -> Wait:
        """Go on as far as is possible without waiting for the client."""
        try:
            if self.phase is Phase.LINGER:
                return self._read_away()
            if self._parts is None:
                # Of requests that a client sends in advance no more is taken than one of them may need.
                if len(self.wire.held) <= max(HELD_BYTES, self._service.limits.head_bytes):
                    self.wire.receive()
                wait = self._begin()
                if wait is not None:
                    return wait
            return self._send()
        except Broken:
            return Wait.OVER

    def _begin(self) -> Wait | None:
        """Begin to answer a request that has arrived; else return the wait for the rest of it."""
        try:
            self._head = self._head or self._take_head()
        except BadHead as error:
            self._parts = iter([self._render_refusal(error.status, str(error))])
            return None
        if self._head is None:
            return self._lack_head()
        if not self._has_begun(self._head):
            return self._enter(Phase.BODY, Wait.INPUT)
        if self._is_long(self._head) and not self.holds_turn:
            self.holds_turn = self._turns.take()
            if not self.holds_turn:
                return self._enter(Phase.QUEUED, Wait.TURN)
        self._exchange, self._head = Exchange(self._service, self.peer, self.wire, self._head), None
        self._parts = self._exchange.answer()
        return None

    def _take_head(self) -> Head | None:
        held, max_bytes = self.wire.held, self._service.limits.head_bytes
        if held.startswith(b"\r\n"):  # some clients end a body so (RFC 9112 §2.2)
            del held[:2]
        end = held.find(END)
        if end >= 0:
            head = parse_head(bytes(held[:end]), max_bytes)
            del held[: end + len(END)]
            return head
        if hopeless := is_hopeless(bytes(held), max_bytes):
            raise hopeless
        if held and self.wire.ended:
            raise BadHead(HTTPStatus.BAD_REQUEST, "The request was cut short")
        return None

    def _lack_head(self) -> Wait:
        if self.wire.ended:
            return Wait.OVER
        if self.wire.held and self.phase is Phase.IDLE:
            return self._enter(Phase.HEAD, Wait.INPUT)
        return Wait.INPUT

    def _is_long(self, head: Head) -> bool:
        """Tell whether the body has to be waited for while it is read."""
        return head.chunked or head.length_bytes > HELD_BYTES or (head.expects_100 and head.length_bytes > 0)

    def _has_begun(self, head: Head) -> bool:
        """Tell whether enough of the body is here: all of a small one, a good part of one that will take a thread."""
        if head.chunked or head.expects_100 or self.wire.ended:
            return True
        return len(self.wire.held) >= min(head.length_bytes, HELD_BYTES)

    def _send(self) -> Wait:
        assert self._parts is not None  # noqa: S101  # _begin made them
        while True:
            if not self._out:
                part = next(self._parts, None)
                self._let_others_upload()
                if part is None:
                    return self._end_answer()
                self._out = part if len(part) <= HELD_BYTES else memoryview(part)
            sent = self.wire.send(self._out)
            if not sent:
                return self._enter(Phase.ANSWER, Wait.ROOM)
            self._out = b"" if sent == len(self._out) else self._out[sent:]

    def _end_answer(self) -> Wait:
        exchange, self._exchange, self._parts = self._exchange, None, None
        if exchange is None or exchange.close_connection:
            unread = exchange is None or not exchange.body.whole or bool(self.wire.held)
            return self._linger() if unread else Wait.OVER
        if self.wire.held:
            # The next request is here already; connections that wait longer come first.
            return self._enter(Phase.HEAD, Wait.ROOM, anew=True)
        return self._enter(Phase.IDLE, Wait.INPUT, anew=True)

    def _render_refusal(self, status: HTTPStatus, text: str) -> bytes:
        """Render the answer to a request before the application; to HEAD it is a head (RFC 9110 §9.3.2)."""
        is_head = self.wire.held.startswith(b"HEAD ") or (self._head is not None and self._head.method == "HEAD")
        return render_refusal(status, text, bodiless=is_head)

    def _linger(self) -> Wait:
        try:
            self.wire.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise Broken(str(error)) from error
        self._enter(Phase.LINGER, Wait.INPUT)
        return self._read_away()

    def _read_away(self) -> Wait:
        self.wire.held.clear()
        self.wire.receive()
        return Wait.OVER if self.wire.ended else Wait.INPUT

    def _let_others_upload(self) -> None:
        if self.holds_turn:
            self.holds_turn = False
            self._turns.pass_on()

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client kept us waiting too long; one that keeps the pace gets another window."""
        if now < self.deadline:
            return False
        if not RULES[self.phase].paced:
            return True
        window_seconds = self._service.limits.body_seconds
        moved_bytes = self.wire.moved_bytes() - self._mark_bytes
        if moved_bytes < PACE_BYTES_PER_SECOND * window_seconds:
            return True
        self._mark_bytes += moved_bytes
        self.deadline = now + window_seconds
        return False

    def is_idle(self) -> bool:
        """Tell whether the client has sent nothing for a while: the next request of a busy one is on its way."""
        is_silent = RULES[self.phase].before_head and not self.wire.held
        return is_silent and self.age_seconds() > GRACE_SECONDS and not self.wire.has_more()

    def has_next(self) -> bool:
        """Tell whether a request was answered, and the next one has begun to arrive."""
        return self.phase is Phase.IDLE and self.wire.has_more()

    def age_seconds(self) -> float:
        """Return for how long the phase lasts."""
        return time.monotonic() - self.since

    def cut(self) -> Wait:
        """Wait no longer for the client: send the last word of its phase, if there is one, and return the next wait."""
        word = self._last_word()
        if word is LastWord.NONE:
            return Wait.OVER
        if word is LastWord.BUSY:
            self._say(self._render_refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too much to do"))
        else:
            self._say(self._render_refusal(HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly"))
        try:
            return self._linger()
        except Broken:
            return Wait.OVER

    def _last_word(self) -> LastWord:
        rule, held = RULES[self.phase], self.wire.held
        if rule.before_head and (END in held or self._has_arrived()):
            return LastWord.BUSY  # no thread has seen it
        if rule.before_head and not held:
            return LastWord.NONE
        if rule.last_word is LastWord.LATE and self._service.stopping.is_set():
            return LastWord.BUSY
        return rule.last_word

    def _has_arrived(self) -> bool:
        """Receive bytes that no thread has seen yet; return whether there were any."""
        before = self.wire.received_bytes
        with contextlib.suppress(Broken):
            self.wire.receive()
        return self.wire.received_bytes > before

    def fail(self) -> None:
        """End a connection whose application broke: with a 500 when nothing of an answer has left."""
        if self._exchange is not None and not self._exchange.sent_headers:
            self._say(self._render_refusal(HTTPStatus.INTERNAL_SERVER_ERROR, ""))
        self.close()

    def close(self) -> None:
        """Close the socket, and free the resources of an answer."""
        exchange, parts = self._exchange, self._parts
        self._exchange = self._parts = None
        self._out = b""
        self.wire.held.clear()
        self.wire.socket.close()
        self._let_others_upload()
        if exchange is not None and parts is not None:
            parts.close()  # type: ignore[attr-defined]  # a generator

    def break_off(self) -> None:
        """Shut the receiving side: the thread that has the connection finds no more of a request, and ends it."""
        self.wire.stopped = True
        with contextlib.suppress(OSError):
            self.wire.socket.shutdown(socket.SHUT_RD)

    def _say(self, answer: bytes) -> None:
        with contextlib.suppress(Broken):
            self.wire.send(answer)

    def _enter(self, phase: Phase, wait: Wait, *, anew: bool = False) -> Wait:
        if anew or phase is not self.phase:
            self.phase = phase
            self.since = time.monotonic()
            self.deadline = self.since + RULES[phase].patience(self._service.limits)
            if RULES[phase].paced:
                self._mark_bytes = self.wire.moved_bytes()
        return wait


def render_refusal(status: HTTPStatus, text: str, *, bodiless: bool = False) -> bytes:
    """Render the whole answer to a request that does not reach the application; the connection ends with it."""
    retry = f"Retry-After: {RETRY_AFTER_SECONDS}\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    body = f"{text}\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        f"{retry}Connection: close\r\n\r\n"
    )
    return (head if bodiless else head + body).encode()
