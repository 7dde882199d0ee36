"""One conversation with a server over raw sockets, written down as text: each request, and each byte of its answer.

The text of a conversation has lines of four forms:

    # a remark            what the next requests are about
    > GET /dav/ HTTP/1.1  a line of a request
    < HTTP/1.1 200 OK     a line of the answer
    <                     an empty line: the head ends

A body follows the empty line, under the same mark. Its line feeds are written `\\n`, so that lines without one at their
end were broken here, before `<D:response>` and `<D:propstat>`, to be read. Of what is there many times in a row one
and their number are written. Requests have a `Host` and a `Content-Length` that are not written down, and an
`Authorization` that is written as the name of who signs in: {USER}, {USER/DEVICE}, {none}.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tests.golden.served import Served
from tests.golden.varying import Varying

PATIENCE_SECONDS: Final = 60
_WHOLE_BYTES: Final = 12_000
"""Of a longer body the length and the digest are written down."""
_BREAKS: Final = re.compile(rb"(?<!\n)(?=<D:(?:response|propstat|status|sync-token)>)")
_REPEATED: Final = re.compile(r"(.{1,12}?)\1{39,}")
_WITHOUT_BODY: Final = tuple(f"HTTP/1.1 {status}" for status in ("1", "204", "304"))
_UNREADABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


class Answer(NamedTuple):
    """What a sequence may take from an answer for its next requests."""

    status: int
    headers: dict[str, str]
    body: bytes

    def find(self, pattern: str) -> str:
        """Return the first group of a pattern in the body."""
        match = re.search(pattern, self.body.decode())
        assert match, f"no {pattern} in {self!r}"
        return match[1]

    @property
    def token(self) -> str:
        """The sync token of a report."""
        return self.find("<D:sync-token>([^<]*)")

    @property
    def lock(self) -> str:
        """The lock token, in its brackets."""
        return self.headers["Lock-Token"]


class Talk:
    """Asks as one user, whose store relative paths are in. directory is the server's: its policy, and its `data`."""

    def __init__(self, served: Served, user: str) -> None:
        self.user = user
        self.home = f"/dav/store/{user}/"
        self.directory = served.directory
        self._address = served.address
        self._credentials = served.credentials
        self._varying = Varying("{}:{}".format(*served.address), served.began)
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """All that was said so far."""
        return "\n".join(self._lines) + "\n"

    @property
    def host(self) -> str:
        """The authority of the server."""
        return "{}:{}".format(*self._address)

    def note(self, text: str) -> None:
        """Say what follows."""
        self._lines += ["", f"# {text}"]

    def ask(
        self,
        method: str,
        path: str = "",
        fields: Mapping[str, str] | None = None,
        body: str | bytes = b"",
        *,
        who: str | None = None,
    ) -> Answer:
        """Send one request. A path is in the store unless it is a target by itself; after `!` it is sent as it is.

        who signs in: a user, a device as USER/DEVICE, or that after `NAME:` for its secret as a password; '' is nobody.
        """
        sent = body.encode() if isinstance(body, str) else body
        given = dict(fields or {})
        who = self.user if who is None else who
        is_absolute = path[:1] in ("/", "!", "*") or "://" in path
        target = path.removeprefix("!") if is_absolute else self.home + path
        lines = [f"{method} {target} HTTP/1.1"]
        told = [*lines, *([] if "Authorization" in given else [f"Authorization: {{{who or 'none'}}}"])]
        if "Host" not in given:
            lines.append(f"Host: {self.host}")
        if "Authorization" not in given and who:
            lines.append(f"Authorization: {self._authorize(who)}")
        if sent and not {"Content-Length", "Transfer-Encoding"} & given.keys():
            lines.append(f"Content-Length: {len(sent)}")
        fields_given = [f"{name}: {value}" for name, value in given.items()]
        self._say_request("\r\n".join([*told, *fields_given]).encode("latin-1") + b"\r\n\r\n" + sent)
        return self._exchange("\r\n".join([*lines, *fields_given]).encode("latin-1") + b"\r\n\r\n" + sent)

    def raw(self, request: bytes, *, stays: bool = False) -> Answer:
        """Send bytes as they are, {host} and {me} in them replaced; stays: the connection is ended by the server."""
        self._say_request(request)
        me = self._authorize(self.user).encode()
        sent = request.replace(b"{host}", self.host.encode()).replace(b"{me}", me)
        return self._exchange(sent, stays=stays)

    def _authorize(self, who: str) -> str:
        user, _, name = who.rpartition(":")
        secret = self._credentials[name]
        if "/" in who and ":" not in who:
            return f"Bearer {secret}"
        return "Basic " + base64.b64encode(f"{user or name}:{secret}".encode()).decode()

    def _exchange(self, request: bytes, *, stays: bool = False) -> Answer:
        received = bytearray()
        with socket.create_connection(self._address, timeout=PATIENCE_SECONDS) as connection:
            try:
                connection.sendall(request)
                if not stays:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused while we were sending: the answer is there
            while block := connection.recv(1 << 16):
                received += block
        answers = list(_split(bytes(received), has_body=not request.startswith(b"HEAD ")))
        for head, body in answers:
            self._say("<", self._varying.replace_head(head, body), body)
        head, body = answers[-1] if answers else ([""], b"")
        status = head[0].split(" ")
        headers = dict(field.split(": ", 1) for field in head[1:] if ": " in field)
        return Answer(int(status[1]) if len(status) > 1 else 0, headers, body)

    def _say_request(self, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        self._lines.append("")
        self._say(">", list(map(self._varying.replace, head.decode("latin-1").split("\r\n"))), body)

    def _say(self, mark: str, head: list[str], body: bytes) -> None:
        """Write down a request or an answer."""
        self._lines += [f"{mark} {_readable(line)}".rstrip(" ") for line in head]
        if body:
            self._lines += [mark, *(f"{mark} {line}".rstrip(" ") for line in self._body_lines(body))]

    def _body_lines(self, body: bytes) -> list[str]:
        if len(body) > _WHOLE_BYTES and not body.startswith((b"<?xml", b"<!doctype")):
            return [_digest(body)]
        try:
            text = self._varying.replace(_BREAKS.sub(b"\n\0", body).decode())
        except UnicodeDecodeError:
            return [_digest(body)]
        lines = text.replace("\n\0", "\0").replace("\\", "\\\\").replace("\n", "\\n\0").split("\0")
        return [_readable(line) for line in lines if line]


def _digest(body: bytes) -> str:
    return f"{{{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}}}"


def _readable(line: str) -> str:
    """Return a line with its control characters written as Python does, and what is there many times in a row once."""
    line = _UNREADABLE.sub(lambda match: repr(match[0])[1:-1], line)
    return _REPEATED.sub(lambda match: f"{{{match[1]} × {len(match[0]) // len(match[1])}}}", line)


def _split(received: bytes, *, has_body: bool) -> Iterator[tuple[list[str], bytes]]:
    """Yield head and body of each answer. What no length announces is taken for another head, so that it is seen."""
    while received:
        text, _, received = received.partition(b"\r\n\r\n")
        head = text.decode("latin-1").split("\r\n")
        length = 0
        if has_body and not head[0].startswith(_WITHOUT_BODY):
            length = next((int(field[16:]) for field in head if field.startswith("Content-Length: ")), 0)
        yield head, received[:length]
        received = received[length:]
