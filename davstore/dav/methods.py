"""Our dispatch, in the place of WsgiDAV's: one handler for each method (ARCHITECTURE.md, "WsgiDAV")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from wsgidav.dav_provider import DAVProvider
from wsgidav.request_server import RequestServer

from davstore.dav import locks, reading, writing
from davstore.dav.places import ALLOWED, ALLOWED_ROOT, Fixed, Kind
from davstore.dav.request import Request
from davstore.engine.context import Services
from davstore.errors import AlreadyExists, Locked, MethodNotAllowed, NotImplementedMethod

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HANDLERS: Final[dict[str, Callable[[Request], Iterable[bytes]]]] = {
    "OPTIONS": reading.handle_options,
    "GET": reading.handle_get,
    "HEAD": reading.handle_get,
    "PROPFIND": reading.handle_propfind,
    "REPORT": reading.handle_report,
    "PUT": writing.handle_put,
    "DELETE": writing.handle_delete,
    "MKCOL": writing.handle_mkcol,
    "PROPPATCH": writing.handle_proppatch,
    "COPY": writing.handle_copy,
    "MOVE": writing.handle_move,
    "LOCK": locks.handle_lock,
    "UNLOCK": locks.handle_unlock,
}
_NOWHERE: Final = frozenset({"POST", "PATCH"})
"""Methods that this server knows of and that no resource has yet; any other one is unknown."""


class Methods(RequestServer):  # type: ignore[misc]  # WsgiDAV has no types
    """Answers one request of a principal, through the server's own start_response (DECISIONS 4)."""

    def __init__(self, provider: DAVProvider, services: Services) -> None:
        super().__init__(provider)
        self._services = services

    def __call__(self, environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        """Hand the request to its handler.

        Raises:
            NotFound: the URL names nothing that this principal may know of, whatever the method.
            NotImplementedMethod, MethodNotAllowed, and whatever the handler raises.
        """
        method = environ["REQUEST_METHOD"]
        handler = HANDLERS.get(method)
        if handler is None and method not in _NOWHERE:
            raise NotImplementedMethod(method)
        request = Request.of(environ, self._services)
        if handler is None:
            raise MethodNotAllowed(_allowed(request))
        try:
            return handler(request)
        except Locked as error:
            return locks.handle_locked(request, error)
        except (AlreadyExists, MethodNotAllowed) as error:
            if getattr(error, "allowed", ()):
                raise
            raise MethodNotAllowed(_allowed(request)) from error


def _allowed(request: Request) -> tuple[str, ...]:
    """Return what can be done with what is there; of a store's URL, what can be done with every resource."""
    place = request.place
    if isinstance(place, Fixed):
        return ALLOWED[place.kind]
    return ALLOWED[Kind.COLLECTION] if place.names else ALLOWED_ROOT
