"""Requests from web pages and browser extensions of other origins: permitted ones (CORS), and refusals for the others.

An extension's origin is its own word, which no page can give (`chrome-extension://…`), so extensions may do what their
user may; pages of the web may when `web.allowed_origins` names theirs. They use the CORS protocol
(https://fetch.spec.whatwg.org/#http-cors-protocol). Pages of any other origin cannot change anything, and browsers let
them read no response.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from davstore.errors import CrossOrigin, ForeignDestination, Malformed
from davstore.model.origins import Origins
from davstore.protocol.dav.hrefs import parse_destination

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PERMITTED: Final = "davstore.permitted"
"""The key in the environ that is there when the request's origin is permitted."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
_MAX_AGE_SECONDS: Final = 7_200
"""The longest time that any browser keeps the answer to a preflight."""
_NAMES: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_EXPOSED: Final = ", ".join(
    (
        "Accept-Ranges",
        "Allow",
        "Content-Digest",
        "Content-Disposition",
        "Content-Location",
        "Content-Range",
        "DAV",
        "ETag",
        "Location",
        "Lock-Token",
        "OC-Checksum",
        "Preference-Applied",
        "Repr-Digest",
        "Retry-After",
        "WWW-Authenticate",
        "X-OC-Mtime",
        "X-Request-Id",
    )
)
"""Response headers that pages of permitted origins may read, beside those that CORS always allows."""

Headers = list[tuple[str, str]]


class OtherOrigins:
    """Stands outside the boundary: its refusals too are for the pages of permitted origins to read.

    methods are those that such pages may send.
    """

    def __init__(self, application: WSGIApplication, permitted: Origins, methods: Iterable[str]) -> None:
        self._application = application
        self._permitted = permitted
        self._methods = ", ".join(methods)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a preflight of a permitted origin, which has no credentials; pass on everything else."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not self._permitted.permits(origin):
            if not self._permitted.named:
                return self._application(environ, start_response)
            return self._application(environ, _adding([("Vary", "Origin")], start_response))
        environ[PERMITTED] = True
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if origin in self._permitted.named:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("204 No Content", [*headers, *self._preflight(environ)])
            return []
        headers.append(("Access-Control-Expose-Headers", _EXPOSED))
        return self._application(environ, _adding(headers, start_response))

    def _preflight(self, environ: WSGIEnvironment) -> Headers:
        headers = [
            ("Access-Control-Allow-Methods", self._methods),
            ("Access-Control-Max-Age", str(_MAX_AGE_SECONDS)),
        ]
        asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        if _NAMES.fullmatch(asked):
            headers += [("Access-Control-Allow-Headers", asked), ("Vary", "Access-Control-Request-Headers")]
        return headers


def _adding(more: Headers, start_response: StartResponse) -> StartResponse:
    def start(status: str, headers: Headers, exc_info: Any = None, /) -> Callable[[bytes], object]:
        return start_response(status, [*headers, *more], exc_info)

    return start


def refuse_other_origins(environ: WSGIEnvironment) -> None:
    """Let no page of another origin change anything with the credentials that a browser remembers.

    Raises:
        CrossOrigin: an unsafe method, and Sec-Fetch-Site or Origin name another place, which is not permitted.
    """
    if environ["REQUEST_METHOD"] in SAFE or PERMITTED in environ:
        return
    if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("same-origin", "none"):
        raise CrossOrigin("Sec-Fetch-Site")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        if "@" in origin:  # no origin has userinfo (RFC 6454 §6.2), which a Destination may have
            raise CrossOrigin("Origin")
        try:
            parse_destination(origin, host=environ.get("HTTP_HOST"))
        except (ForeignDestination, Malformed) as cause:
            raise CrossOrigin("Origin") from cause
