"""`/.well-known/davstore` redirects to the root of the tree, for every method and without credentials.

The form is RFC 8615's, the use that of RFC 6764 §5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from davstore.middleware.forwarded import PREFIX
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import Spelling

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class WellKnown:
    """Answers the one path and passes on the rest; stands inside the boundary, before authentication."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Redirect; 307 keeps the method, as PROPFIND needs."""
        if environ["PATH_INFO"].rstrip("/") != "/.well-known/davstore":
            return self._application(environ, start_response)
        root = Spelling(prefix=environ[PREFIX]).href(urls.HOME, slash=True)
        start_response("307 Temporary Redirect", [("Location", root), ("Content-Length", "0")])
        return []
