"""The policy middleware: in front of synchronisation and behind authentication.

Gate points are all ways to list: REPORT, SEARCH, PROPFIND with Depth 1 or infinity, GET and HEAD of a collection, POST
of an operation on what a condition selects, when they come from a device and go to a store that it may see. Others'
stores are 404 for it, before any policy. A user who signs in with a password, in a file browser, has no device, and the
gate is not asked, unless the provider requires one.

The body of a REPORT on a store is read and parsed here, once; the query is in the environ as `davstore.query`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from davstore.engine.context import now_us
from davstore.errors import DeviceRequired
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.places import PLACE
from davstore.middleware.xml_body import read_xml
from davstore.model.paths import Path
from davstore.model.principals import Principal
from davstore.model.rules import Mode
from davstore.model.views import EVERYTHING, View
from davstore.protocol.dav import reports
from davstore.protocol.dav.reports import ExplainQuery, ReportQuery
from davstore.protocol.http import sync_context
from davstore.protocol.http.headers import parse_depth
from davstore.store.gating import Explanation, Gate, GateRequest, Turn

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

QUERY = "davstore.query"
"""The key of the parsed REPORT in the environ; there for every REPORT on a store."""
TURN = "davstore.turn"
"""The key of the `Turn` of an admitted request in the environ: see `answered`."""
ASK = "davstore.ask"
"""The key, in the environ, of the function that asks the gate about a GET, HEAD or POST: see `ask`."""
VIEW = "davstore.view"
"""The key of the view that an admitted device is shown: see `view_of`."""
SHOWN = "davstore.shown"
"""The key, in the environ of a device's request, of the function that returns its view: see `shown_to`."""
EXPLAIN = "davstore.explain"
"""The key, in the environ, of the function that explains the gate: see `explain`."""
TRANSFER = "davstore.transfer"
"""The key, in the environ, of the function that checks a COPY or MOVE by a device: see `check_transfer`."""


class SyncGate:
    """Asks the gate at gate points and passes everything else on.

    requires_device: a user without a device is refused there. strict_depth: a report with Depth 1 is refused.
    without: the names of reports that the server does not have.
    """

    def __init__(
        self,
        application: WSGIApplication,
        gate: Gate,
        *,
        requires_device: bool = False,
        strict_depth: bool = False,
        without: frozenset[str] = frozenset(),
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._application = application
        self._strict_depth = strict_depth
        self._without = without
        self._gate = gate
        self._requires_device = requires_device
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let the request through, or not.

        Raises:
            SyncRefused, SyncDeferred: a rule says no, or not yet. DeviceRequired: it comes from no device.
            Malformed, ExternalEntities, TooLarge, UnsupportedReport, UnsupportedFilter: the body of a REPORT;
                Malformed: the headers.
        """
        principal: Principal = environ[PRINCIPAL]
        path = environ[PLACE]
        if isinstance(path, Path):
            query = self._parse_report(environ)
            if isinstance(query, ExplainQuery):  # it lists nothing, and tells a refused device why it is
                environ[EXPLAIN] = functools.partial(self._explain, principal, path, query)
            elif principal.device is not None or self._requires_device:
                environ[SHOWN] = functools.partial(self._gate.find_view, principal)
                if _is_gated(environ):
                    self._admit(environ, principal, path, query)
                elif environ["REQUEST_METHOD"] in ("GET", "HEAD", "POST"):
                    environ[ASK] = functools.partial(self._admit, environ, principal, path, None)
                elif environ["REQUEST_METHOD"] in ("COPY", "MOVE") and principal.device is not None:
                    environ[TRANSFER] = functools.partial(self._gate.require_kept_in_scope, principal, path)
        return self._application(environ, start_response)

    def _parse_report(self, environ: WSGIEnvironment) -> ReportQuery | None:
        if environ["REQUEST_METHOD"] != "REPORT":
            return None
        depth = parse_depth(environ.get("HTTP_DEPTH"), default=0)
        body = read_xml(environ)
        query = environ[QUERY] = reports.parse(body, depth, strict_depth=self._strict_depth, without=self._without)
        return query

    def _explain(self, principal: Principal, path: Path, query: ExplainQuery) -> list[Explanation]:
        now_us = self._clock() if query.at_us is None else query.at_us
        context = query.context
        return self._gate.explain(principal, path, mode=Mode(context.mode), bearer=context.bearer, now_us=now_us)

    def _admit(self, environ: WSGIEnvironment, principal: Principal, path: Path, query: ReportQuery | None) -> None:
        if principal.device is None:
            raise DeviceRequired
        context = (query and query.context) or sync_context.parse(environ.get("HTTP_SYNC_CONTEXT"))
        turn = self._gate.admit(
            GateRequest(
                principal,
                principal.device,
                path,
                Mode(context.mode),
                query.token if query else None,
                self._clock(),
                context.bearer,
            )
        )
        environ[VIEW] = turn.view
        if environ["REQUEST_METHOD"] != "HEAD":  # its response holds no names: asked, and not counted
            environ[TURN] = turn


def explain(environ: WSGIEnvironment) -> list[Explanation]:
    """Return what the gate would decide about devices, for an explain-sync report."""
    explained: Callable[[], list[Explanation]] = environ[EXPLAIN]
    return explained()


def ask(environ: WSGIEnvironment) -> None:
    """Ask the gate about a GET or HEAD whose target turned out to be a collection, and about a POST that selects.

    One of a file is not asked about, nor a POST that names what it changes.

    Raises:
        SyncRefused, SyncDeferred, DeviceRequired: as from the middleware.
    """
    admit: Callable[[], None] | None = environ.pop(ASK, None)
    if admit is not None:
        admit()


def view_of(environ: WSGIEnvironment) -> View:
    """Return the view in which a request lists, and ask the gate about a GET, HEAD or POST. Raises as `ask`."""
    ask(environ)
    view: View = environ.get(VIEW, EVERYTHING)
    return view


def shown_to(environ: WSGIEnvironment) -> View:
    """Return the view that the asker is shown, whether or not this request lists. Raises Unavailable: no rules."""
    find_view: Callable[[], View] | None = environ.get(SHOWN)
    return EVERYTHING if find_view is None else find_view()


def check_transfer(environ: WSGIEnvironment, destination: Path, *, is_deep: bool) -> None:
    """Raise SyncRefused where COPY or MOVE would bring a folder, which a device is not shown, into its view."""
    check: Callable[..., None] | None = environ.get(TRANSFER)
    if check is not None:
        check(destination, is_deep=is_deep)


def answered(environ: WSGIEnvironment, given: str = "", *, truncated: bool = False) -> None:
    """Report to the gate that a request at a gate point succeeded, and which sync token a report gave out."""
    turn: Turn | None = environ.get(TURN)
    if turn is not None:
        turn.answered(given, truncated=truncated)


def _is_gated(environ: WSGIEnvironment) -> bool:
    method = environ["REQUEST_METHOD"]
    if method == "PROPFIND":
        return parse_depth(environ.get("HTTP_DEPTH"), default=None) != 0
    return method in ("REPORT", "SEARCH")
