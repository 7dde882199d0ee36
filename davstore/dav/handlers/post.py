"""POST of an operation on a collection, which the root element of its body names: `C:bulk-update`, `C:bulk-delete`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from davstore.dav.handlers.proppatch import with_dependent
from davstore.dav.kinds import kind_in
from davstore.dav.properties.proppatch import sort_changes
from davstore.dav.properties.sync import render_token
from davstore.dav.rendering import write_applied
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.engine.bulk import Choice, Target, Targets
from davstore.errors import (
    DavstoreError,
    ForeignDestination,
    MethodNotAllowed,
    NoCollection,
    NotBeneath,
    NotFound,
    PropertiesRefused,
    ProtectedProperty,
    UnsupportedMediaType,
)
from davstore.middleware.errors import find_condition, find_row, group_by_row
from davstore.middleware.places import find_place
from davstore.model.functions import Function
from davstore.model.paths import PartPath, Path
from davstore.model.views import EVERYTHING, View
from davstore.protocol.dav import operations
from davstore.protocol.dav.elements import empty, escape
from davstore.protocol.dav.hrefs import Target as Named
from davstore.protocol.dav.hrefs import for_xml, parse_destination
from davstore.protocol.dav.multistatus import Multistatus, PropStat
from davstore.protocol.dav.operations import BulkDelete, BulkUpdate, Chosen
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.http.queries import names_sub_resource
from davstore.protocol.urls import Fixed
from davstore.store import bulk
from davstore.store.bulk import Done

_Write = Callable[[Multistatus, bytes, DavstoreError | None], None]
"""Writes the outcome of one resource under its href."""


def handle_post(request: Request) -> Response:
    """Hand the operation to its handler. Raises as `operations.parse`; UnsupportedMediaType: the body is no XML."""
    path = request.path
    if not request.has_xml:
        raise UnsupportedMediaType("a POST of other than XML")
    operation = operations.parse(request.read_xml())
    try:
        return _HANDLERS[type(operation)](request, path, operation)
    except NoCollection as error:
        kind = kind_in(path.area, is_collection=False)
        raise MethodNotAllowed(request.offer.kinds[kind].methods) from error


def _update(request: Request, path: Path, operation: BulkUpdate) -> Response:
    """Change states of many resources, of each all or none."""
    patch = sort_changes(operation.changes)
    asked, changed = patch.live.states, tuple(dict.fromkeys(name for name, _ in operation.changes))
    others = {name: ProtectedProperty(name) for name in changed if name not in asked}
    strict, named = request.prefer.strict, _Named(request, operation.chosen)
    done = bulk.update(
        request.context,
        path,
        named.targets,
        asked,
        request.conditions,
        refused={**others, **patch.refused},
        strict=strict,
    )
    all_done = [PropStat(HTTPStatus.OK, b"".join(map(empty, changed)))]

    def write(answer: Multistatus, href: bytes, refusal: DavstoreError | None) -> None:
        if isinstance(refusal, PropertiesRefused):
            answer.patched(href, group_by_row(with_dependent(changed, refusal)))
        else:
            answer.patched(href, all_done)

    return _answer(request, path, named, done, write, strict=strict)


def _delete(request: Request, path: Path, operation: BulkDelete) -> Response:
    """Delete many resources, each with all beneath it or not at all."""
    strict, named = request.prefer.strict, _Named(request, operation.chosen)
    done = bulk.delete(request.context, path, named.targets, request.conditions, strict=strict)

    def write(answer: Multistatus, href: bytes, _refusal: DavstoreError | None) -> None:
        answer.failed(href, HTTPStatus.NO_CONTENT, None)

    return _answer(request, path, named, done, write, strict=strict)


_HANDLERS: Final[dict[type[Any], Callable[[Request, Path, Any], Response]]] = {
    BulkUpdate: _update,
    BulkDelete: _delete,
}


class _Named:
    """The resources that an operation is about: each place once, with the href under which the answer tells of it.

    A condition selects in the view in which the asker lists, which the gate is asked about. No place that an href
    names is: it is a write there, as any other method's.
    """

    def __init__(self, request: Request, chosen: Chosen) -> None:
        self.view = EVERYTHING
        self.shown = request.shown()  # first: where there are no rules, nothing is changed either
        self._request = request
        self._hrefs: list[bytes | Named] = []
        self.targets: Targets = []
        if chosen.where is not None:
            self.view = request.view
            self.targets = self.view.narrowed(View(chosen.where))
            return
        found: dict[Any, tuple[bytes | Named, Target]] = {}
        for href in chosen.hrefs:
            key, spelled, target = _find_target(request, href)
            found.setdefault(key, (spelled, target))
        self._hrefs = [href for href, _ in found.values()]
        self.targets = [target for _, target in found.values()]

    def each(self, path: Path, choices: Iterable[Choice]) -> Iterator[tuple[bytes, DavstoreError | None]]:
        """Yield what the answer tells: of named places all, else of those that are refused."""
        hrefs = self._request.hrefs(path)
        if isinstance(self.targets, View):
            yield from ((hrefs.of(one.found.resource), one.refusal) for one in choices if one.found and one.refusal)
            return
        for href, (found, refusal) in zip(self._hrefs, choices, strict=True):
            if found is not None:
                yield hrefs.of(found.resource), refusal
            else:
                yield href if isinstance(href, bytes) else _spell(self._request, href), refusal


def _find_target(request: Request, href: str) -> tuple[Any, bytes | Named, Target]:
    """Return the key of the place that an href names, its href in the answer, and the place or why it is none.

    Raises Malformed: the text is no URL.
    """
    try:
        named = parse_destination(href, host=request.header("HOST"), prefix=request.prefix)
    except ForeignDestination:
        return href, escape(href), NotBeneath("on another server")
    place = find_place(named, request.principal)
    if isinstance(place, Path):
        return place, named, place
    if isinstance(place, PartPath):
        return place, for_xml(request.part_href(place)), place
    spelled = escape(href) if names_sub_resource(named.query) else _spell(request, named)
    error = NotBeneath("in no store") if isinstance(place, Fixed) else NotFound("nothing that the asker may know of")
    return spelled, spelled, error


def _spell(request: Request, named: Named) -> bytes:
    return for_xml(request.spelling.href(named.segments, slash=named.slash))


def _answer(request: Request, path: Path, named: _Named, done: Done, write: _Write, *, strict: bool) -> Response:
    """Return the outcome of each resource, and the sync token of the collection as the operation left it."""
    token = None
    if Function.SYNCHRONIZATION in request.context.services.functions:
        token = render_token(done.facts, path, named.shown, now_us=request.context.now_us)

    def spell(segments: tuple[str, ...], slash: bool) -> str:
        return request.spelling.href(segments, slash=slash)

    def render(answer: Multistatus) -> str | None:
        for href, refusal in named.each(path, done.choices):
            if refusal is None or isinstance(refusal, PropertiesRefused):
                write(answer, href, refusal)
            else:
                answer.failed(href, find_row(refusal).status, find_condition(refusal, spell))
        write_applied(answer, request.spelling, request.principal, named.view)
        return token

    headers = [*request.located(is_collection=True), *Prefer(strict=strict).applied()]
    return multistatus(render, headers)
