"""Errors are pages in a browser; programs get what they got."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from lxml import html
from playwright.sync_api import Browser

from davstore import errors
from davstore.errors import DavstoreError, rights
from davstore.middleware.boundary import Boundary
from davstore.middleware.errors import TABLE
from davstore.model.paths import Path as StorePath
from davstore.web.refusals import render_refusal
from tests.client.served import Server
from tests.dav.client import HOME, Client
from tests.dav.test_forwarded import HEADERS as PROXY
from tests.web.test_page import BROWSER, browse

MARK = "mark-of-the-request"
REFUSED: Any = {"rule": "r", "decided_by": "provider", "device": ("alice", "phone")}
LATER: Any = {**REFUSED, "retry_after_seconds": 60}
MADE: dict[type[DavstoreError], DavstoreError] = {
    errors.Throttled: errors.Throttled(30),
    errors.MethodNotAllowed: errors.MethodNotAllowed(("GET",)),
    errors.RangeNotSatisfiable: errors.RangeNotSatisfiable(7),
    errors.SyncRefused: errors.SyncRefused("sync-allowed", **REFUSED),
    errors.SyncUnwanted: errors.SyncUnwanted("automatic-sync-enabled", **REFUSED),
    errors.SyncDeferred: errors.SyncDeferred("sync-interval-respected", **LATER),
    errors.SyncWindowClosed: errors.SyncWindowClosed("sync-window-open", **LATER),
    errors.WrongPreference: errors.WrongPreference("{urn:x}a", "r"),
    errors.PreferenceTooWide: errors.PreferenceTooWide("{urn:x}a", rule="r", decided_by="provider"),
    errors.QuotaExceeded: errors.QuotaExceeded(used_bytes=1, limit_bytes=1, needed_bytes=1),
    errors.Locked: errors.Locked(((StorePath("alice", ("a",)), False),)),
    errors.LockConflict: errors.LockConflict(((StorePath("alice", ("a",)), False),)),
    rights.NeedPrivileges: rights.NeedPrivileges(
        (rights.Lack(StorePath("alice", ("a",)), is_collection=False, privilege=1),)
    ),
    errors.WrongPreference: errors.WrongPreference("{urn:x}e", MARK),
    errors.PreferenceTooWide: errors.PreferenceTooWide("{urn:x}e", rule=MARK, decided_by="provider"),
    errors.PropertiesRefused: errors.PropertiesRefused({}),
    errors.PropertiesOverQuota: errors.PropertiesOverQuota({}),
}


def answer_to(error: DavstoreError, accept: str, method: str = "GET") -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the answer when an error is raised inside."""
    begun: list[Any] = []

    def failing(_environ: Any, _start: Any) -> Any:
        raise error

    environ = {"REQUEST_METHOD": method, "REQUEST_URI": f"/dav/{MARK}?{MARK}", "HTTP_ACCEPT": accept}
    boundary = Boundary(failing, realm="here", pages=render_refusal)
    body = b"".join(boundary(environ, lambda *words: begun.append(words)))
    return int(begun[0][0][:3]), begun[0][1], body


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_is_a_page_in_a_browser(kind: type[DavstoreError]) -> None:
    error = MADE[kind] if kind in MADE else kind(MARK)
    status, headers, body = answer_to(error, BROWSER)
    found = dict(headers)
    assert status == TABLE[kind].status
    assert found["Content-Type"] == "text/html; charset=utf-8"
    assert found["Content-Length"] == str(len(body))
    assert "default-src 'none'" in found["Content-Security-Policy"]
    assert found["Cache-Control"] == "no-store"
    assert MARK.encode() not in body
    document = html.document_fromstring(body.decode())
    assert document.findtext(".//h1")
    assert HTTPStatus(status).phrase in document.findtext(".//footer/span")
    assert "/dav/" in [link.get("href") for link in document.iterfind(".//a")]
    plain = answer_to(error, "*/*")
    kept = {"WWW-Authenticate", "Retry-After", "Allow", "Content-Range"}
    assert [one for one in headers if one[0] in kept] == [one for one in plain[1] if one[0] in kept]
    assert answer_to(error, BROWSER, "HEAD") == (status, headers, b"")


@pytest.mark.parametrize(
    ("method", "accept"),
    [("GET", "*/*"), ("GET", ""), ("GET", "text/plain, text/html;q=0.5"), ("PUT", BROWSER), ("PROPFIND", BROWSER)],
)
def test_programs_get_what_they_got(method: str, accept: str) -> None:
    assert answer_to(errors.NotFound(MARK), accept, method)[2] == b"Not Found\n"
    assert b"no-external-entities" in answer_to(errors.ExternalEntities(MARK), accept, method)[2]


def test_a_browser_asks_for_the_password_and_is_told_how_long_to_wait() -> None:
    status, headers, body = answer_to(errors.Unauthenticated(), BROWSER)
    assert status == 401
    assert [value.split()[0] for name, value in headers if name == "WWW-Authenticate"] == ["Basic", "Bearer"]
    assert html.document_fromstring(body.decode()).xpath("//a[text()='Try again']/@href") == [""]  # the same URL
    status, headers, body = answer_to(errors.Throttled(30), BROWSER)
    assert (status, dict(headers)["Retry-After"], b"Wait 30 seconds" in body) == (429, "30", True)


def test_the_way_back(tmp_path: Path) -> None:
    dav = Client(tmp_path, proxies="192.0.2.1")
    for path, headers, prefix in ((f"{HOME}/missing", {}, ""), (f"{HOME}/missing/", PROXY, "/my%20files")):
        answer = browse(dav, path, **headers)
        assert answer.status == 404
        home = html.document_fromstring(answer.body.decode()).xpath("//a/@href")
        assert home == [f"{prefix}/dav/"]
        way = browse(dav, "/dav/")
        assert urljoin("/dav/", way.headers["Location"]) == f"{HOME}/"
    dav.close()


def test_people_come_back(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "log")
    try:
        user, password = server.credentials
        context = browser.new_context(http_credentials={"username": user, "password": password})
        page = context.new_page()
        page.goto(f"{server.url}missing")
        assert page.get_by_role("heading").inner_text() == "There is nothing here"
        assert page.evaluate("getComputedStyle(document.querySelector('main p')).textAlign") == "center"  # styled
        page.get_by_role("link", name="Your files").click()
        assert page.url == server.url
        context.close()
    finally:
        server.kill()
