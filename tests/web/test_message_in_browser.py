"""Messages in a real browser: nothing in them runs, is fetched from elsewhere or leads on, and the pages keep shape."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.client.served import Server
from tests.waiting import until
from tests.web.mails import EVIL, WRITE, mail, multipart, nested, part
from tests.web.pictures import png
from tests.web.test_browser import PATIENCE_MS, Complaints, listing, visitor
from tests.web.test_message import quote_word

BAIT = re.findall(
    r"[a-z0-9.]+",
    "audio bodystyle content div escaped font foreign frame img img2 import.css input list poster preload script.js set"
    " sheet.css source srcset style svg svgstyle video webkit",
)
"""What Chromium asks for when it opens that HTML without care."""


class Trap:
    """A server elsewhere that counts what browsers ask it for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked, bait = self.asked, self.bait

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(f"{self.path} {self.headers.get('Referer', '')}".strip())
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                bare = EVIL.replace("http-equiv", "name")  # else it is gone before it has fetched anything
                self.wfile.write(bait(bare if self.path == "/bare" else "<title>elsewhere</title>").encode())

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def bait(self, text: str) -> str:
        """Return a text with its references to the trap, and what its scripts do."""
        return text.replace("TRAP", f"http://{self.host}").replace("HOST", self.host).replace("WRITE", WRITE)


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    """Yield a trap."""
    trap = Trap()
    thread = threading.Thread(target=trap.server.serve_forever)
    thread.start()
    yield trap
    trap.server.shutdown()
    trap.server.server_close()
    thread.join()


def messages(trap: Trap) -> dict[str, bytes]:
    """Return the messages of the store."""
    evil = trap.bait(EVIL)
    script = f'"><script>{WRITE}</script><img src="http://{trap.host}/header" onerror="{WRITE}">'
    attached = part("x", "text/html", f'Content-Disposition: attachment; filename="{quote_word(script)}"')
    picture = part(png(300, 200), "image/png", "Content-ID: <a@b>", 'Content-Disposition: inline; filename="p.png"')
    related = nested("related", [part('<h1>Rich</h1><img src="cid:a@b" alt="pic">', "text/html"), picture])
    wide = "w" * 2_000
    return {
        "evil": mail(evil, "text/html"),
        "evil-part": multipart("mixed", [part(evil, "text/html"), part(evil, "text/plain"), attached]),
        "evil-header": mail(evil, From=quote_word(script), Subject=quote_word(script), To=quote_word(script)),
        "rich": multipart("mixed", [nested("alternative", [part("Plain", "text/plain"), related]), attached]),
        "wide": mail(wide, Subject=wide, From=f"{wide} <{wide}@example.org>", Cc=f"{wide}, " * 20, Message_ID=wide),
        "cjk": mail("漢字" * 500, Subject=quote_word("漢字" * 100), From=f"{quote_word('名' * 60)} <a@example.org>"),
        "bare": mail("", Subject="", From="", To="", Date=""),
        "html-wide": mail(f'<table width="3000"><tr><td>{wide}</td></tr></table>', "text/html"),
        "files": multipart("mixed", [part("x", "a/b", f'Content-Disposition: attachment; filename="{wide}.txt"')] * 9),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[Server]:
    """Yield a server whose store has messages, most of them evil."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory / "data", directory / "log")
    with requests.Session() as session:
        session.auth = server.credentials
        for name, body in messages(trap).items():
            session.put(f"{server.url}{name}.eml", data=body).raise_for_status()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def is_empty(trap: Trap) -> None:
    """Begin with an empty trap."""
    trap.asked.clear()


@contextmanager
def visit(browser: Browser, server: Server, name: str = "", width: int = 1100) -> Iterator[Page]:
    """Yield a page that a person has opened, with all that it loads, and see that its own policy was kept."""
    context = visitor(browser, server, viewport={"width": width, "height": 800})
    page = context.new_page()
    complaints = Complaints(page)
    page.goto(f"{server.url}{name}")
    page.wait_for_load_state("networkidle")
    yield page
    assert complaints.found == []
    context.close()


@pytest.mark.parametrize("name", ["evil.eml", "evil-part.eml", "evil-header.eml", "evil.eml?html=1", ""])
def test_nothing_in_a_message_runs_or_is_fetched(browser: Browser, server: Server, trap: Trap, name: str) -> None:
    with visit(browser, server, name) as page:
        assert page.url == f"{server.url}{name}"
        if name.startswith("evil."):
            expect(page.frames[-1].locator("p").first).to_have_text("SHOWN", timeout=PATIENCE_MS)
            assert page.frames[-1].url == f"{server.url}evil.eml?html=1"
        for frame in page.frames:
            for link in frame.locator("a[href]").all():
                assert not str(link.get_attribute("href")).lower().lstrip().startswith(("javascript", "data"))
            # none of the message's own: what stands in the page is as many as davstore wrote
            assert (
                frame.locator("script, form, input, button, object, embed, base, link, [onerror], [onload]").count()
                == 0
            )
    assert trap.asked == []
    assert "ran" not in listing(server)


def test_a_link_opens_a_window_and_tells_nothing(browser: Browser, server: Server, trap: Trap) -> None:
    with visit(browser, server, "evil.eml") as page:
        link = page.frames[-1].get_by_text("remote", exact=True)
        with page.context.expect_page() as opened:
            link.dispatch_event("click")
        opened.value.wait_for_load_state()
        assert opened.value.title() == "elsewhere"
        assert opened.value.evaluate("window.opener") is None
        for text in ("script", "script 2", "data", "here", "relative"):
            assert page.frames[-1].get_by_text(text, exact=True).get_attribute("href") is None
        assert page.frames[-1].url == f"{server.url}evil.eml?html=1"
    asked, trap.asked[:] = [one for one in trap.asked if not one.startswith("/favicon")], []
    assert asked == ["/ping"]  # with no Referer, and no ping beside it


def test_a_person_reads_a_message(browser: Browser, server: Server) -> None:
    with visit(browser, server) as page:
        assert page.get_by_role("img", name="unread").count() == 9
        page.get_by_role("row", name="Anna Berg Holidays").filter(has=page.get_by_label("has attachments")).locator(
            "a[href='./rich.eml']"
        ).click()
        page.wait_for_load_state("networkidle")
        assert page.get_by_role("heading").inner_text() == "Holidays"
        inner = page.frame_locator("iframe")
        expect(inner.get_by_role("heading", name="Rich")).to_be_visible(timeout=PATIENCE_MS)
        expect(inner.locator("img")).to_have_js_property("naturalWidth", 300, timeout=PATIENCE_MS)
        expect(page.locator("article li img")).to_have_js_property("naturalWidth", 300, timeout=PATIENCE_MS)
        with page.expect_download() as saved:
            page.get_by_role("link", name="Original").click()
        assert saved.value.suggested_filename == "rich.eml"
        page.get_by_role("navigation", name="Path").get_by_role("link", name="me").click()
        assert page.get_by_role("img", name="unread").count() == 9  # to look at a message changes nothing


@pytest.mark.parametrize("width", [320, 1280])
def test_no_message_breaks_a_page(browser: Browser, server: Server, trap: Trap, width: int) -> None:
    context = visitor(browser, server, viewport={"width": width, "height": 600})
    page = context.new_page()
    for name in ("", *(f"{one}.eml" for one in ("wide", "cjk", "bare", "html-wide", "files"))):
        page.goto(f"{server.url}{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        box = page.locator("main").bounding_box()
        assert box is not None
        for element in page.locator("h1, dd, .letter, .text, article li a, iframe").all():
            inner = element.bounding_box()
            assert inner is None or (inner["x"] >= 0 and inner["x"] + inner["width"] <= width), name
    context.close()
    assert trap.asked == []


def test_the_trap_would_be_asked(browser: Browser, trap: Trap) -> None:
    """The same HTML without the store's care runs, and fetches."""
    page = browser.new_page()
    expected = {*(f"/{name}" for name in BAIT), "/dav/store/me/ran"}

    def visit() -> bool:
        """Look at the page: a busy browser may leave out what it fetches ahead, and fetch it another time."""
        page.goto(f"http://{trap.host}/bare", wait_until="networkidle")
        return expected <= {one.split()[0] for one in trap.asked}

    until(visit)
    page.close()
