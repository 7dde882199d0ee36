"""`app` for another WSGI server: `DAVSTORE_CONFIG=davstore.toml gunicorn -k gthread davstore.wsgi:app`.

The store has to be there: `davstore init` makes it. `davstore serve` frames requests more strictly than other servers
do. The log goes to standard error, as that of `davstore serve` does, unless the server has set up logging; of all
processes that serve a data directory one does the jobs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from davstore.application_wiring import build_application
from davstore.errors import DavstoreError, Malformed
from davstore.jobs.bell import Bell
from davstore.settings import Settings, load_settings
from davstore.wiring import enter_storage, log_policy, open_jobs

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


try:
    from gunicorn.http.errors import ParseException
except ImportError:
    ParseException = OSError


class _Body:
    """A request body whose errors are davstore's; the bytes behind a broken one are never taken for a request."""

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


_PAUSE_SECONDS = 30
"""Time until the jobs are begun again when their lock could not be had."""
_log = logging.getLogger("davstore.jobs")
_NOT_TO_BE_TRIED_AGAIN = 4
"""The status with which a worker ends: after any other one gunicorn starts it anew, for ever."""


def _build() -> tuple[Settings, WSGIApplication]:
    """Build the application; an error that keeps it from serving is one line, as for a command."""
    os.umask(0o077)
    file = os.environ.get("DAVSTORE_CONFIG")
    try:
        settings = load_settings(Path(file) if file else None)
        enter_storage(settings).database.close()
        log_policy(settings)
        return settings, build_application(settings, wake=_bell.ring)
    except (DavstoreError, OSError) as error:
        sys.stderr.write(f"davstore: {error}\n")
        raise SystemExit(_NOT_TO_BE_TRIED_AGAIN) from error


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
_bell = Bell()
_settings, _application = _build()
_working: set[int] = set()
"""The process whose thread was started: a server may fork after it has loaded this module, without its threads."""


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    if os.getpid() not in _working:
        _working.add(os.getpid())
        threading.Thread(target=_do_jobs, daemon=True).start()
    environ["wsgi.input"] = _Body(environ)
    return _application(environ, start_response)


def _do_jobs() -> None:
    """Do the jobs while no other process does; when that one ends, the next takes its place."""
    while True:
        try:
            with open_jobs(_settings, _bell) as runner:
                runner.run(threading.Event())
        except (DavstoreError, OSError) as error:
            _log.error("no jobs for %d s: %s", _PAUSE_SECONDS, error)
            time.sleep(_PAUSE_SECONDS)
