"""The collection on the server, spoken to in the verbs of RFC 4918 and RFC 6578.

Every write has a condition, so that sending it again after a broken connection does no harm: the next report shows
whether a write whose response was lost was done. Entity tags and sync tokens are opaque.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from davstore.client import questions
from davstore.client.download import (
    BrokenOffError,
    Fetched,
    Sink,
    find_etag,
    find_modified,
    goes_on,
    range_after,
    receive,
)
from davstore.client.exit_status import NETWORK, UNAUTHENTICATED, USAGE, Changed, NotDone, Stop
from davstore.client.multistatus import Report, Row, read_report
from davstore.client.refusals import describe, explain, find_refusal, retry_after
from davstore.client.transport import HTTPError, Response, Transport, is_loopback
from davstore.client.transport import describe as describe_break
from davstore.errors import Malformed
from davstore.model.limits import BLOCK_BYTES
from davstore.model.states import StateChange
from davstore.protocol.dav import hrefs
from davstore.protocol.http import sync_context
from davstore.protocol.http.sync_context import SyncContext

REQUESTS_AT_ONCE: Final = 8
"""Enough to share one flush of the server's disk, few enough that no proxy takes them for an attack."""
RETRY_SECONDS: Final = (0.2, 1.0, 3.0)
PATIENCE_SECONDS: Final = 60.0
"""How long a run waits in all for a server that asks to come again and gives no policy as the reason."""
UNSET_SECONDS: Final = 24 * 60 * 60
"""Times of the first day of 1970 are not sent: they mean none, and some servers fail on them."""

XML_TYPE: Final = {"Content-Type": 'application/xml; charset="utf-8"'}

Answer = TypeVar("Answer")
Body = bytes | Callable[[], Any] | None
"""A body, or an object that opens a fresh one of known length for each attempt."""


class Facts(NamedTuple):
    """The facts that go with a file that is sent. modified is in whole seconds since the epoch, sha1 in hex.

    media_type is '' where the server keeps the type it has. sha1 is '' where it would take another reading.
    """

    modified: int
    media_type: str = ""
    sha1: str = ""


class Failed(NotDone):
    """The server answered with an error. status is the answer's, conditions the children of its `D:error`."""

    def __init__(self, status: int, conditions: frozenset[str], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.conditions = conditions


class RemoteCollection:
    """One collection of one server, for several threads."""

    def __init__(
        self,
        url: str,
        credentials: tuple[str, str],
        *,
        context: SyncContext,
        pause: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the URL of the collection and the circumstances (Sync-Context). say takes a line for a person.

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
            self.root = hrefs.parse_target(parts.path or "/").segments
        except Malformed as cause:
            raise Stop(USAGE, f"{url}: {cause}") from cause
        self._origin = f"{parts.scheme}://{parts.netloc}"
        headers = {
            "User-Agent": f"davstore-sync/{version('davstore')}",
            "Accept-Encoding": "identity",
            "Authorization": "Basic " + base64.b64encode(":".join(credentials).encode()).decode(),
            "Sync-Context": sync_context.render(context),
        }
        self._transport = Transport(self._origin, headers, at_once=REQUESTS_AT_ONCE)
        self.context, self._pause, self._say = context, pause, say
        self._patience = PATIENCE_SECONDS
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether password and files would go to another machine unencrypted."""
        parts = urlsplit(self._origin)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    @property
    def url(self) -> str:
        """The URL of the collection, spelled one way only."""
        return self._origin + self.href("", folder=True)

    def href(self, path: str, *, folder: bool) -> str:
        """Return the absolute path that names path on the server."""
        return hrefs.render_href((*self.root, *filter(None, path.split("/"))), folder)

    def path(self, href: str) -> str | None:
        """Return the path that an href of an answer names, None for a name that no folder can hold.

        Raises:
            Stop: (usage) the href is outside the collection: the server has another name for it.
        """
        segments = hrefs.decode_href(href)
        inner = segments[len(self.root) :]
        if segments[: len(self.root)] != [name.encode() for name in self.root]:
            raise Stop(
                USAGE,
                f"the server answered with {href}, which is not in {self.url}: it does not know the address at "
                "which it is reached. If it is behind a proxy, set server.trusted_proxies there",
            )
        try:
            names = [name.decode() for name in inner]
        except UnicodeDecodeError:
            return None
        return None if any(map(_is_no_name, names)) else "/".join(names)

    # The verbs

    def report(self, path: str, token: str, *, infinite: bool, titled: bool = False) -> Report:
        """Ask what changed in the collection at path since token; '' asks for everything (RFC 6578 §3.2).

        Raises:
            Failed: refused; a token too old or of another collection is `{DAV:}valid-sync-token` in conditions.
            Stop: the network, the credentials, the policy.
        """
        body = questions.report(token, infinite=infinite, titled=titled)
        return self._multistatus("REPORT", path, {"Depth": "0", "Prefer": "return=minimal"}, body)

    def find_sync_token(self, path: str) -> str | None:
        """Return the present sync token of the collection at path, None when it has none (RFC 6578 §4)."""
        return next((row.sync_token for row in self.find_rows(path) if row.sync_token), None)

    def find_resource_id(self) -> str:
        """Return the `DAV:resource-id` of the collection itself (RFC 5842 §3.1), '' when it has none."""
        try:
            rows = self._multistatus("PROPFIND", "", {"Depth": "0"}, questions.PROPFIND_COLLECTION).rows
        except Failed as cause:
            raise Stop(NETWORK, f"{self.url} cannot be read: {cause}") from cause
        return next((row.resource_id for row in rows if row.resource_id), "")

    def find_empty(self, path: str) -> str | None:
        """Return the sync token of a collection that has no members, '' when it has none; None for any other.

        One whose members are not all told is another.
        """
        found = self.find_members(path, "1")
        if found is None or found.narrowed or not all(one.folder and self.path(one.href) == path for one in found.rows):
            return None
        return next((row.sync_token for row in found.rows), "")

    def is_folder(self, path: str) -> bool:
        """Tell whether a collection is at path."""
        return any(row.folder for row in self.find_rows(path))

    def find_rows(self, path: str, body: bytes = questions.PROPFIND_COLLECTION) -> list[Row]:
        """Return what a PROPFIND tells of the collection at path; nothing when it is refused."""
        found = self.find_members(path, "0", body)
        return found.rows if found is not None else []

    def find_members(self, path: str, depth: str, body: bytes = questions.PROPFIND_COLLECTION) -> Report | None:
        """Return the answer to a PROPFIND; None when it is refused, or deferred by a rule of the policy."""
        try:
            return self._multistatus("PROPFIND", path, {"Depth": depth}, body)
        except Failed:
            return None
        except Stop as stop:
            if stop.retry_after_seconds is None:
                raise
            return None

    def _multistatus(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        def read(response: Response) -> Report:
            if response.status != 207:
                raise Stop(USAGE, f"{self.url} speaks no WebDAV: it answers {method} with {response.status}")
            return read_report(response.stream(BLOCK_BYTES))

        return self._send(method, path, {**headers, **XML_TYPE}, body, folder=True, read=read)

    def fetch(self, path: str, sink: Sink) -> Fetched:
        """Bring the file at path into sink, after the bytes that it holds already.

        After a broken connection the download resumes at the byte where it broke.

        Raises:
            Changed, Failed: as for every request. Stop: the network; sink then holds the bytes that came.
        """
        failures = 0
        while True:
            held = sink.size
            try:
                return self._fetch_rest(path, sink)
            except BrokenOffError as broken:
                failures = 0 if sink.size > held else failures + 1
                if failures == len(RETRY_SECONDS):
                    raise Stop(NETWORK, f"the download of {path} broke off: {broken}") from broken
                self._pause(RETRY_SECONDS[failures])

    def _fetch_rest(self, path: str, sink: Sink) -> Fetched:
        response = self._attempts("GET", path, range_after(sink), None, folder=False)
        if response.status in (206, 416) and not goes_on(response, sink):
            response.close()
            sink.restart("")
            response = self._attempts("GET", path, {}, None, folder=False)
        try:
            if response.status == 206 and not goes_on(response, sink):
                raise Changed("a part, and the whole was asked for")
            return receive(response, sink)
        finally:
            response.close()

    def find_modified(self, path: str) -> int | None:
        """Return when the file at path was modified, in seconds since the epoch; None when the response lacks it."""
        return self._send("HEAD", path, {}, None, folder=False, read=find_modified)

    def find_tag(self, path: str) -> str:
        """Return the strong entity tag of the file at path, '' when the response lacks it."""
        return self._send("HEAD", path, {}, None, folder=False, read=find_etag)

    def put(self, path: str, body: Body, facts: Facts, *, etag: str | None) -> str:
        """Write a file over the one with this entity tag, None where there must be none. Return the new tag or ''."""
        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        if facts.media_type:
            headers["Content-Type"] = facts.media_type
        if facts.sha1:
            headers["OC-Checksum"] = f"SHA1:{facts.sha1}"
        timed = {**headers, "X-OC-Mtime": str(facts.modified)}
        try:
            return self._send("PUT", path, timed, body, folder=False, read=find_etag)
        except Failed as error:
            if facts.modified > UNSET_SECONDS or error.status not in (400, 500):
                raise
            return self._send("PUT", path, headers, body, folder=False, read=find_etag)

    def change_states(self, path: str, change: StateChange) -> None:
        """Change states of the file at path; to send it again does no harm."""

        def read(response: Response) -> None:
            rows = read_report(response.stream(BLOCK_BYTES)).rows if response.status == 207 else []
            if status := next((row.refused or row.status for row in rows if row.refused or row.status >= 300), 0):
                raise Failed(status, frozenset(), describe(status, frozenset()))

        headers = {"Prefer": "return=minimal", **XML_TYPE}
        self._send("PROPPATCH", path, headers, questions.propertyupdate(change), folder=False, read=read)

    def make(self, path: str) -> None:
        """Make a collection where nothing is."""
        self._send("MKCOL", path, {}, None, folder=True, read=_nothing)

    def delete(self, path: str, *, folder: bool, etag: str | None = None, token: str | None = None) -> None:
        """Remove the resource at path if it still has this entity tag, or this sync token (RFC 6578 §5)."""
        self._send("DELETE", path, self._conditions(path, etag, token), None, folder=folder, read=_nothing)

    def move(
        self, source: str, target: str, *, folder: bool, etag: str | None = None, token: str | None = None
    ) -> None:
        """Move the resource at source to target, which must be unmapped, on the conditions of `delete`."""
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
        read: Callable[[Response], Answer],
    ) -> Answer:
        response = self._attempts(method, path, headers, body, folder=folder)
        try:
            answer = read(response)
            for _ in response.stream(BLOCK_BYTES):  # to its end, so that the connection can be used again
                pass
        except HTTPError as cause:
            raise Stop(NETWORK, f"the server's answer broke off: {describe_break(cause)}") from cause
        except Malformed as cause:
            raise Stop(NETWORK, f"the server's answer cannot be read: {cause}") from cause
        finally:
            response.close()
        return answer

    def _attempts(self, method: str, path: str, headers: Mapping[str, str], body: Body, *, folder: bool) -> Response:
        """Send until there is an answer that is not 'come again'. Return it if it is a success.

        Raises:
            Changed: 404, 405, 409, 412, a folder in the place of a file: the server is no longer as the plan saw it.
            Failed: any other error, but 416 to a Range. Stop: the network, the credentials, the policy.
        """
        target, failures = self.href(path, folder=folder), 0
        while True:
            sent = body() if callable(body) else body
            length = {} if sent is None else {"Content-Length": str(len(sent))}
            try:
                response = self._transport.ask(method, target, {**headers, **length}, sent)
            except HTTPError as cause:
                if failures == len(RETRY_SECONDS):
                    reason = describe_break(cause)
                    raise Stop(NETWORK, f"the server {self._origin} cannot be reached: {reason}") from cause
                self._pause(RETRY_SECONDS[failures])
                failures += 1
                continue
            # RFC 4918 §9.6.1: a 207 names the members that were kept, locked ones for example.
            partly = response.status == 207 and method not in ("REPORT", "PROPFIND", "PROPPATCH", "POST")
            if (response.status < 300 and not partly) or (response.status == 416 and "Range" in headers):
                return response
            try:
                self._fail(method, target, response)
            finally:
                response.close()

    def _fail(self, method: str, target: str, response: Response) -> None:
        """Raise what an error answer means; return when the request should be sent again."""
        status = response.status
        conditions, refusal = find_refusal(response)
        if status == 401:
            raise Stop(UNAUTHENTICATED, "the server does not accept the user or the password, or revoked this device")
        if refusal is not None and method in ("REPORT", "PROPFIND"):
            raise explain(refusal, response, datetime.now().astimezone())
        if 300 <= status < 400:
            there = response.headers.get("Location", "another place that it does not name")
            if urlsplit(there).path == f"{target}/":
                raise Changed("there is a folder of that name on the server", status)
            raise Stop(USAGE, f"{self._origin}{target} has moved to {there}: use that URL")
        if status in (429, 503):
            self._wait(response)
            return
        if status in (404, 405, 409, 412) and method not in ("REPORT", "PROPFIND"):
            raise Changed(f"{method} was answered {status}", status)
        raise Failed(status, conditions, describe(status, conditions))

    def _wait(self, response: Response) -> None:
        """Wait as long as the server asks. A wait that several threads share is reported and counted once."""
        seconds = retry_after(response)
        reason = "too many requests" if response.status == 429 else "the server is busy"
        with self._lock:
            if seconds > self._patience:
                raise Stop(NETWORK, f"{reason} ({response.status})", retry_after_seconds=seconds)
            if not self._waiting:
                self._patience -= seconds
                self._say(f"{reason} ({response.status}): going on in {seconds:g} s")
            self._waiting += 1
        try:
            self._pause(seconds)
        finally:
            with self._lock:
                self._waiting -= 1


def _nothing(_: Response) -> None:
    """Ignore the body of a successful response."""


def _is_no_name(name: str) -> bool:
    return name in ("", ".", "..") or "/" in name or "\0" in name
