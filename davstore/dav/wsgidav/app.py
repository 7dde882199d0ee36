"""WsgiDAV's application around our provider and our dispatch (`docs/architecture.md`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from wsgidav.wsgidav_app import WsgiDAVApp

from davstore.dav.dispatch import Dispatch
from davstore.dav.wsgidav.provider import StoreProvider
from davstore.engine.context import Services

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Application(WsgiDAVApp):  # type: ignore[misc]  # WsgiDAV has no types
    """WsgiDAV's application with one share, at the root of the server.

    Boundary and dispatch do for each request what its own call would: decode and check the path, and find the
    share. Its start_response is left out: that adds `Connection: close` to each 204 and 304.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hand the request to the middleware stack."""
        answer: Iterable[bytes] = self.application(environ, start_response)
        return answer


def build_dav(services: Services) -> WSGIApplication:
    """Build the application. It stands inside boundary, authentication and gate, whose keys it finds in the environ."""
    logging.getLogger("wsgidav").setLevel(logging.ERROR)  # it logs its configuration, and requests of its own handlers
    provider = StoreProvider(services)
    app: WSGIApplication = Application(
        {
            "provider_mapping": {"/": provider},
            "middleware_stack": [Dispatch(services)],
            "lock_storage": False,
            "property_manager": False,
            "http_authenticator": {"accept_basic": False, "accept_digest": False, "default_to_digest": False},
            "hotfixes": {"re_encode_path_info": False},  # the boundary has decoded it
            "logging": {"enable": False},
            "verbose": 0,
        }
    )
    return app
