"""One line for each request, and the id that ties it to the other lines of the log. It never holds a secret.

The line: id, method, target, status, bytes of the answer, milliseconds until its last byte, user, address. The id
comes from `X-Request-Id` when a proxy gave a sound one, is in the environ as `davstore.request_id`, and goes back in
the answer. The user is what authentication left in the environ as `REMOTE_USER`; the address is the client's, also
when it comes through a trusted proxy.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "davstore.request_id"

_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PLAIN = re.compile(r"[!-\[\]-~]+")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
"""The name and the secret in a target of the absolute form, which a server other than ours may leave there."""

log = logging.getLogger("davstore.access")


class AccessLog:
    """The outermost wrapper: it logs the response that left."""

    def __init__(self, application: WSGIApplication, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._application = application
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Give the request an id, pass it on, and log it when the server closes the answer."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        identity = given if _SOUND_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        environ[REQUEST_ID] = identity
        answer = _Answer(environ, self._clock)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            answer.status = status[:3]
            return start_response(status, [*headers, ("X-Request-Id", identity)], exc_info)

        answer.parts = self._application(environ, start)
        return answer


class _Answer:
    """The parts of an answer, counted on their way out."""

    def __init__(self, environ: WSGIEnvironment, clock: Callable[[], float]) -> None:
        self.parts: Iterable[bytes] = ()
        self.status = "-"
        self._environ = environ
        self._clock = clock
        self._begun = clock()
        self._sent_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self._sent_bytes += len(part)
            yield part

    def close(self) -> None:
        """Close the answer of the application, then log."""
        try:
            if hasattr(self.parts, "close"):
                self.parts.close()
        finally:
            taken_ms = (self._clock() - self._begun) * 1000
            environ = self._environ
            target = environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ.get("PATH_INFO", "")
            asked = f"{one_word(environ['REQUEST_METHOD'])} {one_word(_without_userinfo(target))}"
            asker = f"{one_word(environ.get('REMOTE_USER') or '-')} {one_word(environ.get('REMOTE_ADDR') or '-')}"
            log.info(f"{environ[REQUEST_ID]} {asked} {self.status} {self._sent_bytes} {taken_ms:.1f} {asker}")


def _without_userinfo(target: str) -> str:
    return target if target.startswith("/") else _USERINFO.sub("", target)


def one_word(text: str) -> str:
    """Escape text so that a client cannot forge a second field or a second line with it."""
    return text if _PLAIN.fullmatch(text) else text.encode("unicode_escape").decode("ascii").replace(" ", "\\x20")
