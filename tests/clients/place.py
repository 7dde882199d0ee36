"""A collection of its own for one session of a client, and what really is in it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import requests
from lxml import etree

PATIENCE_SECONDS = 60


class Place(NamedTuple):
    """The collection at url, which ends with a slash, as the user sees it."""

    url: str
    user: str
    password: str

    @property
    def origin(self) -> str:
        """The scheme, host and port alone."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.url))

    @property
    def path(self) -> str:
        """The URL without its origin."""
        return urlsplit(self.url).path

    def ask(self, method: str, name: str = "", **more: object) -> requests.Response:
        """Send a request that must succeed, past all clients."""
        answer = requests.request(
            method,
            self.url + quote(name),
            auth=(self.user, self.password),
            timeout=PATIENCE_SECONDS,
            **more,  # type: ignore[arg-type]
        )
        assert answer.ok, f"{method} {name}: {answer.status_code} {answer.text}"
        return answer

    def tree(self) -> dict[str, bytes | None]:
        """Return what the store has beneath the collection, as `read_tree` does of a folder: None for a collection."""
        body = b'<D:propfind xmlns:D="DAV:"><D:prop/></D:propfind>'
        answer = self.ask("PROPFIND", headers={"Depth": "infinity"}, data=body)
        hrefs = [str(href.text) for href in etree.fromstring(answer.content).iter("{DAV:}href")]
        names = [unquote(href.removeprefix(self.path)) for href in hrefs if href != self.path]
        with requests.Session() as session:
            session.auth = (self.user, self.password)
            return {name.rstrip("/"): None if name.endswith("/") else self._read(session, name) for name in names}

    def _read(self, session: requests.Session, name: str) -> bytes:
        answer = session.get(self.url + quote(name), timeout=PATIENCE_SECONDS)
        assert answer.ok, f"GET {name}: {answer.status_code}"
        return answer.content
