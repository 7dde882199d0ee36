"""Our dispatch, in the place of WsgiDAV's: one handler for each method (ARCHITECTURE.md, "WsgiDAV")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from wsgidav.dav_provider import DAVProvider
from wsgidav.request_server import RequestServer

from davstore.dav import locks, reading, writing
from davstore.dav.places import ALLOWED, ALLOWED_ROOT, Fixed, Kind
from davstore.dav.request import Backend, Request
from davstore.errors import AlreadyExists, Locked, MethodNotAllowed, NotImplementedMethod

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HANDLERS: Final[dict[str, Callable[[Request], Iterable[bytes]]]] = {
    "OPTIONS": reading.answer_options,
    "GET": reading.answer_get,
    "HEAD": reading.answer_get,
    "PROPFIND": reading.answer_propfind,
    "REPORT": reading.answer_report,
    "PUT": writing.answer_put,
    "DELETE": writing.answer_delete,
    "MKCOL": writing.answer_mkcol,
    "PROPPATCH": writing.answer_proppatch,
    "COPY": writing.answer_copy,
    "MOVE": writing.answer_move,
    "LOCK": locks.answer_lock,
    "UNLOCK": locks.answer_unlock,
}
_NOWHERE: Final = frozenset({"POST", "PATCH"})
"""Methods that this server knows of and that no resource has yet; any other one is unknown."""


class Methods(RequestServer):  # type: ignore[misc]  # WsgiDAV has no types
    """Answers one request of a principal, through the server's own start_response (DECISIONS 4)."""

    def __init__(self, provider: DAVProvider, backend: Backend) -> None:
        super().__init__(provider)
        self._backend = backend

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
        request = Request.of(environ, self._backend)
        if handler is None:
            raise MethodNotAllowed(_allowed(request))
        try:
            return handler(request)
        except Locked as error:
            return locks.answer_locked(request, error)
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
