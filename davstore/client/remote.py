"""The collection on the server, spoken to in the verbs of RFC 4918 and RFC 6578.

Every write has a condition, so that sending it again after a broken connection does no harm: what a lost answer left
open is found out by the next report. Entity tags and sync tokens are opaque.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

import requests

from davstore.client.multistatus import Report, Row, read_report
from davstore.client.refusals import explain, find_refusal
from davstore.client.stops import NETWORK, UNAUTHENTICATED, USAGE, Changed, NotDone, Stop
from davstore.errors import Malformed
from davstore.protocol import hrefs

TIMEOUT_SECONDS: Final = (10, 120)
RETRY_SECONDS: Final = (0.2, 1.0, 3.0)
PATIENCE_SECONDS: Final = 60.0
"""How long a run waits in all for a server that asks to come again and gives no policy as the reason."""
CHUNK_BYTES: Final = 256 * 1024

PROPERTIES: Final = "<D:prop><D:resourcetype/><D:getetag/><D:getcontentlength/><D:resource-id/></D:prop>"
REPORT_BODY: Final = (
    '<?xml version="1.0" encoding="utf-8"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
    "<D:sync-level>{level}</D:sync-level>" + PROPERTIES + "</D:sync-collection>"
)
PROPFIND_BODY: Final = (
    b'<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:sync-token/>'
    b"<D:resource-id/></D:prop></D:propfind>"
)
XML_TYPE: Final = {"Content-Type": 'application/xml; charset="utf-8"'}

Answer = TypeVar("Answer")
Body = bytes | Callable[[], Any] | None
"""A body, or what opens a fresh one for each attempt."""


class Failed(NotDone):
    """The server answered with an error. status is the answer's, conditions the children of its `D:error`."""

    def __init__(self, status: int, conditions: frozenset[str], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.conditions = conditions


class Remote:
    """One collection of one server, for several threads."""

    def __init__(
        self, url: str, credentials: tuple[str, str], *, mode: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Take the URL of the collection. mode is 'automatic' or 'manual' (Sync-Context).

        Raises:
            Stop: (usage) the URL is none that can be synchronised.
        """
        try:
            parts = urlsplit(url)
            is_fit = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
        except ValueError:
            is_fit = False
        if not is_fit or parts.query or parts.fragment:
            raise Stop(USAGE, f"{url} is not an http or https URL of a collection")
        if parts.username is not None:
            raise Stop(USAGE, "credentials do not belong into the URL: use --user and --password-file")
        try:
            self._root = hrefs.parse_target(parts.path or "/").segments
        except Malformed as cause:
            raise Stop(USAGE, f"{url}: {cause}") from cause
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._credentials = tuple(word.encode() for word in credentials)
        self._headers = {
            "User-Agent": f"davstore-sync/{version('davstore')}",
            "Accept-Encoding": "identity",
            "Sync-Context": f"mode={mode}",
        }
        self._pause = pause
        self._patience = PATIENCE_SECONDS
        self._local = threading.local()

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether password and files would go to another machine unencrypted."""
        parts = urlsplit(self._origin)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")

    @property
    def url(self) -> str:
        """The URL of the collection, spelled one way only."""
        return self._origin + self.href("", folder=True)

    def href(self, path: str, *, folder: bool) -> str:
        """Return the absolute path that names path on the server."""
        return hrefs.render_href((*self._root, *filter(None, path.split("/"))), folder)

    def path(self, href: str) -> str | None:
        """Return the path that an href of an answer names, None for a name that no folder can hold.

        Raises:
            Stop: (usage) the href is outside the collection: the server does not know what it is called here.
        """
        path = href if href.startswith("/") else urlsplit(href).path
        segments = [unquote_to_bytes(segment) for segment in path.strip("/").split("/") if path.strip("/")]
        inner = segments[len(self._root) :]
        if segments[: len(self._root)] != [name.encode() for name in self._root]:
            raise Stop(
                USAGE,
                f"the server tells of {href}, which is not in {self.url}: it does not know the address that it is "
                "reached at. Behind a proxy, see server.trusted_proxies in its settings",
            )
        try:
            names = [name.decode() for name in inner]
        except UnicodeDecodeError:
            return None
        return None if any(map(_is_no_name, names)) else "/".join(names)

    # The verbs

    def report(self, path: str, token: str, *, infinite: bool) -> Report:
        """Ask what changed in the collection at path since token; '' asks for everything (RFC 6578 §3.2).

        Raises:
            Failed: refused; a token too old or of another collection is `{DAV:}valid-sync-token` in conditions.
            Stop: the network, the credentials, the policy.
        """
        body = REPORT_BODY.format(token=_escape(token), level="infinite" if infinite else "1").encode()
        return self._multistatus("REPORT", path, {"Depth": "0"}, body)

    def find_sync_token(self, path: str) -> str | None:
        """Return the present sync token of the collection at path, None when it has none (RFC 6578 §4)."""
        return next((row.sync_token for row in self._find_rows(path, "0") or () if row.sync_token), None)

    def find_resource_id(self) -> str:
        """Return the `DAV:resource-id` of the collection itself (RFC 5842 §3.1), '' when it has none."""
        try:
            rows = self._multistatus("PROPFIND", "", {"Depth": "0"}, PROPFIND_BODY).rows
        except Failed as cause:
            raise Stop(NETWORK, f"{self.url} does not tell what it is: {cause}") from cause
        return next((row.resource_id for row in rows if row.resource_id), "")

    def find_empty(self, path: str) -> str | None:
        """Return the sync token of a collection that has no members, '' when it has none; None for any other."""
        rows = self._find_rows(path, "1")
        if rows is None or not all(row.folder and self.path(row.href) == path for row in rows):
            return None
        return next((row.sync_token for row in rows), "")

    def _find_rows(self, path: str, depth: str) -> list[Row] | None:
        """Return what PROPFIND tells; None when it is refused, or a rule wants the device to come later with that."""
        try:
            return self._multistatus("PROPFIND", path, {"Depth": depth}, PROPFIND_BODY).rows
        except Failed:
            return None
        except Stop as stop:
            if stop.retry_after_seconds is None:
                raise
            return None

    def _multistatus(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        def read(response: requests.Response) -> Report:
            if response.status_code != 207:
                raise Stop(USAGE, f"{method} of {response.url} was answered {response.status_code}: no WebDAV there")
            return read_report(response.iter_content(CHUNK_BYTES))

        return self._send(method, path, {**headers, **XML_TYPE}, body, folder=True, read=read)

    @contextmanager
    def get(self, path: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open the file at path: its entity tag ('' when the answer has none) and its chunks, verified to be whole."""
        response = self._attempts("GET", path, {}, None, folder=False)
        try:
            yield _etag(response), _whole(response)
        finally:
            response.close()

    def put(self, path: str, body: Body, *, etag: str | None) -> str:
        """Write a file over the one with this entity tag, None where there must be none. Return the new tag or ''."""
        condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        headers = {"Content-Type": "application/octet-stream", **condition}
        return self._send("PUT", path, headers, body, folder=False, read=_etag)

    def make(self, path: str) -> None:
        """Make a collection where nothing is."""
        self._send("MKCOL", path, {}, None, folder=True, read=_nothing)

    def delete(self, path: str, *, folder: bool, etag: str | None = None, token: str | None = None) -> None:
        """Remove what is at path if it still has this entity tag, or this sync token (RFC 6578 §5)."""
        self._send("DELETE", path, self._conditions(path, etag, token), None, folder=folder, read=_nothing)

    def move(
        self, source: str, target: str, *, folder: bool, etag: str | None = None, token: str | None = None
    ) -> None:
        """Give what is at source its place at target, where nothing may be, on the conditions of `delete`."""
        destination = {"Destination": self._origin + self.href(target, folder=folder), "Overwrite": "F"}
        headers = {**destination, **self._conditions(source, etag, token)}
        self._send("MOVE", source, headers, None, folder=folder, read=_nothing)

    def _conditions(self, path: str, etag: str | None, token: str | None) -> dict[str, str]:
        headers = {} if etag is None else {"If-Match": etag}
        return headers if token is None else {**headers, "If": f"<{self.href(path, folder=True)}> (<{token}>)"}

    # Sending

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Body,
        *,
        folder: bool,
        read: Callable[[requests.Response], Answer],
    ) -> Answer:
        response = self._attempts(method, path, headers, body, folder=folder)
        try:
            return read(response)
        except (requests.RequestException, Malformed) as cause:
            raise Stop(NETWORK, f"{method} {response.url}: {cause}") from cause
        finally:
            response.close()

    def _attempts(
        self, method: str, path: str, headers: Mapping[str, str], body: Body, *, folder: bool
    ) -> requests.Response:
        """Send until there is an answer that is not 'come again'. Return it if it is a success.

        Raises:
            Changed: 404, 405, 409, 412: the server is not as it was told.
            Failed: any other error. Stop: the network, the credentials, the policy.
        """
        url, failures = self._origin + self.href(path, folder=folder), 0
        while True:
            try:
                response = self._session().request(
                    method,
                    url,
                    headers=dict(headers),
                    data=body() if callable(body) else body,
                    stream=True,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
            except requests.RequestException as cause:
                if failures == len(RETRY_SECONDS):
                    raise Stop(NETWORK, f"the server cannot be reached: {method} {url}: {cause}") from cause
                self._pause(RETRY_SECONDS[failures])
                failures += 1
                continue
            # A member that is locked, or kept for another reason, is told so (RFC 4918 §9.6.1).
            partly = response.status_code == 207 and method not in ("REPORT", "PROPFIND")
            if response.ok and not response.is_redirect and not partly:
                return response
            with response:
                self._fail(method, url, response)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = self._credentials  # type: ignore[assignment]  # bytes go out as they are: UTF-8
            session.headers.update(self._headers)
        return session

    def _fail(self, method: str, url: str, response: requests.Response) -> None:
        """Raise what an error answer means; return when the request should be sent again."""
        status = response.status_code
        conditions, refusal = find_refusal(response)
        if status == 401:
            raise Stop(UNAUTHENTICATED, "the server does not accept the user or the password")
        if refusal is not None:
            raise explain(refusal, response)
        if response.is_redirect:
            raise Stop(USAGE, f"{url} is at {response.headers.get('Location')} now")
        if status in (429, 503):
            self._wait(response)
            return
        if status in (404, 405, 409, 412) and method not in ("REPORT", "PROPFIND"):
            raise Changed(f"{method} was answered {status}")
        named = f" ({', '.join(sorted(conditions))})" if conditions else ""
        raise Failed(status, conditions, f"{method} was answered {status} {response.reason}{named}")

    def _wait(self, response: requests.Response) -> None:
        seconds = retry_after(response)
        if seconds > self._patience:
            raise Stop(NETWORK, f"the server is busy: {response.status_code}", retry_after_seconds=seconds)
        self._patience -= seconds
        self._pause(seconds)


def _nothing(response: requests.Response) -> None:
    """Take the body of an answer that means nothing, so that the connection can be used again."""
    for _ in response.iter_content(CHUNK_BYTES):
        pass


def _etag(response: requests.Response) -> str:
    """Return the strong entity tag of an answer, or ''. A weak one does not tell that content is the same."""
    _ = response.content if response.request.method == "PUT" else b""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine (RFC 6761 §6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_no_name(name: str) -> bool:
    return name in ("", ".", "..") or "/" in name or "\0" in name


def retry_after(response: requests.Response) -> float:
    """Return for how many seconds the server asks to stay away; a date or nothing counts as five."""
    value = response.headers.get("Retry-After", "")
    return max(0.1, float(value)) if value.isascii() and value.isdigit() else 5.0


def _whole(response: requests.Response) -> Iterator[bytes]:
    """Yield the body and make sure that nothing is missing (RFC 9112 §8)."""
    expected, got = response.headers.get("Content-Length"), 0
    try:
        for chunk in response.iter_content(CHUNK_BYTES):
            got += len(chunk)
            yield chunk
    except requests.RequestException as cause:
        raise Stop(NETWORK, f"the download of {response.url} was cut short: {cause}") from cause
    if expected is not None and int(expected) != got:
        raise Stop(NETWORK, f"the download of {response.url} has {got} bytes instead of {expected}")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
