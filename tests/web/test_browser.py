"""The page in a real browser, and what users store in it: promise 10 of `docs/reliability.md`."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Route, expect

from tests.client.served import Server
from tests.web.mails import part
from tests.web.pictures import png

PATIENCE_MS = 30_000
SCRIPT = "<script>fetch('/dav/store/me/ran', {method: 'PUT', body: 'x'})</script>"
"""What a page that runs scripts does on the origin of the store: it writes, with the credentials of who looks at it."""
CHAT = b"From: Anna <anna@example.org>\r\nConversation-ID: 1\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
EVIL = {
    "evil.html": ("text/html", SCRIPT),
    "evil.svg": ("image/svg+xml", f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>'),
    "evil.xhtml": ("application/xhtml+xml", f'<html xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}</html>'),
    "evil.xml": ("text/xml", f'<html xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}</html>'),
    "evil.foo": ("video/x+xml", f'<html xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}</html>'),
    "evil.png": ("image/png, text/html", SCRIPT),
    "sniffed.txt": ("text/plain", f"<!doctype html>{SCRIPT}"),
    "sniffed.bin": ("application/octet-stream", f"<!doctype html>{SCRIPT}"),
}


def sound(seconds: int) -> bytes:
    """Return silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8_000)
        writer.writeframes(b"\x80" * 8_000 * seconds)
    return file.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server whose store has a folder, a picture, a sound and all that is evil."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory / "data", directory / "log")
    session = requests.Session()
    session.auth = server.credentials

    def put(name: str, content_type: str, body: bytes | str) -> None:
        session.put(server.url + quote(name), data=body, headers={"Content-Type": content_type}).raise_for_status()

    session.request("MKCOL", f"{server.url}Letters%20home/").raise_for_status()
    put("Letters home/first.txt", "text/plain; charset=utf-8", "Liebe Großmutter")
    put("Letters home/1.cpim", "message/rfc822", CHAT + b"Content-Type: text/plain\r\n\r\n" + b"x" * 300)
    put("Letters home/2.cpim", "message/rfc822", CHAT + part(png(300, 200), "image/png"))
    put("photo.png", "image/png", png(300, 200))
    put("note.wav", "audio/x-wav", sound(3))
    put("x" * 255, "text/plain", "")
    put("<img src=x onerror=alert(1)>", "text/plain", "")
    for name, (content_type, body) in EVIL.items():
        put(name, content_type, body)
    yield server
    session.close()
    server.kill()


def visitor(browser: Browser, server: Server, **options: Any) -> BrowserContext:
    """Return a person who has signed in."""
    user, password = server.credentials
    return browser.new_context(http_credentials={"username": user, "password": password}, **options)


def listing(server: Server) -> list[str]:
    """Return the names in the store."""
    answer = requests.get(server.url, auth=server.credentials, headers={"Accept": "text/plain"}, timeout=30)
    return answer.text.splitlines()


class Complaints:
    """The reports of violations of a page's own policy."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.found.append(message.text)


def test_a_person_walks_through_the_store_without_scripts(browser: Browser, server: Server) -> None:
    user, password = server.credentials
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    top = server.url.replace("http://", f"http://{user}:{password}@").replace("/dav/store/me/", "/")
    page.goto(top)  # the challenge is the browser's own to answer
    assert page.url.endswith("/dav/store/me/")
    page.get_by_role("link", name="Letters home").click()
    assert page.get_by_role("heading").inner_text() == "Letters home"
    page.get_by_role("link", name="first.txt").click()
    assert page.locator("body").inner_text() == "Liebe Großmutter"
    page.go_back()
    page.get_by_role("navigation", name="Path").get_by_role("link", name="me").click()
    page.get_by_role("link", name="Size").click()
    assert page.locator("tbody bdi").all_inner_texts()[:2] == ["Letters home", "note.wav"]
    assert page.get_by_role("columnheader", name="Size").get_attribute("aria-sort") == "descending"
    context.close()


def test_a_picture_is_shown_and_the_policy_is_kept(browser: Browser, server: Server) -> None:
    context = visitor(browser, server)
    page = context.new_page()
    complaints = Complaints(page)
    page.goto(server.url)
    expect(page.locator("img")).to_have_js_property("naturalWidth", 300, timeout=PATIENCE_MS)
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderSpacing") == "0px"  # styles are there
    assert complaints.found == []
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\" onclick=\"1\">')")
    assert complaints.found  # or else it could not be seen
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_no_name_breaks_the_page(browser: Browser, server: Server, width: int) -> None:
    context = visitor(browser, server, viewport={"width": width, "height": 600})
    page = context.new_page()
    page.goto(server.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('table').scrollWidth") < width
    context.close()


def test_a_conversation_is_read_with_its_pictures(browser: Browser, server: Server) -> None:
    width = 320
    context = visitor(browser, server, viewport={"width": width, "height": 600}, java_script_enabled=False)
    page = context.new_page()
    complaints = Complaints(page)
    page.goto(server.url)
    page.get_by_role("link", name="Conversations").click()
    page.locator("tbody a").click()
    page.wait_for_load_state("networkidle")
    box = page.locator("article img").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(width, abs=90)
    assert box["x"] + box["width"] <= width
    text = page.locator("article .text").bounding_box()
    assert text is not None
    assert text["x"] + text["width"] <= width
    page.get_by_role("link", name="2026-06-01 10:00 UTC").first.click()
    assert page.get_by_text("Original").is_visible()
    page.get_by_role("link", name="Conversation", exact=True).click()
    assert page.locator("article").count() == 2
    assert complaints.found == []
    context.close()


def test_sound_plays_and_pictures_open(browser: Browser, server: Server) -> None:
    context = visitor(browser, server)
    page = context.new_page()
    page.goto(f"{server.url}note.wav")
    expect(page.locator("video")).to_have_js_property("duration", 3, timeout=PATIENCE_MS)
    page.goto(f"{server.url}photo.png")
    expect(page.locator("img")).to_have_js_property("naturalWidth", 300, timeout=PATIENCE_MS)
    context.close()


def is_shown(context: BrowserContext, url: str, *, without: frozenset[str] = frozenset()) -> bool:
    """Open a URL, some headers of its answer taken away, and wait for its effects; return whether it was not saved."""

    def strip(route: Route) -> None:
        answer = route.fetch()
        kept = {name: value for name, value in answer.headers.items() if name not in without}
        route.fulfill(response=answer, headers=kept)

    page = context.new_page()
    if without:
        page.route(url, strip)
    try:
        page.goto(url)
    except Error as error:
        assert "Download is starting" in error.message  # noqa: PT017  every other error is one
        return False
    else:
        page.wait_for_load_state("networkidle")
        return True
    finally:
        page.close()


@pytest.mark.parametrize("name", EVIL)
def test_what_users_store_runs_no_script(browser: Browser, server: Server, name: str) -> None:
    context = visitor(browser, server)
    assert is_shown(context, server.url + name) is (name == "sniffed.txt")
    is_shown(context, server.url + name, without=frozenset({"content-disposition"}))
    assert "ran" not in listing(server)
    context.close()


def test_it_would_run_without_the_headers(browser: Browser, server: Server) -> None:
    context = visitor(browser, server)
    headers = frozenset({"content-disposition", "content-security-policy"})
    for name in ("evil.html", "evil.svg", "evil.xhtml", "evil.xml", "evil.png"):
        assert is_shown(context, server.url + name, without=headers)
        assert "ran" in listing(server), name
        requests.delete(f"{server.url}ran", auth=server.credentials, timeout=30).raise_for_status()
    context.close()
