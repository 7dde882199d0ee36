"""The place that a request is about, found once: behind sign-in, before the gate and the handlers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from davstore.engine.rights import known_to, may_see
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import TARGET
from davstore.model.principals import Principal
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import Target
from davstore.protocol.http.queries import names_sub_resource
from davstore.protocol.urls import Place

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PLACE: Final = "davstore.place"
"""The key of the `Place` in the environ; None when the target names nothing that the asker may know of."""


class Places:
    """Puts the place into the environ. The dispatch raises NotFound for none, after it has looked at the method."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on."""
        environ[PLACE] = find_place(environ[TARGET], environ[PRINCIPAL])
        return self._application(environ, start_response)


def find_place(target: Target, asker: Principal) -> Place | None:
    """Return the place that a target names, if the asker may know of it."""
    if target.query and names_sub_resource(target.query):
        part = urls.find_part(target)
        return part if part is not None and may_see(asker, part.path) else None
    path = urls.find_path(target.segments)
    if path is None:
        return urls.find_fixed(target.segments, known_to(asker))
    return path if may_see(asker, path) else None
