"""PROPFIND (RFC 4918 §9.1)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress

from davstore.dav.bulk import Bulk, columns_of
from davstore.dav.handlers.conditions import judge_if
from davstore.dav.kinds import kind_of
from davstore.dav.rendering import Plan, facets_of, write_applied, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.engine.rights import known_to, refuse_access
from davstore.errors import InfiniteDepth, NotFound
from davstore.middleware.errors import find_condition, find_row
from davstore.model.paths import Path
from davstore.model.views import EVERYTHING
from davstore.protocol import urls
from davstore.protocol.dav import propfind
from davstore.protocol.dav.hrefs import enter, for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import ALL_PROPERTIES, FOR_WINDOWS, PropFind
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed
from davstore.store import reading

_WINDOWS = "Microsoft-WebDAV-MiniRedir/"


def handle_propfind(request: Request) -> Response:
    """Return properties of a resource, its members, or all resources beneath it."""
    depth = request.depth()
    question = propfind.parse(request.read_xml())
    place = request.place
    prefer = request.prefer
    prefer = Prefer(minimal=prefer.minimal, noroot=prefer.noroot and depth != 0)  # of depth 0 nothing would be left
    headers = prefer.applied()
    if depth != 0 and question == ALL_PROPERTIES and (request.header("USER_AGENT") or "").startswith(_WINDOWS):
        question, prefer = FOR_WINDOWS, prefer._replace(minimal=True)

    def write(answer: Multistatus) -> None:
        if isinstance(place, Fixed):
            _write_fixed(request, place, question, answer, depth=depth, prefer=prefer)
            is_collection = True
        else:
            is_collection = _write_tree(request, request.path, question, answer, depth=depth, prefer=prefer)
        headers.extend(request.located(is_collection=is_collection))

    return multistatus(write, headers, listed=Listed() if depth != 0 else None)


def _write_tree(
    request: Request, path: Path, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> bool:
    """Write a resource of the store and those beneath it; return whether it is a collection."""
    is_collection = False
    hrefs, free_bytes = request.hrefs(path), _once(request.context.services.blobs.free_bytes)
    facets, columns = facets_of(question), columns_of(question)
    bulk: Bulk | None = None
    view = EVERYTHING if depth == 0 else request.view.in_area(path.area)
    with closing(
        reading.describe(
            request.context, path, request.if_alone, depth=depth, facets=facets, columns=columns, view=view
        )
    ) as pages:
        for page in pages:
            is_collection = bool(page.top.is_collection)
            context = request.property_context(page.facts, page.facets, hrefs.spelling, free_bytes, page.rights)
            plan = Plan(question, context, minimal=prefer.minimal)
            if page.columns is not None:
                bulk = bulk or Bulk(plan, hrefs)
                answer.add(bulk.render(page.columns))
            else:
                without_top = prefer.noroot and is_collection
                write_stored(answer, plan, hrefs, page.members if without_top else page.resources)
            for one in page.refused:
                error = refuse_access(path._replace(names=one.names), is_collection=bool(one.is_collection))
                condition = find_condition(error, request.hrefs_of_errors)
                answer.failed(hrefs.of(one), find_row(error).status, condition)
    write_applied(answer, hrefs.spelling, request.principal, view)
    return is_collection


def _write_fixed(
    request: Request, place: Fixed, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> None:
    """Write a fixed collection and its members; those that are not fixed themselves are roots of stores, or shares."""
    judge_if(request)
    if depth is None:
        raise InfiniteDepth("a store lies beneath")
    spelling, known = request.spelling, known_to(request.principal)
    below = [enter((*place.segments, name), request.mounts) for name in place.members] if depth else []
    stores = [path for path in map(urls.find_path, below) if path is not None]
    fixed = [place for place in (urls.find_fixed(segments, known) for segments in below) if place is not None]
    plan = Plan(question, request.property_context(spelling=spelling), minimal=prefer.minimal)
    for one in fixed if prefer.noroot else [place, *fixed]:
        href = for_xml(spelling.href(one.segments, slash=True))
        answer.add(plan.of(kind_of(one))(one, href))
    for path in stores:
        with suppress(NotFound):  # a share that has just ended
            _write_tree(request, path, question, answer, depth=0, prefer=prefer._replace(noroot=False))


def _once(ask: Callable[[], int]) -> Callable[[], int]:
    """Ask for a number when it is first wanted; `functools.cache` takes 3 µs for each request that wants none."""
    known: list[int] = []

    def answer() -> int:
        if not known:
            known.append(ask())
        return known[0]

    return answer
