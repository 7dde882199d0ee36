"""PROPFIND (RFC 4918 §9.1)."""

from __future__ import annotations

from collections.abc import Callable

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.kinds import kind_of
from davstore.dav.properties import PropertyContext
from davstore.dav.rendering import Hrefs, Plan, asks_for_checksums, asks_for_dead, asks_for_locks, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.engine.rights import known_to
from davstore.errors import InfiniteDepth
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol import urls
from davstore.protocol.dav import propfind
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import ALL_PROPERTIES, FOR_WINDOWS, PropFind
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed
from davstore.store import reading
from davstore.store.reading import Listing

_WINDOWS = "Microsoft-WebDAV-MiniRedir/"


def handle_propfind(request: Request) -> Response:
    """Tell properties of a resource, its members, or all beneath it."""
    depth = request.depth()
    question = propfind.parse(request.read_xml())
    place = request.place
    prefer = request.prefer._replace(representation=False)
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
        response.headers.extend(request.located(is_collection=is_collection))

    response = multistatus(write, headers, listed=Listed() if depth != 0 else None)
    return response


def _write_tree(
    request: Request, path: Path, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> bool:
    """Write a resource of the store and what lies beneath it; return whether it is a collection."""
    tops: list[Resource] = []
    hrefs, free_bytes = request.hrefs(path), _once(request.context.services.blobs.free_bytes)

    def tell(some: Listing) -> None:
        view = _view(request, some, hrefs, free_bytes)
        plan = Plan(question, view, some.properties, minimal=prefer.minimal)
        tops.append(some.top)
        without_top = prefer.noroot and some.top.is_collection
        write_stored(answer, plan, hrefs, some.members if without_top else some.resources)

    reading.describe(
        request.context,
        path,
        request.if_alone,
        tell=tell,
        depth=depth,
        dead=asks_for_dead(question),
        sums=asks_for_checksums(question),
        locks=asks_for_locks(question),
    )
    return bool(tops[0].is_collection)


def _write_fixed(
    request: Request, place: Fixed, question: PropFind, answer: Multistatus, *, depth: int | None, prefer: Prefer
) -> None:
    """Write a fixed collection and its members; those that are not fixed themselves are roots of stores."""
    judge_if(request)
    if depth is None:
        raise InfiniteDepth("a store lies beneath")
    spelling, known = request.spelling, known_to(request.principal)
    below = [(*place.segments, name) for name in place.members] if depth else []
    stores = [path for path in map(urls.find_path, below) if path is not None]
    fixed = [place for place in (urls.find_fixed(segments, known) for segments in below) if place is not None]
    plan = Plan(question, PropertyContext(request.principal, spelling=spelling), {}, minimal=prefer.minimal)
    for one in fixed if prefer.noroot else [place, *fixed]:
        href = for_xml(spelling.href(one.segments, slash=True))
        answer.add(plan.of(kind_of(one))(_as_resource(one.segments), href))
    for path in stores:
        _write_tree(request, path, question, answer, depth=0, prefer=prefer._replace(noroot=False))


def _as_resource(segments: tuple[str, ...]) -> Resource:
    """Return a resource that has a name and no facts."""
    return Resource(segments[:-1], segments[-1] if segments else "", 0, 1, 0, "", None, None, None, 0, 0, 0)


def _view(request: Request, told: Listing, hrefs: Hrefs, free_bytes: Callable[[], int]) -> PropertyContext:
    now_us, spelling = request.context.now_us, hrefs.spelling
    return PropertyContext(request.principal, told.facts, told.locks, told.checksums, now_us, spelling, free_bytes)


def _once(ask: Callable[[], int]) -> Callable[[], int]:
    """Ask for a number when it is first wanted; `functools.cache` takes 3 µs for each request that wants none."""
    known: list[int] = []

    def answer() -> int:
        if not known:
            known.append(ask())
        return known[0]

    return answer
