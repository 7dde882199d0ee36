"""Nobody gets past without credentials (RFC 7617, RFC 6750); who it is stands in the environ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from davstore.protocol.authorization import parse_authorization
from davstore.store.authenticating import Authenticator

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PRINCIPAL = "davstore.principal"
"""The key of the `Principal` in the environ."""


def now_us() -> int:
    """Return the time, in microseconds since the epoch."""
    return time.time_ns() // 1000


class Authentication:
    """Stands inside the boundary, which knows the client's address, and before everything that belongs to somebody."""

    def __init__(
        self,
        application: WSGIApplication,
        authenticator: Authenticator,
        *,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._application = application
        self._authenticator = authenticator
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Put the principal into the environ, its name too for the log, and take the secret out.

        Raises:
            Unauthenticated: no credentials, or not valid ones.
            Throttled: too many failures before.
        """
        credentials = parse_authorization(environ.pop("HTTP_AUTHORIZATION", None))
        principal = self._authenticator.authenticate(
            credentials, address=environ.get("REMOTE_ADDR", ""), now_us=self._clock()
        )
        device = principal.device
        environ[PRINCIPAL] = principal
        environ["REMOTE_USER"] = f"{principal.user.name}/{device.name}" if device else principal.user.name
        return self._application(environ, start_response)
