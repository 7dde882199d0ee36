"""The connections to the server: proxies and certificates as the environment says, one pool.

`requests` finds proxy and certificates once; its pool then takes each request as it is, for several threads. Its
further work on each request (cookies, redirects, the environment again) is no use here and takes longer than the rest.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import exceptions

from davstore.client.exit_status import USAGE, Stop

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 120

Response = urllib3.BaseHTTPResponse
HTTPError = exceptions.HTTPError
"""The connection broke, or the bytes that came are no HTTP."""
ProtocolError = exceptions.ProtocolError
"""An `HTTPError` for a response that is not as its head says."""


class Transport(HTTPAdapter):
    """The way to one origin. Redirects are answers like others, nothing is sent twice, no content is decoded."""

    def __init__(self, origin: str, headers: Mapping[str, str], *, at_once: int) -> None:
        """Take the headers of every request. at_once is the number of connections that are kept.

        Raises:
            Stop: (usage) the environment names a proxy or certificates that cannot be used.
        """
        super().__init__(pool_connections=1, pool_maxsize=at_once)
        self._headers = dict(headers)
        self._timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        try:
            with requests.Session() as session:
                way = session.merge_environment_settings(origin, {}, stream=True, verify=None, cert=None)
            request = requests.Request("GET", f"{origin}/").prepare()
            self._pool: Any = self.get_connection_with_tls_context(request, way["verify"], way["proxies"], way["cert"])
            self.cert_verify(self._pool, origin, way["verify"], way["cert"])  # type: ignore[no-untyped-call]
            self._prefix = self.request_url(request, way["proxies"])[:-1]
        except (requests.RequestException, OSError, HTTPError, ValueError) as cause:
            raise Stop(
                USAGE, f"the proxy or CA file in the environment cannot be used for {origin}: {cause}"
            ) from cause

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: Any) -> Response:
        """Send a request and return the answer when its head is there. Raises HTTPError."""
        response: Response = self._pool.urlopen(
            method,
            self._prefix + target,
            body=body,
            headers={**self._headers, **headers},
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )
        return response


def describe(error: Exception) -> str:
    """Say in a few words why there is no whole answer, without the names of a program's parts."""
    causes = _causes(error)
    words = next(
        (text for kind in _REASONS for cause in causes if (text := _word(kind, cause))), "the connection broke"
    )
    through = any(isinstance(cause, exceptions.ProxyError) for cause in causes)
    return f"its proxy: {words}" if through else words


def _causes(error: Exception) -> list[BaseException]:
    """Return all that was raised on the way to an error: libraries wrap one in the other in several ways."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and not any(cause is one for one in found):
            found.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return found


_REASONS: Final[dict[type[BaseException], str]] = {
    ssl.SSLCertVerificationError: "its certificate is not accepted",
    ssl.SSLError: "it does not speak TLS",
    socket.gaierror: "its name is not known",
    exceptions.ReadTimeoutError: f"no answer within {READ_SECONDS} s",
    TimeoutError: f"no connection within {CONNECT_SECONDS} s",
    OSError: "",
}
"""The most specific cause first; an OSError has its own text."""


def _word(kind: type[BaseException], cause: BaseException) -> str:
    if not isinstance(cause, kind):
        return ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{_REASONS[kind]}: {cause.verify_message}"
    return _REASONS[kind] or (cause.strerror or "").lower() if isinstance(cause, OSError) else _REASONS[kind]


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine (RFC 6761 §6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
