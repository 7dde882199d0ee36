"""OPTIONS, GET, HEAD, PROPFIND and REPORT: the methods that change nothing."""

from __future__ import annotations

import string
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from http import HTTPStatus
from urllib.parse import quote

from davstore.dav import places
from davstore.dav.bulk import Bulk, facts_of
from davstore.dav.conditions import read_conditions, read_if
from davstore.dav.content import send_content
from davstore.dav.listing import Names, send_listing
from davstore.dav.places import ALLOWED, ALLOWED_ROOT, ALLOWED_UNMAPPED, Fixed, Kind
from davstore.dav.properties.live import PropertyContext
from davstore.dav.rendering import Hrefs, Plan, facets_of, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import send, send_multistatus
from davstore.errors import InfiniteDepth, NotFound, UnsupportedReport
from davstore.middleware.sync_gate import QUERY, answered, ask
from davstore.middleware.xml_body import read_xml
from davstore.model.changes import Changes
from davstore.model.conditions import NONE
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol.dav import propfind, reports, sync_token
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import ALL_PROPERTIES, FOR_WINDOWS, PropFind
from davstore.protocol.dav.reports import SyncQuery
from davstore.protocol.http.headers import parse_depth
from davstore.protocol.http.prefer import Prefer, parse_prefer
from davstore.store import reading, syncing
from davstore.store.reading import Listing

COMPLIANCE = "1, 2, 3, extended-mkcol"
"""The DAV header (RFC 4918 §18)."""
_WINDOWS = "Microsoft-WebDAV-MiniRedir/"
_FRESH = ("Cache-Control", "no-cache")


def handle_options(request: Request) -> Iterable[bytes]:
    """Tell what can be done with a URL (RFC 4918 §10.1). An unmapped URL of the own store can be made."""
    request.refuse_body()
    kind, allowed = _allowed(request)
    headers = [
        ("DAV", COMPLIANCE),
        ("Allow", ", ".join(allowed)),
        ("MS-Author-Via", "DAV"),
        ("Accept-Ranges", "bytes"),
        *request.located(is_collection=kind not in (None, Kind.RESOURCE)),
    ]
    return send(request.environ, HTTPStatus.OK, headers=headers)


def _allowed(request: Request) -> tuple[Kind | None, tuple[str, ...]]:
    """Return what the URL names, None for nothing, and the methods that it has."""
    place = request.place
    if isinstance(place, Fixed):
        _judge_if(request)
        return place.kind, ALLOWED[place.kind]
    try:
        top = reading.find(request.context, place, read_if(request))
    except NotFound:
        return None, ALLOWED_UNMAPPED
    kind = Kind.COLLECTION if top.is_collection else Kind.RESOURCE
    return kind, ALLOWED[kind] if place.names else ALLOWED_ROOT


def handle_get(request: Request) -> Iterable[bytes]:
    """Send a body, or what a collection holds (RFC 9110 §9.3.1, RFC 4918 §9.4); HEAD the same without it.

    A collection is led to by its slash: relative links would start from its parent, and so would what a client writes.
    """
    request.refuse_body()
    place = request.place
    if isinstance(place, Fixed):
        _judge_if(request)
        if not request.target.slash:
            return _lead_to_slash(request)
        return send_listing(request, iter([[f"{name}/" for name in place.members]]))
    conditions = read_conditions(request)
    content = reading.open_resource(request.context, place, conditions)
    if content.body is not None:
        return send_content(request, content.resource, content.body, conditions)
    if not request.target.slash:
        return _lead_to_slash(request)
    ask(request.environ)
    with closing(_pages(request, place)) as pages:
        parts = send_listing(request, pages)
    answered(request.environ)
    return parts


def _pages(request: Request, path: Path) -> Generator[Names, None, None]:
    with closing(reading.describe(request.context, path, depth=1)) as pages:
        for page in pages:
            yield map(_listed, page.members)


def _listed(member: Resource) -> str:
    return f"{member.name}/" if member.is_collection else member.name


def _lead_to_slash(request: Request) -> Iterable[bytes]:
    """Redirect, with the query. Conditions and ranges are for what is there, not for a redirect (RFC 9110 §13.2.1)."""
    query = quote(request.target.query, safe=string.punctuation, encoding="latin-1")
    location = f"{request.with_slash}?{query}" if query else request.with_slash
    return send(request.environ, HTTPStatus.TEMPORARY_REDIRECT, headers=[("Location", location), _FRESH])


def handle_propfind(request: Request) -> Iterable[bytes]:
    """Tell properties of a resource, its members, or all beneath it (RFC 4918 §9.1)."""
    depth = parse_depth(request.header("DEPTH"), default=None)
    question = propfind.parse(read_xml(request.environ))
    place = request.place
    prefer = parse_prefer(request.header("PREFER"))._replace(representation=False)
    if depth == 0:
        prefer = prefer._replace(noroot=False)  # nothing would be left
    headers = prefer.applied()
    if depth != 0 and question == ALL_PROPERTIES and (request.header("USER_AGENT") or "").startswith(_WINDOWS):
        question, prefer = FOR_WINDOWS, prefer._replace(minimal=True)

    def write(answer: Multistatus) -> None:
        if isinstance(place, Fixed):
            _write_fixed(request, place, question, answer, depth=depth, prefer=prefer)
            is_collection = True
        else:
            is_collection = _write_tree(request, place, question, answer, depth=depth, prefer=prefer)
        headers.extend(request.located(is_collection=is_collection))

    parts = send_multistatus(request.environ, write, headers=headers)
    answered(request.environ)
    return parts


def _write_tree(
    request: Request, path: Path, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> bool:
    """Write a resource of the store and what lies beneath it; return whether it is a collection."""
    is_collection = False
    hrefs, free_bytes = _hrefs(request), _once(request.context.services.blobs.free_bytes)
    facets, columns = facets_of(question), facts_of(question)
    bulk: Bulk | None = None
    with closing(
        reading.describe(request.context, path, read_if(request), depth=depth, facets=facets, columns=columns)
    ) as pages:
        for page in pages:
            is_collection = bool(page.top.is_collection)
            plan = Plan(question, _context(request, page, hrefs, free_bytes), minimal=prefer.minimal)
            if page.columns is not None:
                bulk = bulk or Bulk(plan, hrefs)
                answer.add(bulk.render(page.columns))
            else:
                without_top = prefer.noroot and is_collection
                write_stored(answer, plan, hrefs, page.members if without_top else page.resources)
    return is_collection


def _write_fixed(
    request: Request, place: Fixed, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> None:
    """Tell of a fixed collection and its members; the only member that is not fixed itself is the store."""
    _judge_if(request)
    if depth is None:
        raise InfiniteDepth("a store lies beneath")
    below = [(*place.segments, name) for name in place.members] if depth else []
    store = places.store_root(request.principal)
    spelling = request.spelling
    plan = Plan(question, PropertyContext(request.principal, spelling=spelling), minimal=prefer.minimal)
    top = [] if prefer.noroot else [place.segments]
    for segments in [*top, *(one for one in below if one != store)]:
        one = places.find_fixed(segments, request.principal)
        href = for_xml(spelling.href(segments, slash=True))
        answer.add(plan.of(one.kind)(one, href))
    if store in below:
        own, shown = Path(request.principal.user.name), prefer._replace(noroot=False)
        _write_tree(request, own, question, answer, depth=0, prefer=shown)


def handle_report(request: Request) -> Iterable[bytes]:
    """Tell what changed since a sync token (RFC 6578 §3). The gate has read the body, where there is a gate."""
    query: SyncQuery | None = request.environ.get(QUERY)
    if query is None:
        query = reports.parse(read_xml(request.environ), parse_depth(request.header("DEPTH"), default=0))
    path = request.place
    if isinstance(path, Fixed):
        raise UnsupportedReport("no store keeps this collection")
    _judge_if(request)  # nobody gains by a report and a condition in one snapshot
    token = sync_token.parse(query.token) if query.token else None
    question = PropFind(propfind.Kind.PROP, query.names)
    changes = syncing.changes_since(
        request.context,
        path,
        token,
        level=query.level,
        limit=query.limit,
        facets=facets_of(question),
    )
    prefer = Prefer(minimal=parse_prefer(request.header("PREFER")).minimal)  # no report tells of the collection itself
    hrefs = _hrefs(request)
    context = _context(request, changes, hrefs, request.context.services.blobs.free_bytes)
    plan = Plan(question, context, minimal=prefer.minimal)
    given = sync_token.render(changes.token)

    def write(answer: Multistatus) -> str:
        write_stored(answer, plan, hrefs, changes.rows)
        if changes.truncated:
            answer.truncated(hrefs.collection(path.names))
        return given

    headers = [*request.located(is_collection=True), *prefer.applied()]
    parts = send_multistatus(request.environ, write, headers=headers)
    answered(request.environ, given, truncated=changes.truncated)
    return parts


def _judge_if(request: Request) -> None:
    """Raise PreconditionFailed unless an `If` list holds, for answers that no store call with conditions makes."""
    conditions = read_if(request)
    if conditions is not NONE:
        reading.find(request.context, Path(request.principal.user.name), conditions)


def _context(request: Request, page: Listing | Changes, hrefs: Hrefs, free_bytes: Callable[[], int]) -> PropertyContext:
    now_us = request.context.now_us
    return PropertyContext(request.principal, page.facts, page.facets, now_us, hrefs.spelling, free_bytes)


def _once(ask: Callable[[], int]) -> Callable[[], int]:
    """Ask for a number when it is first wanted; `functools.cache` takes 3 µs for each request that wants none."""
    known: list[int] = []

    def answer() -> int:
        if not known:
            known.append(ask())
        return known[0]

    return answer


def _hrefs(request: Request) -> Hrefs:
    return Hrefs(request.spelling, request.root)
