"""Authentication (RFC 7617, RFC 6750): a request without valid credentials ends here.

Each refusal of credentials is one warning, whose form `config/fail2ban/davstore.conf` relies on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from davstore.engine.context import now_us
from davstore.errors import DeviceSuspended, Unauthenticated
from davstore.middleware.access_log import REQUEST_ID, one_word
from davstore.model.principals import Service
from davstore.protocol.http.authorization import Basic, parse_authorization
from davstore.store.authenticating import Authenticator

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PRINCIPAL = "davstore.principal"
"""The key of the `Asker` in the environ."""

_LOGGED = 64
"""The most characters of a user's name in the log: guesses shall not fill the disk."""

log = logging.getLogger("davstore.auth")


class Authentication:
    """Stands inside the boundary, which knows the client's address, and before all handlers that need a principal."""

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
        """Put the asker into the environ, its name too for the log, and take the secret out.

        Raises:
            Unauthenticated: no credentials, or not valid ones.
            Throttled: too many failures before.
            DeviceSuspended: the secret is right, and more than OPTIONS is asked for.
        """
        sent, address, user = environ.pop("HTTP_AUTHORIZATION", None), environ.get("REMOTE_ADDR", ""), ""
        try:
            credentials = parse_authorization(sent)
            user = credentials.user[:_LOGGED] if isinstance(credentials, Basic) else ""
            principal = self._authenticator.authenticate(credentials, address=address, now_us=self._clock())
        except Unauthenticated as error:
            words = environ.get(REQUEST_ID), address, user
            if sent is not None:  # a browser asks without credentials first
                log.warning(
                    "%s sign-in refused: address=%s user=%s: %s", *(one_word(word or "-") for word in words), error
                )
            raise
        environ[PRINCIPAL] = principal
        if isinstance(principal, Service):
            environ["REMOTE_USER"] = f"service:{principal.name}"
            return self._application(environ, start_response)
        device = principal.device
        environ["REMOTE_USER"] = f"{principal.user.name}/{device.name}" if device else principal.user.name
        if device is not None and device.suspended and environ["REQUEST_METHOD"] != "OPTIONS":
            raise DeviceSuspended
        return self._application(environ, start_response)
