"""The error boundary around the application: every request gets a response, and no response holds the text of an error.

Here the request target is parsed, once and from its raw form (ADR 20), pages of other origins are refused, and
errors become answers. A request that is refused here has not reached authentication.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from davstore.errors import DavstoreError, DiskFull
from davstore.middleware.access_log import REQUEST_ID
from davstore.middleware.errors import ErrorPage, Headers, is_failure, refuse
from davstore.middleware.forwarded import PREFIX, believe
from davstore.middleware.origins import refuse_other_origins
from davstore.model.networks import NOBODY, Networks
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import ROOT, Spelling, Target, parse_target
from davstore.protocol.http.accept import wants_html

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

TARGET = "davstore.target"
"""The key of the parsed `Target` in the environ."""

MOUNTS = "davstore.mounts"
"""The key of the `Mounts` in the environ, where the request is about what others opened to the asker."""

Pages = Callable[[HTTPStatus, str, int | None], tuple[Headers, bytes]]
"""Makes headers and body of an error for a person: from the status, the path to the files, seconds to wait."""

log = logging.getLogger("davstore.boundary")


class Boundary:
    """The wrapper that gives each request exactly one answer, whatever the application in it raises.

    realm goes into the challenge of a 401; proxies are believed; pages makes the error page for people in a browser;
    allowed returns the methods of the resource that a request is about, for a 405.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        realm: str,
        proxies: Networks = NOBODY,
        pages: Pages | None = None,
        allowed: Callable[[WSGIEnvironment], tuple[str, ...]] = lambda _environ: (),
    ) -> None:
        self._application = application
        self._realm = realm
        self._proxies = proxies
        self._pages = pages
        self._allowed = allowed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, whatever happens."""
        try:
            believe(environ, self._proxies)
            target = environ[TARGET] = _parse_target(environ)
            environ["PATH_INFO"] = f"/{'/'.join(target.segments)}{'/' if target.slash and target.segments else ''}"
            refuse_other_origins(environ)
            answer = self._application(environ, start_response)
            return answer if isinstance(answer, list) else _Answer(answer, environ)  # a list cannot fail any more
        except DavstoreError as error:
            return self._refuse(error, environ, start_response)
        except OSError as error:
            if error.errno in DiskFull.ERRNOS:
                return self._refuse(DiskFull(str(error)), environ, start_response)
            return self._fail(environ, start_response)
        except Exception:  # noqa: BLE001  the one place where nothing may pass
            return self._fail(environ, start_response)

    def _refuse(self, error: DavstoreError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_failure(error):
            return self._fail(environ, start_response)
        log.debug("%s refused: %r", environ.get(REQUEST_ID), error)
        return self._answer(error, environ, start_response)

    def _fail(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        log.exception("%s failed", environ.get(REQUEST_ID))
        return self._answer(DavstoreError(), environ, start_response)

    def _answer(self, error: DavstoreError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        spelling = Spelling(environ.get(TARGET, ROOT), environ.get(PREFIX, ROOT), environ.get(MOUNTS, ()))
        refusal = refuse(
            error,
            hrefs=lambda segments, slash: spelling.href(segments, slash=slash),
            allowed=self._allowed(environ),
            realm=self._realm,
            page=self._page(environ),
        )
        start_response(refusal.status, refusal.headers, sys.exc_info())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [refusal.body]

    def _page(self, environ: WSGIEnvironment) -> ErrorPage | None:
        """Return the maker of an error page, when a browser shows the answer."""
        if self._pages is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        if not wants_html(environ.get("HTTP_ACCEPT")):
            return None
        pages, home = self._pages, Spelling(prefix=environ.get(PREFIX, ROOT)).href(urls.HOME, slash=True)
        return lambda status, retry_after_seconds: pages(status, home, retry_after_seconds)


class _Answer:
    """The parts of an answer. An error after the first of them left can only break the connection."""

    def __init__(self, answer: Iterable[bytes], environ: WSGIEnvironment) -> None:
        """Read the first part: until then an error can still be the answer."""
        self._answer = answer
        self._environ = environ
        self._rest = iter(answer)
        try:
            self._first = next(self._rest, b"")
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        try:
            yield from self._rest
        except Exception:
            log.exception("%s broke off", self._environ.get(REQUEST_ID))
            raise

    def close(self) -> None:
        """Let the application clean up (PEP 3333)."""
        if hasattr(self._answer, "close"):
            self._answer.close()


def _parse_target(environ: WSGIEnvironment) -> Target:
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI", "")
    if raw == "*" and environ["REQUEST_METHOD"] == "OPTIONS":
        return ROOT
    return parse_target(raw)
