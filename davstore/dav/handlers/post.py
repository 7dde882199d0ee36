"""POST of an operation on a collection, which the root element of its body names: `C:bulk-update`, `C:bulk-delete`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from davstore.dav.handlers.named import Named
from davstore.dav.handlers.proppatch import with_dependent
from davstore.dav.kinds import kind_in
from davstore.dav.properties.proppatch import sort_changes
from davstore.dav.properties.sync import render_token
from davstore.dav.rendering import write_applied
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.engine.bulk import Choice, Targets
from davstore.errors import (
    DavstoreError,
    MethodNotAllowed,
    NoCollection,
    PropertiesRefused,
    ProtectedProperty,
    UnsupportedMediaType,
)
from davstore.middleware.errors import find_condition, find_row, group_by_row
from davstore.model.functions import Function
from davstore.model.paths import Path
from davstore.model.views import EVERYTHING, View
from davstore.protocol.dav import operations
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.multistatus import Multistatus, PropStat
from davstore.protocol.dav.operations import BulkDelete, BulkUpdate, Chosen
from davstore.protocol.http.prefer import Prefer
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
    strict, chosen = request.prefer.strict, _Choosing(request, operation.chosen)
    done = bulk.update(
        request.context,
        path,
        chosen.targets,
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

    return _answer(request, path, chosen, done, write, strict=strict)


def _delete(request: Request, path: Path, operation: BulkDelete) -> Response:
    """Delete many resources, each with all beneath it or not at all."""
    strict, chosen = request.prefer.strict, _Choosing(request, operation.chosen)
    done = bulk.delete(request.context, path, chosen.targets, request.conditions, strict=strict)

    def write(answer: Multistatus, href: bytes, _refusal: DavstoreError | None) -> None:
        answer.failed(href, HTTPStatus.NO_CONTENT, None)

    return _answer(request, path, chosen, done, write, strict=strict)


_HANDLERS: Final[dict[type[Any], Callable[[Request, Path, Any], Response]]] = {
    BulkUpdate: _update,
    BulkDelete: _delete,
}


class _Choosing:
    """The resources that an operation is about.

    A condition selects in the view in which the asker lists, which the gate is asked about. No place that an href
    names is: it is a write there, as any other method's.
    """

    def __init__(self, request: Request, chosen: Chosen) -> None:
        self.shown = request.shown()  # first: where there are no rules, nothing is changed either
        self.view = EVERYTHING if chosen.where is None else request.view
        self._request = request
        self._named = Named(request, chosen.hrefs)
        is_named = chosen.where is None
        self.targets: Targets = self._named.targets if is_named else self.view.narrowed(View(chosen.where))

    def each(self, path: Path, choices: Sequence[Choice]) -> Iterator[tuple[bytes, DavstoreError | None]]:
        """Yield what the answer tells: of named places all, else of those that are refused."""
        if isinstance(self.targets, View):
            hrefs = self._request.hrefs(path)
            yield from ((hrefs.of(one.found.resource), one.refusal) for one in choices if one.found and one.refusal)
        else:
            yield from ((href, one.refusal) for href, _, one in self._named.each(path, choices))


def _answer(request: Request, path: Path, chosen: _Choosing, done: Done, write: _Write, *, strict: bool) -> Response:
    """Return the outcome of each resource, and the sync token of the collection as the operation left it."""
    token = None
    if Function.SYNCHRONIZATION in request.context.services.functions:
        token = render_token(done.facts, path, chosen.shown, now_us=request.context.now_us)

    def render(answer: Multistatus) -> str | None:
        for href, refusal in chosen.each(path, done.choices):
            if refusal is None or isinstance(refusal, PropertiesRefused):
                write(answer, href, refusal)
            else:
                answer.failed(href, find_row(refusal).status, find_condition(refusal, request.hrefs_of_errors))
        write_applied(answer, request.spelling, request.principal, chosen.view)
        return token

    headers = [*request.located(is_collection=True), *Prefer(strict=strict).applied()]
    return multistatus(render, headers)
