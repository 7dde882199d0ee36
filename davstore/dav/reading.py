"""OPTIONS, GET, HEAD, PROPFIND and REPORT: the methods that change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from davstore.dav import places
from davstore.dav.answers import send, send_multistatus, stream
from davstore.dav.conditions import read_conditions, read_if
from davstore.dav.content import send_content
from davstore.dav.places import ALLOWED, ALLOWED_ROOT, ALLOWED_UNMAPPED, Fixed, Kind
from davstore.dav.plan import Hrefs, Plan, asks_for_checksums, asks_for_dead, asks_for_locks, write_stored
from davstore.dav.properties import View
from davstore.dav.request import Request
from davstore.errors import InfiniteDepth, NotFound, UnsupportedReport
from davstore.middleware.sync_gate import QUERY, answered, ask
from davstore.middleware.xml_body import read_xml
from davstore.model.conditions import NONE
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol import propfind, reports, sync_token
from davstore.protocol.accept import wants_html
from davstore.protocol.headers import parse_depth
from davstore.protocol.hrefs import encode_segment, render_href
from davstore.protocol.multistatus import Multistatus
from davstore.protocol.prefer import Prefer, parse_prefer
from davstore.protocol.propfind import ALL_PROPERTIES, FOR_WINDOWS, PropFind
from davstore.protocol.reports import SyncQuery
from davstore.store import reading, syncing
from davstore.store.reading import Listing

COMPLIANCE = "1, 2, 3, extended-mkcol"
"""The DAV header (RFC 4918 §18)."""
_WINDOWS = "Microsoft-WebDAV-MiniRedir/"
_BY_ACCEPT = [("Cache-Control", "no-cache"), ("Vary", "Accept")]
"""Under the same URL a browser gets a page (DECISIONS 7)."""


def answer_options(request: Request) -> Iterable[bytes]:
    """Tell what can be done with a URL (RFC 4918 §10.1). An unmapped URL of the own store can be made."""
    request.refuse_body()
    headers = [
        ("DAV", COMPLIANCE),
        ("Allow", ", ".join(_allowed(request))),
        ("MS-Author-Via", "DAV"),
        ("Accept-Ranges", "bytes"),
    ]
    return send(request.environ, HTTPStatus.OK, headers=headers)


def _allowed(request: Request) -> tuple[str, ...]:
    place = request.place
    if isinstance(place, Fixed):
        _judge_if(request)
        return ALLOWED[place.kind]
    try:
        top = reading.find(request.context, place, read_if(request))
    except NotFound:
        return ALLOWED_UNMAPPED
    if not place.names:
        return ALLOWED_ROOT
    return ALLOWED[Kind.COLLECTION if top.is_collection else Kind.RESOURCE]


def answer_get(request: Request) -> Iterable[bytes]:
    """Send a body, or the names in a collection (RFC 9110 §9.3.1, RFC 4918 §9.4); HEAD the same without it."""
    request.refuse_body()
    place = request.place
    if isinstance(place, Fixed):
        _judge_if(request)
        return _send_names(request, [f"{name}/" for name in place.members])
    conditions = read_conditions(request)
    content = reading.open_resource(request.context, place, conditions)
    if content.body is not None:
        return send_content(request, content.resource, content.body, conditions)
    if not request.target.slash and wants_html(request.header("ACCEPT")):
        location = (
            f"./{encode_segment(request.target.segments[-1])}/"  # relative: a proxy may have put the tree anywhere
        )
        return send(request.environ, HTTPStatus.TEMPORARY_REDIRECT, headers=[("Location", location), *_BY_ACCEPT])
    ask(request.environ)
    names: list[str] = []

    def tell(some: Listing) -> None:
        names.extend(f"{member.name}/" if member.is_collection else member.name for member in some.members)

    reading.describe(request.context, place, depth=1, tell=tell)
    answered(request.environ)
    return _send_names(request, names)


def _send_names(request: Request, names: list[str]) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"), *_BY_ACCEPT]
    body = "".join(f"{name}\n" for name in names).encode()
    if request.environ["REQUEST_METHOD"] == "HEAD":
        return stream(request.environ, HTTPStatus.OK, headers=headers, length_bytes=len(body), parts=())
    return send(request.environ, HTTPStatus.OK, headers=headers, body=body)


def answer_propfind(request: Request) -> Iterable[bytes]:
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
        else:
            _write_tree(request, place, question, answer, depth=depth, prefer=prefer)

    parts = send_multistatus(request.environ, write, headers=headers)
    answered(request.environ)
    return parts


def _write_tree(
    request: Request, path: Path, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> None:
    hrefs, now_us = _hrefs(request), request.context.now_us

    def tell(some: Listing) -> None:
        view = View(request.principal, some.facts, some.locks, some.checksums, now_us, request.prefix)
        plan = Plan(question, view, some.properties, minimal=prefer.minimal)
        without_top = prefer.noroot and some.top.is_collection
        write_stored(answer, plan, hrefs, some.members if without_top else some.resources)

    reading.describe(
        request.context,
        path,
        read_if(request),
        tell=tell,
        depth=depth,
        dead=asks_for_dead(question),
        sums=asks_for_checksums(question),
        locks=asks_for_locks(question),
    )


def _write_fixed(
    request: Request, place: Fixed, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> None:
    """Tell of a fixed collection and its members; the only member that is not fixed itself is the store."""
    _judge_if(request)
    if depth is None:
        raise InfiniteDepth("a store lies beneath")
    below = [(*place.segments, name) for name in place.members] if depth else []
    store = places.store_root(request.principal)
    plan = Plan(question, View(request.principal, prefix=request.prefix), {}, minimal=prefer.minimal)
    top = [] if prefer.noroot else [place.segments]
    for segments in [*top, *(one for one in below if one != store)]:
        one = places.find_fixed(segments, request.principal)
        href = render_href((*request.prefix, *segments), slash=True).encode()
        answer.add(plan.of(one.kind)(_as_resource(segments), href))
    if store in below:
        own, shown = Path(request.principal.user.name), prefer._replace(noroot=False)
        _write_tree(request, own, question, answer, depth=0, prefer=shown)


def _as_resource(segments: tuple[str, ...]) -> Resource:
    """Return a resource that has a name and no facts."""
    return Resource(segments[:-1], segments[-1] if segments else "", 0, 1, 0, "", None, None, None, 0, 0)


def answer_report(request: Request) -> Iterable[bytes]:
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
        dead=asks_for_dead(question),
        sums=asks_for_checksums(question),
        locks=asks_for_locks(question),
    )
    prefer = Prefer(minimal=parse_prefer(request.header("PREFER")).minimal)  # no report tells of the collection itself
    view = View(
        request.principal, changes.facts, changes.locks, changes.checksums, request.context.now_us, request.prefix
    )
    plan = Plan(question, view, changes.properties, minimal=prefer.minimal)
    given = sync_token.render(changes.token)

    def write(answer: Multistatus) -> str:
        write_stored(answer, plan, _hrefs(request), changes.rows)
        if changes.truncated:
            answer.truncated(_hrefs(request).collection(path.names))
        return given

    parts = send_multistatus(request.environ, write, headers=prefer.applied())
    answered(request.environ, given, truncated=changes.truncated)
    return parts


def _judge_if(request: Request) -> None:
    """Raise PreconditionFailed unless an `If` list holds, for answers that no store call with conditions makes."""
    conditions = read_if(request)
    if conditions is not NONE:
        reading.find(request.context, Path(request.principal.user.name), conditions)


def _hrefs(request: Request) -> Hrefs:
    return Hrefs(request.root)
