"""`app` for another WSGI server: `DAVSTORE_CONFIG=davstore.toml gunicorn -k gthread davstore.wsgi:app`.

The store must be there: `davstore serve` has run on the data directory once. `davstore serve` frames requests more
strictly than other servers do.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from davstore.errors import Malformed
from davstore.settings import load_settings
from davstore.wiring import build_application, tell_policy

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


try:
    from gunicorn.http.errors import ParseException
except ImportError:
    ParseException = OSError


class _Body:
    """A request body that is cut or misframed in our words, and with what follows it never taken for a request."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._source: Any = environ["wsgi.input"]
        self._socket: socket.socket | None = environ.get("gunicorn.socket")

    def read(self, size: int = -1) -> bytes:
        """Return up to size bytes. Raises Malformed."""
        try:
            data: bytes = self._source.read(size)
        except (OSError, ParseException) as cause:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RD)
            raise Malformed("the body broke off") from cause
        return data


_file = os.environ.get("DAVSTORE_CONFIG")
_settings = load_settings(Path(_file) if _file else None)
tell_policy(_settings)
_application = build_application(_settings)


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    environ["wsgi.input"] = _Body(environ)
    return _application(environ, start_response)
