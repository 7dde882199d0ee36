"""The page of a collection, read from its HTML: promise 10 of `docs/reliability.md`, RFC 9110 §12, §13."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import quote, unquote, urljoin

import pytest
from lxml import html

from davstore.web import app
from tests.dav.client import BOB, HOME, NOW, PHONE, Answer, Client

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HOSTILE = [
    "<script>alert(1)<%2fscript>",
    '"><img src=x onerror=alert(1)>.txt',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "data:text,html",
    "{{ 7*7 }}",
    "&lt;b&gt;",
    "?sort=size#x",
    "..%2e",
    "...",
    "photo \u202egpj.exe",
    "line\u2028break\u0085",
    "\x80\x9f",
    "a" * 255,
    "😀" * 63,
    "e" + "\u0301" * 127,
    "\ufffe\uffff",
    " ",
    "http:",
    "%",
]


def browse(dav: Client, path: str = "", method: str = "GET", **headers: str) -> Answer:
    """Ask as a browser does."""
    return dav(method, path, Accept=BROWSER, **headers)


def page(dav: Client, path: str = "") -> Any:
    """Return the document of a page."""
    answer = browse(dav, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return html.document_fromstring(answer.body.decode(), base_url=path)


def rows(document: Any) -> list[list[str]]:
    """Return the text of the cells of each member."""
    return [[" ".join(cell.text_content().split()) for cell in row] for row in document.iterfind(".//tbody/tr")]


def names(document: Any) -> list[str]:
    """Return the names in the order of the page, as they are shown."""
    return [name.text_content() for name in document.iterfind(".//tbody//bdi")]


def links(document: Any, path: str) -> list[str]:
    """Return where the members lead to."""
    return [urljoin(path, link.get("href")) for link in document.iterfind(".//tbody//a")]


def test_a_collection_is_a_table(dav: Client) -> None:
    dav.mkcol("c", "c/Folder")
    dav.put("c/note.txt", b"x" * 1234, X_OC_Mtime="1700000000")
    dav.put("c/photo.jpg", b"x" * 4_321_000)
    dav.put("c/raw", b"")
    document = page(dav, f"{HOME}/c/")
    assert rows(document) == [
        ["Folder", "Folder", "", "2027-01-15 08:00"],
        ["note.txt", "Text", "1.2 kB", "2023-11-14 22:13"],
        ["photo.jpg", "Picture", "4.3 MB", "2027-01-15 08:00"],
        ["raw", "File", "0 B", "2027-01-15 08:00"],
    ]
    assert [time.get("datetime") for time in document.iterfind(".//time")][:2] == [
        "2027-01-15T08:00:00Z",
        "2023-11-14T22:13:20Z",
    ]
    assert [data.get("value") for data in document.iterfind(".//data")] == ["1234", "4321000", "0"]
    assert links(document, f"{HOME}/c/") == [f"{HOME}/c/{name}" for name in ("Folder/", "note.txt", "photo.jpg", "raw")]
    assert "1 folder, 3 files" in document.findtext(".//footer/span")


def test_the_way_back_up(dav: Client) -> None:
    dav.mkcol("a", "a/b%20c", "a/b%20c/d")
    path = f"{HOME}/a/b%20c/d/"
    document = page(dav, path)
    crumbs = document.findall(".//header//li/a")
    assert [crumb.text_content() for crumb in crumbs] == ["alice", "a", "b c"]
    assert [urljoin(path, crumb.get("href")) for crumb in crumbs] == [
        f"{HOME}/",
        f"{HOME}/a/",
        f"{HOME}/a/b%20c/",
    ]
    assert document.findtext(".//h1/bdi") == "d"
    assert document.find(".//h1").get("aria-current") == "page"
    assert "Nothing here yet." in document.findtext(".//main/p")


def test_people_find_names_where_they_look(dav: Client) -> None:
    for name in ("img10.png", "img2.png", "IMG1.png", "zebra", "Äpfel", "apfel2", "Birne", "10", "9"):
        dav.put(quote(name))
    dav.mkcol("zoo", "Attic")
    expected = ["Attic", "zoo", "9", "10", "Äpfel", "apfel2", "Birne", "IMG1.png", "img2.png", "img10.png", "zebra"]
    assert names(page(dav, f"{HOME}/")) == expected
    reverse = ["zoo", "Attic", *reversed(expected[2:])]
    assert names(page(dav, f"{HOME}/?order=desc")) == reverse


def test_the_heads_of_the_columns_sort(dav: Client) -> None:
    for i, (name, size) in enumerate({"b": 1, "a": 3, "c": 2}.items()):
        dav.now_us = NOW + i * 1_000_000
        dav.put(name, b"x" * size)
    dav.mkcol("z")
    path = f"{HOME}/"

    def follow(title: str) -> list[str]:
        nonlocal path
        head = next(th for th in page(dav, path).iterfind(".//thead//th") if th.text_content().startswith(title))
        path = urljoin(path, head.find("a").get("href"))
        head = next(th for th in page(dav, path).iterfind(".//thead//th") if th.text_content().startswith(title))
        return [head.get("aria-sort"), *names(page(dav, path))]

    assert follow("Size") == ["descending", "z", "a", "c", "b"]
    assert follow("Size") == ["ascending", "z", "b", "c", "a"]
    assert follow("Changed") == ["descending", "z", "c", "a", "b"]
    assert follow("Changed") == ["ascending", "z", "b", "a", "c"]
    assert follow("Name") == ["ascending", "z", "a", "b", "c"]
    assert follow("Name") == ["descending", "z", "c", "b", "a"]


def test_a_large_collection_comes_in_pages(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MEMBERS", 4)
    wanted = {f"{i} & ü.txt" for i in range(9)}
    for name in wanted:
        dav.put(quote(name))
    for sort in ("name", "size", "time"):
        path, found, pages = f"{HOME}/?sort={sort}&order=desc", [], 0
        while path:
            document = page(dav, path)
            found += names(document)
            pages += 1
            first = document.xpath("//main/nav/a[text()='First page']/@href")
            assert [urljoin(path, one) for one in first] == [f"{HOME}/?sort={sort}&order=desc"] * (pages > 1)
            following = document.xpath("//main/nav/a[@rel='next']/@href")
            path = urljoin(path, following[0]) if following else ""
        assert (found, pages) == (sorted(wanted, reverse=sort == "name"), 3)  # all are of one size and one time


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("sort=size", 200),
        ("after=0.-12.x", 200),
        ("sort=size&order=asc&after=1.999999999999999999.%C3%A9+%2B", 200),
        ("sort=kind", 400),
        ("sort=", 400),
        ("sort", 400),
        ("order=up", 400),
        ("sort=size&sort=size", 400),
        ("after=", 400),
        ("after=2.0.x", 400),
        ("after=0.1e3.x", 400),
        ("after=0.9999999999999999999.x", 400),
        ("after=0.0.%00", 400),
        ("after=0.0.%ff", 400),
        ("after=0.0.%ED%A0%80", 400),
        ("after=0.\u0661.x".encode().decode("latin-1"), 400),
        ("sort=%ff", 400),
        ("&", 200),
        ("=", 200),
        ("%ff=%zz", 200),
        ("_=169", 200),
        ("v=2&sort=size", 200),
        ("v=2&sort=kind", 400),
        ("part=2", 404),
        ("sort=size&part=2", 404),
        ("v=2&add", 405),
    ],
)
def test_every_query_has_an_answer(dav: Client, query: str, status: int) -> None:
    assert browse(dav, f"{HOME}/?{query}").status == status


def test_hostile_names_are_inert(dav: Client) -> None:
    found: dict[str, str] = {}
    for name in HOSTILE:
        assert dav("PUT", f"{HOME}/{quote(name, safe='')}", name.encode()).status == 201, name
    document = page(dav, f"{HOME}/")
    assert len(rows(document)) == len(HOSTILE)
    for shown, link in zip(names(document), links(document, f"{HOME}/"), strict=True):
        assert link.startswith(f"{HOME}/")
        name = unquote(link.removeprefix(f"{HOME}/"))
        found[name] = shown
        assert dav("GET", link).body == name.encode()
    assert found.keys() == set(HOSTILE)
    assert found["photo \u202egpj.exe"] == "photo \ufffdgpj.exe"
    known = "html head meta title style body svg symbol path circle header nav ol li h1 bdi main table thead tr th a"
    known += " tbody use td data time span footer"
    assert {element.tag for element in document.iter()} <= set(known.split())
    attributes = {name for element in document.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "srcdoc", "action")]


def test_names_that_cannot_be(dav: Client) -> None:
    for name in ("a%0Ab", "a%00", "a%2Fb", "..", "a" * 256):
        assert dav("PUT", name).status in (400, 403), name
    assert page(dav, f"{HOME}/").findtext(".//main/p") == "Nothing here yet."


@pytest.mark.parametrize(
    ("content_type", "length", "shown"),
    [
        ("image/jpeg", 10, True),
        ("IMAGE/PNG; a=b", 10, True),
        ("image/webp", 2 << 20, True),
        ("image/jpeg", (2 << 20) + 1, False),
        ("image/jpeg", 0, False),
        ("image/svg+xml", 10, False),
        ("image/png, text/html", 10, False),
        ("text/html", 10, False),
    ],
)
def test_pictures_are_shown_by_the_browser(dav: Client, content_type: str, length: int, shown: bool) -> None:
    dav.put("a%22b", b"x" * length, Content_Type=content_type)
    pictures = page(dav, f"{HOME}/").findall(".//img")
    assert len(pictures) == shown
    for picture in pictures:
        assert (picture.get("src"), picture.get("alt"), picture.get("loading")) == ("./a%22b", "", "lazy")


def test_the_policy_of_the_page_is_strict(dav: Client) -> None:
    answer = browse(dav, f"{HOME}/")
    style = html.document_fromstring(answer.body.decode()).findtext(".//style")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == {
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_page_is_never_stale(dav: Client) -> None:
    dav.mkcol("c")
    first = browse(dav, "c/")
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert set(first.headers["Vary"].split(", ")) == {"Accept", "Authorization"}
    etag = first.headers["ETag"]
    same = browse(dav, "c/", If_None_Match=etag)
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", etag)
    assert same.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert browse(dav, "c/", If_Match=etag).status == 200
    for change in (
        lambda: dav.put("c/a", b"1"),
        lambda: dav.put("c/a", b"22"),
        lambda: dav("MOVE", "c/a", Destination=f"{HOME}/c/b"),
        lambda: dav("DELETE", "c/b"),
    ):
        change()
        answer = browse(dav, "c/", If_None_Match=etag)
        assert answer.status == 200
        assert browse(dav, "c/", If_Match=etag).status == 412
        etag = answer.headers["ETag"]
    assert browse(dav, "c/", If_None_Match="x").status == 200


def test_head_is_the_page_without_its_body(dav: Client) -> None:
    dav.put("a")
    got, head = browse(dav, f"{HOME}/"), browse(dav, f"{HOME}/", method="HEAD")
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")
    assert browse(dav, f"{HOME}/", Range="bytes=0-1").body == got.body


def test_only_get_and_head_are_for_the_page(dav: Client) -> None:
    dav.put("a")
    assert browse(dav, f"{HOME}/", method="PROPFIND", Depth="0").status == 207
    assert browse(dav, f"{HOME}/", method="OPTIONS").headers["DAV"]
    assert browse(dav, f"{HOME}/", method="POST").status == 415
    assert browse(dav, f"{HOME}/", If='(["x"])').status == 412
    assert dav("GET", "", b"body", Accept=BROWSER).status == 415


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav", "/dav/store/", "/dav/store"])
def test_a_person_finds_the_own_store(dav: Client, path: str) -> None:
    for principal in (BOB, PHONE):
        dav.principal = principal
        answer = browse(dav, path)
        assert answer.status == 307
        assert not answer.headers["Location"].startswith("/")  # a proxy may have put the tree anywhere
        assert urljoin(path, answer.headers["Location"]) == f"/dav/store/{principal.user.name}/"
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_file_is_no_page(dav: Client) -> None:
    dav.put("a.txt", b"text")
    for path in ("a.txt", "a.txt/"):
        answer = browse(dav, path)
        assert (answer.status, answer.body) == (200, b"text")
    assert browse(dav, "missing/").status == 404
    assert browse(dav, "a.txt/b/").status == 404


def test_what_is_others_is_no_page(dav: Client) -> None:
    for path in ("/dav/store/bob/", "/dav/store/nobody/", "/elsewhere/", "/dav/principals/users/bob/"):
        assert browse(dav, path).status == 404
    assert b"<table>" not in browse(dav, "/dav/principals/").body


def test_the_page_says_how_full_the_store_is(tmp_path: Any) -> None:
    dav = Client(tmp_path, quota_bytes=5_000_000)
    dav.put("a", b"x" * 1_500_000)
    document = page(dav, f"{HOME}/")
    assert "1.5 MB of 5.0 MB used" in document.find(".//footer").text_content()
    meter = document.find(".//meter")
    assert (meter.get("value"), meter.get("max")) == ("1500000", "5000000")
    dav.principal = BOB
    assert "0 B used" in page(dav, "/dav/store/bob/").find(".//footer").text_content()
    dav.close()
