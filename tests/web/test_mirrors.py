"""Programs that mirror a folder over plain HTTP: they ask for anything, and follow relative links (RFC 3986 §5)."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest

from davstore.metadata import unit
from tests.dav.client import BOB, HOME, Answer, Client
from tests.web.test_page import BROWSER, HOSTILE, browse

NAMES = [*HOSTILE, "a:b", "~x", "it's", "a&amp;b", "index.html", "-r", "a=1&b=2", "\\", "[1]", "é"]


class Links(HTMLParser):
    """Collects what the links of a page lead to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]


def target_of(url: str) -> str:
    """Return what a client sends for a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def mirror(dav: Client, start: str, accept: str | None) -> dict[str, bytes]:
    """Return what lies at and beneath a URL: every page and file that links lead to, from there down."""
    top, found, waiting = f"http://dav.example{start}", {}, [f"http://dav.example{start}"]
    while waiting:
        url = waiting.pop()
        answer = dav("GET", target_of(url), Accept=accept)
        assert answer.status == 200, url
        if not urlsplit(url).path.endswith("/"):
            found[url.removeprefix(top)] = answer.body
            continue
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        links = [urljoin(url, link) for link in Links(answer.body.decode()).found]
        found[url.removeprefix(top)] = b""
        waiting += [one for one in links if one.startswith(top) and one.removeprefix(top) not in found]
    return found


@pytest.mark.parametrize("accept", [None, "*/*", "text/*", "application/xml", "text/plain;q=0.5, */*"])
def test_a_mirror_gets_every_file(dav: Client, accept: str | None) -> None:
    expected = {"": b""}
    for folder in ("", "c/", "c/a%3Ab%20%3F%23%25/"):
        if folder:
            dav.mkcol(folder)
            expected[folder] = b""
        for name in NAMES:
            path = folder + quote(name, safe="")
            dav.put(f"{HOME}/{path}", path)
            expected[path] = path.encode()
    found = mirror(dav, f"{HOME}/", accept)
    assert {unquote(name): body for name, body in found.items()} == {
        unquote(name): body for name, body in expected.items()
    }


def test_a_mirror_finds_the_store_from_above(dav: Client) -> None:
    dav.put("a", "1")
    found = mirror(dav, "/", "*/*")
    assert {"", "dav/", "dav/store/", "dav/store/alice/", "dav/store/alice/a"} <= found.keys()
    assert found["dav/store/alice/a"] == b"1"


def test_the_list_is_whole_however_long(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors do not follow links with a query, as those to a second page have; few members are in memory at once."""
    monkeypatch.setattr(unit, "PAGE_ROWS", 3)
    for i in range(10):
        dav.put(f"{i}")
    answer = dav("GET", "")
    assert Links(answer.body.decode()).found == [f"./{i}" for i in range(10)]
    assert dav.names() == [str(i) for i in range(10)]


@pytest.mark.parametrize("accept", [None, "text/plain"])
def test_head_tells_the_same(dav: Client, accept: str | None) -> None:
    dav.mkcol("c")
    for path in ("", "c/", "/dav/"):
        got, head = dav("GET", path, Accept=accept), dav("HEAD", path, Accept=accept)
        assert (head.status, head.headers, head.body) == (200, got.headers, b"")


def test_the_list_runs_nothing(dav: Client) -> None:
    dav.put("%3Cscript%3E")
    answer = dav("GET", "")
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in answer.body


def kind_of(answer: Answer) -> str:
    """Return which of the three a collection answered with."""
    if answer.headers["Content-Type"].startswith("text/plain"):
        return "text"
    return "page" if b"<table>" in answer.body else "list"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, "page"),
        ("text/html", "page"),
        ("text/html, text/plain", "page"),
        ("text/html;q=0.5, text/plain", "text"),
        ("text/plain", "text"),
        ("text/plain, */*", "text"),
        ("text/plain;q=0, */*", "list"),
        ("*/*", "list"),
        (None, "list"),
    ],
)
def test_one_url_has_three_forms(dav: Client, accept: str | None, kind: str) -> None:
    dav.put("a")
    answer = dav("GET", "", Accept=accept)
    assert kind_of(answer) == kind
    assert set(answer.headers["Vary"].split(", ")) == {"Accept", "Authorization"}
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_others_folders_have_no_list(dav: Client) -> None:
    dav.mkcol("c")
    dav.principal = BOB
    for path in ("", "c/", "c", "/dav/principals/users/alice/"):
        assert dav("GET", path).status == browse(dav, path).status == 404
