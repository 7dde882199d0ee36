"""The dispatch: a request in, a handler's response out, and the one call of start_response. WsgiDAV mounts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from davstore.dav.handlers import (
    acl,
    adding,
    delivering,
    devices,
    get,
    lists,
    locks,
    namespace,
    options,
    parts,
    post,
    propfind,
    proppatch,
    put,
    reports,
)
from davstore.dav.kinds import offer_with
from davstore.dav.request import Request
from davstore.dav.responses import Response, Spooled
from davstore.engine.context import Services
from davstore.errors import MethodNotAllowed, NotFound, NotImplementedMethod
from davstore.middleware.places import PLACE
from davstore.middleware.sync_gate import answered, ask
from davstore.model.functions import Functions
from davstore.model.paths import AddPath, PartPath, Path
from davstore.protocol.urls import DEVICES, LISTS, Fixed, Vacant, is_list

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_HANDLERS: Final[dict[str, Callable[[Request], Response]]] = {
    "OPTIONS": options.handle_options,
    "GET": get.handle_get,
    "HEAD": get.handle_get,
    "PROPFIND": propfind.handle_propfind,
    "REPORT": reports.handle_report,
    "PUT": put.handle_put,
    "DELETE": namespace.handle_delete,
    "MKCOL": namespace.handle_mkcol,
    "PROPPATCH": proppatch.handle_proppatch,
    "COPY": namespace.handle_copy,
    "MOVE": namespace.handle_move,
    "POST": post.handle_post,
    "ACL": acl.handle_acl,
    "LOCK": locks.handle_lock,
    "UNLOCK": locks.handle_unlock,
}
_HANDLERS_OF_FIXED: Final[dict[str, Callable[[Request, Fixed], Response]]] = {
    "OPTIONS": options.handle_options_of_fixed,
    "GET": get.handle_get_of_fixed,
    "HEAD": get.handle_get_of_fixed,
    "PROPPATCH": proppatch.handle_proppatch_of_fixed,
    "REPORT": reports.handle_report_of_fixed,
    "POST": delivering.handle_post,
    "DELETE": devices.handle_delete,
    "MOVE": devices.handle_move,
}
"""Handlers of fixed collections, where they differ."""
_HANDLERS_OF_LISTS: Final[dict[str, Callable[[Request, Fixed], Response]]] = {
    "PROPPATCH": lists.handle_proppatch,
    "DELETE": lists.handle_delete,
}
"""Handlers of lists, where they differ from those of other fixed collections."""
_MAKERS: Final[dict[tuple[str, ...], Callable[[Request, Vacant], Response]]] = {
    DEVICES: devices.handle_mkcol,
    LISTS: lists.handle_mkcol,
}
_HANDLERS_OF_VACANT: Final[dict[str, Callable[[Request, Vacant], Response]]] = {
    "OPTIONS": devices.handle_options_of_vacant,
    "MKCOL": lambda request, place: _MAKERS[place.collection](request, place),
}
"""Handlers of the URL of a device or a list that is not there."""
_HANDLERS_OF_PARTS: Final[dict[str, Callable[[Request, PartPath], Response]]] = {
    "OPTIONS": parts.handle_options,
    "GET": parts.handle_get,
    "HEAD": parts.handle_get,
    "PROPFIND": parts.handle_propfind,
    "COPY": parts.handle_copy,
    "PUT": parts.refuse_change,
    "DELETE": parts.refuse_change,
    "MOVE": parts.refuse_change,
}
"""Handlers of parts of messages; every other method is refused."""
_HANDLERS_OF_ADD: Final[dict[str, Callable[[Request, AddPath], Response]]] = {
    "OPTIONS": adding.handle_options,
    "POST": adding.handle_post,
}
"""Handlers of the place where members are added to a collection; every other method is refused."""
METHODS: Final = tuple(_HANDLERS)
"""Every method that some resource has when all functions are enabled."""
_NOWHERE: Final = frozenset({"PATCH"})
"""The method that this server knows of and that no resource has yet; any other one is unknown. To it come those of
functions that are switched off."""
_LINES: Final = {status: f"{status.value} {status.phrase}" for status in HTTPStatus}
_NO_LENGTH: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_WHOLE_BYTES: Final = 1 << 18
"""A body up to this size is read before the status leaves, so that a lost one is an error and not a cut answer."""


class Dispatch:
    """Answers one request of a principal."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._nowhere = _NOWHERE | offer_with(services.functions).methods_without

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hand the request to its handler, send the response, and report a listing to the gate.

        Raises:
            NotFound: the URL names nothing that this principal may know of, whatever the method.
            NotImplementedMethod, MethodNotAllowed, and the errors of the handler.
        """
        response = self._respond(environ)
        listed = response.listed
        if listed is not None:
            ask(environ)
        answer = _send(response, start_response, is_head=environ["REQUEST_METHOD"] == "HEAD")
        answered(environ, listed.token if listed else "", truncated=listed is not None and listed.truncated)
        return answer

    def _respond(self, environ: WSGIEnvironment) -> Response:
        method, place = environ["REQUEST_METHOD"], environ[PLACE]
        if place is None:
            raise NotFound("nothing that the asker may know of")
        if method not in _HANDLERS and method not in self._nowhere:
            raise NotImplementedMethod(method)
        request = Request(environ, place, self._services)
        if isinstance(place, PartPath):
            return _HANDLERS_OF_PARTS.get(method, parts.refuse_method)(request, place)
        if isinstance(place, Fixed) and method in _HANDLERS_OF_LISTS and is_list(place):
            return _HANDLERS_OF_LISTS[method](request, place)
        if isinstance(place, Fixed) and method in _HANDLERS_OF_FIXED:
            return _HANDLERS_OF_FIXED[method](request, place)
        if isinstance(place, AddPath):
            return _HANDLERS_OF_ADD.get(method, adding.refuse_method)(request, place)
        if method in self._nowhere:
            raise MethodNotAllowed
        if isinstance(place, Path):
            return _HANDLERS[method](request)
        if isinstance(place, Vacant):
            return _HANDLERS_OF_VACANT.get(method, devices.refuse_method)(request, place)
        return _HANDLERS[method](request)


def list_methods(functions: Functions) -> tuple[str, ...]:
    """Return every method that some resource has on a server with these functions."""
    without = offer_with(functions).methods_without
    return tuple([method for method in METHODS if method not in without])


def allowing(functions: Functions) -> Callable[[WSGIEnvironment], tuple[str, ...]]:
    """Return the function that finds the value of Allow for the place of a request that does not have the method."""
    allowed_at = offer_with(functions).allowed_at
    return lambda environ: allowed_at(environ.get(PLACE))


def _send(response: Response, start_response: StartResponse, *, is_head: bool) -> Iterable[bytes]:
    """Begin an answer, and return its body: none for HEAD, which has the headers of GET (RFC 9110 §9.3.2)."""
    status, headers, body, _ = response
    if isinstance(body, Spooled):
        body = body.spool()
    if not isinstance(body, bytes):
        length_bytes = body.length_bytes
        if is_head:
            body.close()
        elif length_bytes <= _WHOLE_BYTES:
            try:
                whole = b"".join(body)
            finally:
                body.close()
            body = whole
    else:
        length_bytes = len(body)
    if status not in _NO_LENGTH:
        headers = [*headers, ("Content-Length", str(length_bytes))]
    start_response(_LINES[status], headers)
    if is_head or not body:
        return []
    return [body] if isinstance(body, bytes) else body
