"""What a store tells of its messages over HTTP: facts, states, and ETags, which are the digests of the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import requests
from lxml import etree

from tests.clients.place import PATIENCE_SECONDS, Place

CPM: Final = "urn:davstore:cpm"
KEYWORD: Final = "urn:davstore:cpm:keyword"
FACTS: Final = ("kind", "from", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references")
STATES: Final = ("seen", "answered", "forwarded", "draft", "flagged", "deleted")
KEYWORDS: Final = ("work", "later")


class Listed(NamedTuple):
    """A file of a store: its digest, its facts by local names, its states and keywords."""

    digest: str
    facts: dict[str, str | None]
    states: frozenset[str]


def list_files(place: Place) -> dict[str, Listed]:
    """Return the files beneath a place by their names."""
    names = "".join(f"<C:{name}/>" for name in (*FACTS, *STATES))
    names += "".join(f"<K:{name}/>" for name in KEYWORDS)
    namespaces = f'xmlns:D="DAV:" xmlns:C="{CPM}" xmlns:K="{KEYWORD}"'
    body = f"<D:propfind {namespaces}><D:prop><D:getetag/>{names}</D:prop></D:propfind>"
    answer = place.ask("PROPFIND", headers={"Depth": "infinity"}, data=body)
    return dict(_each_file(place, etree.fromstring(answer.content)))


def _each_file(place: Place, answer: etree._Element) -> Iterator[tuple[str, Listed]]:
    for response in answer.iter("{DAV:}response"):
        name = unquote(str(response.findtext("{DAV:}href")).removeprefix(place.path))
        [told, *_] = response.iter("{DAV:}prop")
        digest = (told.findtext("{DAV:}getetag") or "").strip('"')
        if digest:
            facts = {local: told.findtext(f"{{{CPM}}}{local}") for local in FACTS}
            states = {local for local in STATES if told.findtext(f"{{{CPM}}}{local}") == "T"}
            states |= {local for local in KEYWORDS if told.findtext(f"{{{KEYWORD}}}{local}") == "T"}
            yield name, Listed(digest, facts, frozenset(states))


def mark(session: requests.Session, place: Place, name: str, states: Iterable[str]) -> None:
    """Set states of a file by one PROPPATCH."""
    found = "".join(f"<K:{one}>T</K:{one}>" if one in KEYWORDS else f"<C:{one}>T</C:{one}>" for one in states)
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{CPM}" xmlns:K="{KEYWORD}"><D:set><D:prop>{found}'
    body += "</D:prop></D:set></D:propertyupdate>"
    answer = session.request("PROPPATCH", place.url + quote(name), data=body, timeout=PATIENCE_SECONDS)
    assert answer.status_code == requests.codes.multi_status, answer.text
    assert "200 OK" in answer.text, answer.text


def follow(place: Place, token: str = "") -> tuple[set[str], str]:
    """Return the names that a report of all levels tells since a token, and the token of the last page."""
    names: set[str] = set()
    while True:
        body = f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
        body += "<D:sync-level>infinite</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        answer = etree.fromstring(place.ask("REPORT", data=body).content)
        token = str(answer.findtext("{DAV:}sync-token"))
        hrefs = {str(href.text) for href in answer.iter("{DAV:}href")}
        names |= {unquote(href.removeprefix(place.path)) for href in hrefs if href != place.path}
        if not any(answer.iter("{DAV:}number-of-matches-within-limits")):
            return names, token
