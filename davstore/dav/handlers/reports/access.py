"""REPORT `C:explain-access`: what a user may do with a resource, and the entries that decide."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.engine.reasons import ACTS, Answer, Decider, Reason
from davstore.errors import Malformed, NotFound
from davstore.errors.rights import AllowedPrincipal, NeedPrivileges, RecognizedPrincipal
from davstore.middleware.errors import find_row
from davstore.model.acl import EVERYTHING, Word
from davstore.model.principals import NamedPrincipal, PrincipalKind
from davstore.protocol import urls
from davstore.protocol.dav.access_report import AccessQuery, ShownReason, render_decisions
from davstore.protocol.dav.acl import ShownAce
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.store import explaining

_STATUSES: Final = {
    Answer.ALLOWED: HTTPStatus.OK,
    Answer.REFUSED: find_row(NeedPrivileges(())).status,
    Answer.HIDDEN: find_row(NotFound()).status,
}


def handle_explain_access(request: Request, query: AccessQuery) -> Response:
    """Answer with a response for each method: its status as far as rights go, and what decides.

    Raises:
        RecognizedPrincipal: the href is of no user; AllowedPrincipal: of another principal. Malformed: a method that no
        resource of a store has. As `explaining.explain_access`.
    """
    if not ACTS.keys() >= {*query.methods}:
        raise Malformed("a method that no resource of a store has")
    who = request.find_principal(query.principal)
    if who is None:
        raise RecognizedPrincipal(query.principal)
    if not isinstance(who, NamedPrincipal) or who.kind is not PrincipalKind.USER:
        raise AllowedPrincipal(query.principal)
    path, methods = request.path, query.methods or tuple(ACTS)
    found = explaining.explain_access(request.context, path, who.name, methods, request.if_alone)
    href = for_xml(request.spelling.href(urls.segments_of(path), slash=request.target.slash))

    def write(answer: Multistatus) -> None:
        for one in found:
            reasons = [_show(request, reason) for reason in one.reasons]
            answer.decided(href, _STATUSES[one.answer], render_decisions(one.method, reasons))

    return multistatus(write, [])


def _show(request: Request, reason: Reason) -> ShownReason:
    entries = [_show_entry(request, one) for one in reason.deciders]
    place = request.spelling.href(urls.segments_of(reason.path), slash=reason.is_collection)
    return ShownReason(place, reason.privilege, reason.verdict.value, entries)


def _show_entry(request: Request, decider: Decider) -> ShownAce:
    """Return an entry as `D:acl` has it, with the place where it stands, inherited or not."""
    spelling, (who, ace, _) = request.spelling, decider.entry
    spelled = spelling.href(urls.segments_of_principal(who), slash=True) if isinstance(who, NamedPrincipal) else who
    place = spelling.href(urls.segments_of(decider.path), slash=decider.is_collection)
    is_protected = who is Word.OWNER and ace.privileges == EVERYTHING.granted
    return ShownAce(
        spelled, ace.denies, ace.privileges, ace.expires_us, ace.filter, is_protected=is_protected, inherited=place
    )
