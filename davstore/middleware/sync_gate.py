"""The policy middleware: in front of synchronisation and behind authentication (protocol.md B.1.1).

Gate points are REPORT, SEARCH and PROPFIND with Depth 1 or infinity, when they come from a device and go to its own
user's store. Others' stores are not there for anybody else, which comes first and is not said here. Who signs in with
a password, like a file browser, has no device and is not asked.

The body of a REPORT is read and parsed here, once; the query is in the environ as `davstore.query`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from davstore.errors import TooLarge
from davstore.middleware.auth import PRINCIPAL, now_us
from davstore.model.principals import Principal
from davstore.policy.sync_rules import Mode
from davstore.protocol import reports, sync_context
from davstore.protocol.headers import parse_content_length, parse_depth
from davstore.protocol.hrefs import Target, parse_target
from davstore.protocol.reports import SyncQuery
from davstore.protocol.xml import MAX_BODY_BYTES
from davstore.store.admitting import Gate, Request, Turn

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

QUERY = "davstore.query"
"""The key of the parsed REPORT in the environ."""
TURN = "davstore.turn"
"""The key of the `Turn` of an admitted request in the environ: see `answered`."""


class SyncGate:
    """Asks the gate at gate points and passes everything else on."""

    def __init__(self, application: WSGIApplication, gate: Gate, *, clock: Callable[[], int] = now_us) -> None:
        self._application = application
        self._gate = gate
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let the request through, or not.

        Raises:
            SyncRefused, SyncDeferred: a rule says no, or not yet.
            Malformed, ExternalEntities, TooLarge, UnsupportedReport: the body of a REPORT; Malformed: the headers.
        """
        query = None
        if environ["REQUEST_METHOD"] == "REPORT":
            depth = parse_depth(environ.get("HTTP_DEPTH"), default=0)
            query = environ[QUERY] = reports.parse(_read(environ), depth)
        request = self._gate_point(environ, query)
        if request is not None:
            environ[TURN] = self._gate.admit(request)
        return self._application(environ, start_response)

    def _gate_point(self, environ: WSGIEnvironment, query: SyncQuery | None) -> Request | None:
        principal: Principal = environ[PRINCIPAL]
        if principal.device is None or not _is_gated(environ):
            return None
        top, names = _split(parse_target(environ.get("REQUEST_URI") or environ["RAW_URI"]))
        if top != ("dav", "store", principal.user.name):
            return None
        context = (query and query.context) or sync_context.parse(environ.get("HTTP_SYNC_CONTEXT"))
        return Request(
            principal.user,
            principal.device,
            environ["REQUEST_METHOD"],
            names,
            Mode(context.mode),
            query.token if query else None,
            self._clock(),
        )


def answered(environ: WSGIEnvironment, given: str = "", *, truncated: bool = False) -> None:
    """Tell the gate that a request at a gate point succeeded, and which sync token a report gave out."""
    turn: Turn | None = environ.get(TURN)
    if turn is not None:
        turn.answered(given, truncated=truncated)


def _is_gated(environ: WSGIEnvironment) -> bool:
    method = environ["REQUEST_METHOD"]
    if method == "PROPFIND":
        return parse_depth(environ.get("HTTP_DEPTH"), default=None) != 0
    return method in ("REPORT", "SEARCH")


def _split(target: Target) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return target.segments[:3], target.segments[3:]


def _read(environ: WSGIEnvironment) -> bytes:
    """Return the body, of known length or chunked. The server's stream ends where the body does."""
    length = parse_content_length(environ.get("CONTENT_LENGTH") or None)
    if length is not None and length > MAX_BODY_BYTES:
        raise TooLarge(f"REPORT body of {length} bytes")
    body: bytes = environ["wsgi.input"].read(MAX_BODY_BYTES + 1 if length is None else length)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("REPORT body")
    return body
