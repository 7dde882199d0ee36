"""The policy document of a URL, fetched: once, or into the copy that all processes read.

The operator names the URL, and so vouches for its address. A redirect is the word of its server: it leads to public
addresses only, or back to the same origin. Connections are made to the very addresses that were looked at, and so never
through a proxy (docs/adr/0034-the-policy-of-a-url-is-copied.md).
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from http.client import HTTPException
from pathlib import Path
from typing import Final, NamedTuple

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from davstore.errors import BadSettings, Unavailable
from davstore.model.rules import Rule
from davstore.model.web_urls import WebUrl
from davstore.rule_sources.url import FETCH_SECONDS, FILE, Copy, Source, find_copy, parse_document, write_copy
from davstore.toml_lines import decode

MAX_DOCUMENT_BYTES: Final = 1 << 20
REDIRECTS: Final = 3
_REDIRECTING: Final = (301, 302, 303, 307, 308)
_STEP_SECONDS: Final = 10.0
"""The longest wait for a connection, and for the next bytes."""
_BLOCK_BYTES: Final = 1 << 16
_ETAG: Final = re.compile(r'(?:W/)?"[!#-~\x80-\xff]{0,1000}"')

log = logging.getLogger("davstore.policy")
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warnings show the query, which may be a secret


class Document(NamedTuple):
    """A document as it came, and its ETag, '' where it has none."""

    content: bytes
    etag: str


def fetch_rules(url: WebUrl) -> tuple[Rule, ...]:
    """Fetch the rules once. Raises as `fetch`; BadSettings also names line and key of a wrong document."""
    document = fetch(url)
    assert document is not None  # noqa: S101  it was asked for without an ETag
    return parse_document(decode(document.content, url.shown), url.shown)


class Refresher:
    """Brings the copy of a source up to date."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._told: str | None = None

    def refresh(self) -> bool:
        """Ask once; return whether there was an answer, be it a broken document. What changes is logged."""
        source, known = self._source, find_copy(self._source) or Copy()
        try:
            new = self._ask(known)
            write_copy(source, new)
        except (Unavailable, OSError) as error:
            reason = f"{source.directory / FILE}: {error.strerror}" if isinstance(error, OSError) else error
            self._tell(f"{reason}; {self._consequence(known)}")
            return False
        if new.problem:
            kept = "no device may synchronise" if new.document is None else "the last good rules stay in force"
            self._tell(f"{new.problem}; {kept}")
        elif self._told != "" or new.document != known.document:
            rules = parse_document(new.document or "", source.url.shown)
            log.info("%s: %d rules in force", source.url.shown, len(rules))
            self._told = ""
        return True

    def _ask(self, known: Copy) -> Copy:
        url = self._source.url
        try:
            document = fetch(url, known.etag)
            if document is None:
                return known._replace(answered=time.time(), problem="")
            text = decode(document.content, url.shown)
            parse_document(text, url.shown)
            return Copy(text, document.etag, time.time())
        except BadSettings as error:
            return known._replace(answered=time.time(), problem=str(error))

    def _consequence(self, known: Copy) -> str:
        if known.document is None:
            return "there are no rules, and no device may synchronise"
        if not self._source.refuses:
            return "the last known rules stay in force"
        if self._source.is_away(known, time.time()):
            return "no device may synchronise until it answers"
        return f"{self._source.away_seconds:.0f} s after its last answer no device may synchronise"

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            log.error(trouble)
        self._told = trouble


def fetch(url: WebUrl, etag: str = "", *, seconds: float = FETCH_SECONDS) -> Document | None:
    """Fetch a document; None: it still has the ETag. All of it takes so many seconds at most.

    Raises:
        Unavailable: there is no answer, or none that counts. BadSettings: the document is too long.
    """
    deadline, hop = time.monotonic() + seconds, url
    for _ in range(1 + REDIRECTS):
        try:
            answer = _exchange(hop, url, etag, deadline)
        except (HTTPError, HTTPException, OSError) as error:
            late = time.monotonic() >= deadline
            reason = f"took longer than {seconds:.0f} s" if late else _describe(error)
            raise Unavailable(f"{hop.shown}: {reason}") from error
        if not isinstance(answer, WebUrl):
            return answer
        hop = answer
    raise Unavailable(f"{url.shown}: more than {REDIRECTS} redirects")


def _exchange(hop: WebUrl, url: WebUrl, etag: str, deadline: float) -> Document | WebUrl | None:
    """Ask one server; return the document, None for one that has the ETag, or the URL that it redirects to."""
    headers = {"Host": hop.authority, "Accept-Encoding": "identity", "User-Agent": "davstore"}
    if etag:
        headers["If-None-Match"] = etag
    if hop.origin == url.origin and url.user is not None:
        headers["Authorization"] = f"Basic {b64encode(f'{url.user}:{url.password}'.encode()).decode()}"
    connection = _connect(hop, find_addresses(hop, url), deadline)
    watch = threading.Timer(max(deadline - time.monotonic(), 0), _break, [connection.sock])
    watch.daemon = True
    watch.start()
    try:
        connection.request("GET", hop.target, headers=headers, preload_content=False, decode_content=False)
        with contextlib.closing(connection.getresponse()) as response:
            _require_time(deadline)  # the head of a connection that was cut counts as one
            answer = _judge(hop, response, etag)
            _require_time(deadline)
            return answer
    finally:
        watch.cancel()
        connection.close()


def _judge(hop: WebUrl, response: BaseHTTPResponse, etag: str) -> Document | WebUrl | None:
    if response.status in _REDIRECTING:
        return _join(hop, response.headers.get("Location", ""))
    if response.status == requests.codes.not_modified and etag:
        return None
    if response.status != requests.codes.ok:
        raise Unavailable(f"{hop.shown}: answered {response.status}")
    etag = response.headers.get("ETag", "")
    return Document(_read(hop, response), etag if _ETAG.fullmatch(etag) else "")


def _join(hop: WebUrl, location: str) -> WebUrl:
    try:
        return hop.join(location)
    except ValueError as error:
        raise Unavailable(f"{hop.shown}: it redirects to a URL that is refused: {error}") from error


def find_addresses(hop: WebUrl, url: WebUrl) -> list[str]:
    """Return the addresses of a host. Raises Unavailable: one of them is not to be asked."""
    try:
        found = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{hop.shown}: its name is not known") from error
    addresses = list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))
    for address in addresses:
        is_loopback = ipaddress.ip_address(address).is_loopback
        if hop.scheme == "http" and not is_loopback:
            raise Unavailable(f"{hop.shown}: http is for this machine only, and {address} is another one")
        may_ask = hop.origin == url.origin or is_public(address) or (url.is_loopback and is_loopback)
        if not may_ask:
            raise Unavailable(f"{url.shown}: it redirects to {hop.shown}, whose address {address} is not public")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an address is one of the Internet: no private, local, multicast or reserved one."""
    parsed = ipaddress.ip_address(address)
    inner = parsed.sixtofour if isinstance(parsed, ipaddress.IPv6Address) else None
    return all(one.is_global and not one.is_multicast for one in (parsed, inner) if one is not None)


def _connect(hop: WebUrl, addresses: list[str], deadline: float) -> HTTPConnection:
    """Connect to the first address that answers; a certificate has to be that of the host."""
    failure: Exception = OSError()
    for address in addresses:
        _require_time(deadline)
        timeout = min(_STEP_SECONDS, deadline - time.monotonic())
        connection = _build(hop, address, timeout)
        try:
            connection.connect()
        except (HTTPError, OSError) as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _build(hop: WebUrl, address: str, timeout: float) -> HTTPConnection:
    if hop.scheme == "http":
        return HTTPConnection(address, hop.port, timeout=timeout)
    authorities = os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    is_directory = Path(authorities).is_dir()
    try:
        context = ssl.create_default_context(
            cafile=None if is_directory else authorities, capath=authorities if is_directory else None
        )
    except OSError as error:
        raise Unavailable(f"{hop.shown}: {authorities} holds no certificates to trust") from error
    return HTTPSConnection(address, hop.port, timeout=timeout, ssl_context=context, server_hostname=hop.host)


def _break(connected: socket.socket) -> None:
    """End a connection that another thread reads from, beneath its TLS."""
    with contextlib.suppress(OSError):  # it has ended
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _read(hop: WebUrl, response: BaseHTTPResponse) -> bytes:
    """Return the body. One that could end anywhere unnoticed is no document: rules would be missing."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unavailable(f"{hop.shown}: the document is compressed, which was not asked for")
    if response.length_remaining is None and not response.chunked:
        raise Unavailable(f"{hop.shown}: the answer has no length")
    content = bytearray()
    while part := response.read1(_BLOCK_BYTES):
        content += part
        if len(content) > MAX_DOCUMENT_BYTES:
            raise BadSettings(f"{hop.shown}: the document is longer than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(content)


def _require_time(deadline: float) -> None:
    if time.monotonic() >= deadline:
        raise TimeoutError


def _describe(error: BaseException) -> str:
    """Return the words of the system for a connection that failed: those of the library name its objects."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return "the answer is not HTTP, or broke off"
    return str(getattr(cause, "verify_message", "") or cause.strerror or cause).lower()
