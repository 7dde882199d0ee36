"""The reports on principals (RFC 3744 §9.2 to §9.5).

An asker finds itself, its user and its devices by a part of their names. Others are found by their whole name alone, so
that entries can be made for them and nobody is told who else has a store; little is told of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from http import HTTPStatus
from typing import Any, Final

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.kinds import kind_of
from davstore.dav.rendering import Plan, facets_of, write_applied, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.engine.rights import is_owner, known_to
from davstore.errors import InfiniteDepth, LimitNotSupported, UnsupportedReport
from davstore.model.facets import Facet
from davstore.model.principals import NamedPrincipal, PrincipalKind
from davstore.model.views import View
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import CONTENT_TYPE, empty
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.principal_reports import (
    MatchQuery,
    PrincipalsQuery,
    SearchableQuery,
    SearchQuery,
    render_searchable,
)
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed
from davstore.store import controlling, finding, reading

SEARCHABLE: Final = {names.DISPLAYNAME: "Name"}
"""The properties by which principals are found, with descriptions."""
_TOLD_OF_OTHERS: Final = frozenset(
    {names.DISPLAYNAME, names.RESOURCETYPE, names.PRINCIPAL_URL, names.PRINCIPAL_COLLECTION_SET}
    | {names.CURRENT_USER_PRINCIPAL}
)
"""The properties of a principal that the asker does not see otherwise."""


def handle_acl_principal_prop_set(request: Request, query: PrincipalsQuery) -> Response:
    """Report properties of the principals of the entries of a resource, each once, its owner first."""
    entries = controlling.list_aces(request.context, request.path, request.if_alone)
    owner = NamedPrincipal(PrincipalKind.USER, request.path.store)
    named = [one.who for one in entries if isinstance(one.who, NamedPrincipal)]
    paths = list(dict.fromkeys(map(urls.segments_of_principal, (owner, *named))))
    if len(paths) > request.context.services.limits.propfind_members:
        raise LimitNotSupported(f"{len(paths)} principals")
    return _tell(request, [Fixed(segments, is_principal=True) for segments in paths], query.names)


def handle_principal_match(request: Request, query: MatchQuery) -> Response:
    """Report the resources beneath a collection of a store that the asker owns; no principal is among them."""
    view = request.view.in_area(request.path.area)

    def write(answer: Multistatus) -> None:
        try:
            _write_owned(request, query, view, answer)
        except InfiniteDepth as error:
            raise LimitNotSupported(str(error)) from error
        write_applied(answer, request.spelling, request.principal, view)

    headers = [*request.located(is_collection=True), *_prefer(request).applied()]
    return multistatus(write, headers, listed=Listed())


def _write_owned(request: Request, query: MatchQuery, view: View, answer: Multistatus) -> None:
    path, conditions, hrefs = request.path, request.if_alone, request.hrefs(request.path)
    question = _question(query.names or ())
    is_deep = query.property == names.OWNER and is_owner(request.principal, path)
    depth, facets = (None, facets_of(question)) if is_deep else (0, frozenset[Facet[Any]]())
    with closing(reading.describe(request.context, path, conditions, depth=depth, facets=facets, view=view)) as pages:
        for page in pages:
            if not page.top.is_collection:
                raise UnsupportedReport("principal-match on a non-collection")
            if query.names is None:
                for one in page.members:
                    answer.status(hrefs.of(one), HTTPStatus.OK)
                continue
            context = request.property_context(page.facts, page.facets, hrefs.spelling)
            write_stored(answer, Plan(question, context, minimal=_prefer(request).minimal), hrefs, page.members)


def handle_principal_match_of_fixed(request: Request, place: Fixed, query: MatchQuery) -> Response:
    """Report the principals beneath a collection that the asker is. Raises LimitNotSupported: for its whole store."""
    judge_if(request)
    if query.property is None:
        mine = urls.matching_segments(request.principal)
        return _tell(request, [one for one in _list_beneath(request, place) if one.segments in mine], query.names)
    if query.property == names.OWNER and any(_holds(place, start) for start in urls.AREAS):
        raise LimitNotSupported("a store lies beneath")
    return _tell(request, [], query.names)


def handle_principal_property_search(request: Request, place: Fixed, query: SearchQuery) -> Response:
    """Report the principals that all searches find."""
    judge_if(request)
    top = Fixed(urls.PRINCIPALS) if query.is_everywhere else place
    if any(name not in SEARCHABLE for one in query.searches for name in one.properties):
        return _tell(request, [], query.names)
    texts = {one.text for one in query.searches}
    known = [one for one in _list_beneath(request, top) if _is_found(one, texts)]
    others = [] if len(texts) > 1 else [one for one in _find_others(request, *texts) if _holds(top, one.segments)]
    return _tell(request, [*known, *(one for one in others if one not in known)], query.names)


def handle_principal_search_property_set(request: Request, _place: Fixed, _query: SearchableQuery) -> Response:
    """Report the properties by which principals are found."""
    judge_if(request)
    return Response(HTTPStatus.OK, [("Content-Type", CONTENT_TYPE)], render_searchable(SEARCHABLE))


def _find_others(request: Request, text: str) -> list[Fixed]:
    """Return the principals of a name that the asker may make entries for, and may not see."""
    there = finding.list_named(request.context.services.database, [NamedPrincipal(PrincipalKind.USER, text)])
    return [Fixed(urls.segments_of_principal(one), is_principal=True) for one in there]


def _list_beneath(request: Request, place: Fixed) -> list[Fixed]:
    """Return the principals that the asker sees beneath a collection."""
    principals = urls.list_principals(known_to(request.principal))
    return [one for one in principals if _holds(place, one.segments) and one.segments != place.segments]


def _holds(place: Fixed, segments: tuple[str, ...]) -> bool:
    return segments[: len(place.segments)] == place.segments


def _is_found(principal: Fixed, texts: Iterable[str]) -> bool:
    name = principal.segments[-1].casefold()
    return all(text.casefold() in name for text in texts)


def _tell(request: Request, principals: Sequence[Fixed], asked: tuple[str, ...] | None) -> Response:
    """Return the properties of principals that are asked for; None: that they are there."""
    spelling, prefer = request.spelling, _prefer(request)
    known = {one.segments for one in urls.list_principals(known_to(request.principal))}

    def write(answer: Multistatus) -> None:
        context = request.property_context()
        for one in principals:
            href = for_xml(spelling.href(one.segments, slash=True))
            if asked is None:
                answer.status(href, HTTPStatus.OK)
                continue
            told = [name for name in asked if one.segments in known or name in _TOLD_OF_OTHERS]
            plan = Plan(_question(told), context, minimal=prefer.minimal)
            found, missing = plan.compile(kind_of(one)).render(one)
            missing += b"".join(map(empty, [name for name in asked if name not in told]))
            answer.add(plan.whole(href, found, missing))

    at_collection = isinstance(request.place, Fixed)
    return multistatus(write, [*request.located(is_collection=at_collection), *prefer.applied()])


def _question(asked: Iterable[str]) -> PropFind:
    return PropFind(PropFindKind.PROP, tuple(asked))


def _prefer(request: Request) -> Prefer:
    return Prefer(minimal=request.prefer.minimal)
