"""A client that knows what it does not know: a request that got no answer may have happened."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from tests.client.served import PATIENCE_SECONDS, Server

D = "{DAV:}"
NOTE = "{urn:x}note"
PROPERTIES = '<D:prop xmlns:D="DAV:"><D:getetag/><D:resourcetype/><D:lockdiscovery/><note xmlns="urn:x"/></D:prop>'


class Lost(Exception):
    """No answer came, or one that says as little: whether the request happened is not known."""


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def etag(self) -> str:
        """The strong entity tag, quotes included."""
        return self.headers["ETag"] or ""

    @property
    def token(self) -> str:
        """The lock token that LOCK gave."""
        return (self.headers["Lock-Token"] or "").strip("<>")


@dataclass(frozen=True)
class Entry:
    """The state of a place: the digest of its body (None: a collection), its note, its lock's token."""

    digest: str | None
    note: str | None = None
    lock: str | None = None


Tree = dict[str, Entry]
"""Places below the store, as `a/b`."""


class Client:
    """One connection to a server's store, kept alive and made anew when it breaks.

    lost is a status that says no more than no answer would: after 503 the database may have done it or not.
    """

    def __init__(self, server: Server, *, lost: int | None = None) -> None:
        self._lost = lost
        parts = urlsplit(server.url)
        self.root = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        self._authorization = "Basic " + base64.b64encode(":".join(server.credentials).encode()).decode()

    def ask(self, method: str, place: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request and return its answer. Header names have _ for -.

        Raises:
            Lost: the connection broke, or the answer leaves it open.
        """
        sent = {"Authorization": self._authorization} | {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            self._connection.request(method, self.href(place), body, sent)
            response = self._connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{method} {place}: {error!r}") from error
        if answer.status == self._lost:
            raise Lost(f"{method} {place}: {answer}")
        return answer

    def href(self, place: str) -> str:
        """Return the path of a place."""
        return self.root + quote(place)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def tree(self, place: str = "") -> Tree:
        """Return everything beneath a place; bodies by their entity tags, which are digests."""
        body = f'<D:propfind xmlns:D="DAV:">{PROPERTIES}</D:propfind>'.encode()
        answer = self.ask("PROPFIND", place, body, Depth="infinity")
        assert answer.status in (207, 404), answer
        found = {} if answer.status == 404 else self._entries(etree.fromstring(answer.body))
        return {one: entry for one, entry in found.items() if entry is not None and one != place.strip("/")}

    def follow(self, token: str, mirror: Tree) -> tuple[str, Tree]:
        """Ask sync-collection for all that changed since a token; return the new token and the mirror kept in step."""
        mirror, more = dict(mirror), True
        while more:
            body = (
                f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
                f"<D:sync-level>infinite</D:sync-level>{PROPERTIES}</D:sync-collection>"
            )
            answer = self.ask("REPORT", "", body.encode())
            assert answer.status == 207, answer
            xml = etree.fromstring(answer.body)
            more = b"number-of-matches-within-limits" in answer.body
            token = xml.findtext(f"{D}sync-token") or ""
            for place, entry in self._entries(xml).items():
                if entry is None:
                    gone = [one for one in mirror if one == place or one.startswith(f"{place}/")]
                    for one in gone:
                        del mirror[one]
                elif place:
                    mirror[place] = entry
        return token, mirror

    def _entries(self, xml: etree._Element) -> dict[str, Entry | None]:
        """Read a multistatus; None is what is gone."""
        found: dict[str, Entry | None] = {}
        for response in xml.iter(f"{D}response"):
            place = unquote((response.findtext(f"{D}href") or "").removeprefix(self.root)).strip("/")
            if response.find(f"{D}propstat") is None:
                if " 404 " in (response.findtext(f"{D}status") or ""):
                    found[place] = None
                continue
            etag = response.findtext(f".//{D}getetag")
            token = response.find(f".//{D}locktoken/{D}href")
            found[place] = Entry(
                digest=etag.strip('"') if etag else None,
                note=response.findtext(f".//{NOTE}") or None,  # an empty one stands for 404
                lock=None if token is None else token.text,
            )
            assert (response.find(f".//{D}collection") is not None) == (found[place].digest is None), place
        return found


def digest(body: bytes) -> str:
    """Return what the entity tag of a body says."""
    return hashlib.sha256(body).hexdigest()


def only(statuses: list[int], winner: set[int], losers: set[int]) -> bool:
    """Tell whether exactly one of the answers is a winner's and all others are losers'."""
    won = [status for status in statuses if status in winner]
    return len(won) == 1 and all(status in losers for status in statuses if status not in winner)


def workers_that_served(log: str) -> set[str]:
    """Return the ids of the processes that wrote into the access log."""
    return set(re.findall(r"^\S+ \S+ (\d+) davstore\.access", log, re.MULTILINE))
