"""`/healthz`: this process answers. `/readyz`: it can also serve, as its check has found.

Both need no credentials and show nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from davstore.errors import MethodNotAllowed

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Health:
    """Answers the two paths and passes on the rest; stands inside the boundary, before authentication.

    check returns when the store can serve and raises `Unavailable` when not.
    """

    def __init__(self, application: WSGIApplication, check: Callable[[], None]) -> None:
        self._application = application
        self._checks = {"/healthz": lambda: None, "/readyz": check}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer 200 with `ok`.

        Raises:
            MethodNotAllowed: neither GET nor HEAD.
            Unavailable: the check of `/readyz` failed.
        """
        check = self._checks.get(environ["PATH_INFO"])
        if check is None:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(("GET", "HEAD"))
        check()
        body = b"ok\n"
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response("200 OK", headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []
