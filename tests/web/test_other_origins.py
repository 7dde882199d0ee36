"""Pages of other origins in a real browser: what they may do with a store, with and without web.allowed_origins."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.client.served import Server

ASK = """async ([method, url, authorization, body, credentials]) => {
    const headers = authorization ? {Authorization: authorization} : {};
    if (method === 'PROPFIND') headers.Depth = '0';
    try {
        const answer = await fetch(url, {method, headers, body, credentials: credentials || 'same-origin'});
        return [answer.status, answer.headers.get('ETag'), await answer.text()];
    } catch (error) {
        return [error.name];
    }
}"""


class Blank(http.server.BaseHTTPRequestHandler):
    """A web application that is nothing but its origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>An application</title>")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def applications() -> Iterator[list[str]]:
    """Yield the origins of two applications."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, applications: list[str]) -> Iterator[Server]:
    """Yield a server that names the first of them."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory / "data", directory / "log", WEB__ALLOWED_ORIGINS=applications[0])
    yield server
    server.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def ask(page: Page, method: str, url: str, password: str | None, body: str | None = None, how: str = "") -> list[Any]:
    """Let the script of a page send a request; return status, entity tag and body, or the name of what went wrong."""
    basic = None if password is None else "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
    found: list[Any] = page.evaluate(ASK, [method, url, basic, body, how])
    return found


def test_a_named_application_uses_the_store(page: Page, store: Server, applications: list[str]) -> None:
    page.goto(applications[0])
    password = store.credentials[1]
    status, etag, _ = ask(page, "PUT", f"{store.url}note", password, "written by a page")
    assert status == 201
    assert etag
    assert ask(page, "GET", f"{store.url}note", password) == [200, etag, "written by a page"]
    status, _, answer = ask(page, "PROPFIND", store.url, password)
    assert (status, "multistatus" in answer) == (207, True)
    assert ask(page, "GET", f"{store.url}missing", password)[0] == 404
    assert ask(page, "PROPFIND", store.url, "wrong")[0] == 401  # it can be read, and said to who sits before it
    assert ask(page, "DELETE", f"{store.url}note", password)[0] == 204


def test_another_application_does_not(page: Page, store: Server, applications: list[str]) -> None:
    page.goto(applications[1])
    password = store.credentials[1]
    for method in ("PUT", "PROPFIND", "GET", "DELETE"):
        assert ask(page, method, f"{store.url}evil", password, "x" if method == "PUT" else None) == ["TypeError"]
    assert requests.get(f"{store.url}evil", auth=store.credentials, timeout=30).status_code == 404


def test_another_application_gains_nothing_by_what_the_browser_remembers(
    browser: Browser,
    store: Server,
    applications: list[str],
) -> None:
    context = browser.new_context(http_credentials={"username": "me", "password": store.credentials[1]})
    page = context.new_page()
    page.goto(store.url)  # the browser has the password from here on
    for origin, may in zip(applications, (True, False), strict=True):
        page.goto(origin)
        expected = 200 if may else "TypeError"
        assert ask(page, "GET", store.url, None, None, "include")[0] == expected
    context.close()
