"""The list of conversations, and the messages of one, read from their HTML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from lxml import html

from davstore.model.rules import Rule
from davstore.web import conversation
from tests.cpm_bodies import FILE_TRANSFER, OVER_HTTP
from tests.dav.client import ALICE, BOB, HOME, PHONE, Client, removing
from tests.dav.test_sessions import make
from tests.protocol.test_cpm_messages import RELATED
from tests.web.mails import mail, multipart, part
from tests.web.pictures import png
from tests.web.test_message import EVIL, RTL, flag
from tests.web.test_page import browse, page

ROOT = "/dav/threads/alice/"
ANNA = "Anna Berg <anna@example.org>"
ME = "me@example.net"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the store."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[Client]:
    """Yield the client of all tests."""
    client = Client(place)
    yield client
    client.close()


@pytest.fixture
def dav(client: Client) -> Iterator[Client]:
    """Yield the client, and empty the store of alice behind it."""
    yield client
    client.principal, client.rules = ALICE, ()
    for name in client.names():
        assert client("DELETE", quote(name)).status == 204


def chat(minute: int, text: str = "", conversation: str = "c", **fields: str) -> bytes:
    """Return a message of a chat, which has no subject."""
    words = {"Date": f"Mon, 1 Jun 2026 10:{minute:02}:00 +0000", "Message_ID": f"<{conversation}{minute}@example.org>"}
    return mail(text or f"text {minute}", Subject="", Conversation_ID=conversation, **{**words, **fields})


def listed(dav: Client, query: str = "") -> list[tuple[str, ...]]:
    """Return what the list says of each conversation: who, about what, messages, unread ones and time."""
    rows = page(dav, f"{ROOT}{query}").iterfind(".//tbody/tr")
    found: list[tuple[str, ...]] = []
    for row in rows:
        [count] = row.xpath(".//*[@class='count']/text()")
        who, about = (one.text_content() for one in row.iterfind(".//bdi"))
        unread, time = (" ".join(cell.text_content().split()) for cell in row.iterfind("td"))
        assert bool(unread) == bool(row.xpath(".//*[contains(@class, 'letter unread')]"))
        found.append((who, about, count, unread, time))
    return found


def path_of(dav: Client, row: int = 0) -> str:
    """Return the path of a conversation in the list."""
    return urljoin(ROOT, str(page(dav, ROOT).xpath("//tbody//a/@href")[row]))


def texts(document: Any) -> list[str]:
    """Return the texts of the messages of a page, in order."""
    return [one.text_content() for one in document.xpath("//div[@class='text']")]


def follow(dav: Client, path: str, document: Any, label: str) -> tuple[str, Any]:
    """Go on by the first link of a navigation; return where to, and the page."""
    there = urljoin(path, document.xpath(f"//nav[@aria-label='{label}']/a/@href")[0])
    return there, page(dav, there)


def test_the_list_is_by_last_activity(dav: Client) -> None:
    dav.put("1.eml", mail(To="Bo <bo@example.org>, cy@example.org, dy@example.org", Message_ID="<1@x>"))
    dav.put("2.cpim", chat(0, conversation="c"))
    dav.put("3.cpim", chat(59, "See you there", conversation="c", Message_Direction="sent", From=ME, To=ANNA))
    answer = {"References": "<1@x>", "Subject": "Re: Re: Holidays", "Date": "Mon, 1 Jun 2026 09:00:00 +0000"}
    dav.put("4.eml", mail(Message_ID="<4@x>", **answer))
    dav.put("photo.jpg", b"no message")
    assert listed(dav) == [
        ("Anna Berg, me@example.net", "See you there", "2", "1", "2026-06-01 10:59"),
        ("Anna Berg, Bo, cy@example.org and 2 more", "Holidays", "2", "2", "2026-06-01 09:00"),
    ]
    dav.patch("2.cpim", flag("seen"))
    assert [row[3] for row in listed(dav)] == ["", "2"]


def test_a_long_list_is_paged_and_each_conversation_is_there_once(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "THREADS", 3)
    for number in range(8):
        dav.put(f"{number}.cpim", chat(number // 2, f"text {number}", conversation=f"c{number}"))
    found, path = [], ROOT
    while True:
        document = page(dav, path)
        some = [one.text_content() for one in document.xpath("//tbody//bdi[2]")]
        assert len(some) <= 3
        found += some
        more = document.xpath("//nav[@aria-label='Pages']/a[@rel='next']/@href")
        if not more:
            break
        path = urljoin(path, more[0])
    assert sorted(found) == [f"text {number}" for number in range(8)]
    assert [int(one[-1]) // 2 for one in found] == [3, 3, 2, 2, 1, 1, 0, 0]
    assert urljoin(path, document.xpath("//nav[@aria-label='Pages']/a[1]/@href")[0]) == ROOT


def test_a_conversation_is_read_from_top_to_bottom(dav: Client) -> None:
    dav.put("2.cpim", chat(2, "Later", Message_Direction="sent", From=f"<{ME}>", To=ANNA))
    dav.put("1.cpim", chat(1, "Früher & <b>", From=ANNA))
    document = page(dav, path_of(dav))
    assert texts(document) == ["Früher & <b>", "Later"]
    said = document.findall(".//article")
    assert [one.get("class") for one in said] == [None, "sent"]
    assert [one.findtext(".//header/b/bdi") for one in said] == ["Anna Berg", ME]
    assert [one.find(".//time").get("datetime") for one in said] == ["2026-06-01T10:01:00Z", "2026-06-01T10:02:00Z"]
    assert [bool(one.xpath(".//*[@aria-label='unread']")) for one in said] == [True, False]
    assert document.findtext(".//main/h1/bdi") == f"Anna Berg, {ME}"
    assert "2 messages, 1 unread" in document.find(".//p[@class='about']").text_content()


def test_subjects_are_told_where_they_change(dav: Client) -> None:
    for number, subject in enumerate(("Holidays", "Re: Holidays", "RE: re: Holidays", "The tent", "Re: The tent")):
        ids = {"Message_ID": f"<{number}@x>", "References": "<0@x>"}
        dav.put(f"{number}.eml", mail(Subject=subject, Date=f"Mon, 1 Jun 2026 10:0{number}:00 +0000", **ids))
    document = page(dav, path_of(dav))
    assert document.findtext(".//main/h1/bdi") == "Holidays"
    assert [one.text_content() for one in document.findall(".//h2")] == ["The tent", "The tent"]


def test_pictures_are_shown_and_other_files_are_linked(dav: Client) -> None:
    parts = [
        part("Look", "text/plain"),
        part(png(3, 2), "image/png", "Content-Disposition: attachment; filename=bench.png"),
        part("<svg/>", "image/svg+xml", "Content-Disposition: attachment; filename=a.svg"),
        part(b"x" * 57, "application/pdf", "Content-Disposition: attachment; filename=plan.pdf"),
    ]
    dav.put("1.eml", multipart("mixed", parts))
    path = path_of(dav)
    document = page(dav, path)
    [picture] = document.xpath("//article//img")
    assert (picture.get("alt"), picture.get("loading")) == ("bench.png", "lazy")
    shown = dav("GET", urljoin(path, picture.get("src")))
    assert (shown.status, shown.headers["Content-Type"], shown.body) == (200, "image/png", png(3, 2))
    files = document.xpath("//article//ul//a")
    assert [one.findtext(".//bdi") for one in files] == ["a.svg", "plan.pdf"]
    assert dav("GET", urljoin(path, files[1].get("href"))).body == b"x" * 57
    assert texts(document) == ["Look"]


def test_a_chat_with_pictures(dav: Client) -> None:
    """One as the only content of a CPIM, and one of a file transfer, whose XML is for programs."""
    cpim = b"From: <im:a@x>\r\nTo: <im:b@x>\r\nDateTime: 2026-06-01T10:00:00Z\r\n\r\n"
    heads = [chat(minute, Content_Type="").partition(b"\r\n\r\n")[0] + b"\r\n" for minute in range(3)]
    kind = b"Application/X-CPM-File-Transfer"
    dav.put("1.cpim", heads[0] + b"Content-Type: Message/CPIM\r\n\r\n" + cpim + part(png(1, 1), "image/png"))
    dav.put("2.cpim", heads[1] + RELATED % (kind, kind, FILE_TRANSFER))
    dav.put("3.cpim", heads[2] + b"Content-Type: application/vnd.gsma.rcs-ft-http+xml\r\n\r\n" + OVER_HTTP)
    document = page(dav, path_of(dav))
    assert [one.get("src").partition("?")[2] for one in document.xpath("//article//img")] == ["part=1", "part=2"]
    assert texts(document) == ["My picture.jpg", "car & me.png"]
    assert not document.xpath("//article//ul")


def test_the_plain_text_is_read_and_html_alone_is_in_a_frame(dav: Client) -> None:
    versions = [part("plain words", "text/plain"), part("<p>rich words", "text/html")]
    dav.put("1.eml", multipart("alternative", versions, Message_ID="<1@x>"))
    dav.put("2.eml", mail("<p>only rich", "text/html", Message_ID="<2@x>", References="<1@x>"))
    path = path_of(dav)
    document = page(dav, path)
    assert texts(document) == ["plain words"]
    [frame] = document.findall(".//iframe")
    assert "allow-scripts" not in frame.get("sandbox")
    answer = browse(dav, urljoin(path, frame.get("src")))
    assert b"only rich" in answer.body
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_a_long_text_is_cut_and_leads_to_the_message(dav: Client) -> None:
    dav.put("1.cpim", chat(0, "word " * 100_000))
    path = path_of(dav)
    document = page(dav, path)
    assert 1_000 < len(texts(document)[0]) <= 4_096
    [link] = document.xpath("//article/p/a/@href")
    alone = page(dav, urljoin(path, link))
    assert "".join(texts(alone)).count("word") == 100_000
    assert alone.xpath("//header//a/@href")[1] == "../"


def test_a_message_of_many_parts_is_shown_by_its_beginning(dav: Client) -> None:
    for number, text, others in ((1, "First", 300), (2, "Second", 25)):
        ids = {"Message_ID": f"<{number}@x>", "References": "<1@x>"}
        dav.put(f"{number}.eml", multipart("mixed", [part(text, "text/plain"), *[part("x", "a/b")] * others], **ids))
    document = page(dav, path_of(dav))
    assert texts(document) == ["First", "Second"]
    assert len(document.xpath("//article//li")) == 20
    assert [one.text_content() for one in document.xpath("//article/p")] == [
        "The rest is not shown. All of it",
        "5 more attachments",
    ]


def test_copies_of_a_message_are_shown_once_and_read_by_any(dav: Client) -> None:
    dav.put("1.cpim", chat(0, "Once"))
    dav("COPY", "1.cpim", Destination=f"{HOME}/copy.cpim")
    path = path_of(dav)
    assert texts(page(dav, path)) == ["Once"]
    for name in ("1.cpim", "copy.cpim"):
        dav.patch(name, flag("seen"))
        document = page(dav, path)
        assert texts(document) == ["Once"]
        assert not document.xpath("//*[@aria-label='unread']")
        dav.patch(name, removing('<C:seen xmlns:C="urn:davstore:cpm"/>'))
        assert page(dav, path).xpath("//*[@aria-label='unread']")


def test_a_long_conversation_opens_at_its_end(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MESSAGES", 3)
    for number in range(8):
        dav.put(f"{number}.cpim", chat(number // 2, f"{number}", Message_ID=f"<{number}@x>"))
    path = start = path_of(dav)
    document = page(dav, path)
    pages = [texts(document)]
    assert not document.xpath("//nav[@aria-label='Newer messages']")
    while document.xpath("//nav[@aria-label='Older messages']"):
        path, document = follow(dav, path, document, "Older messages")
        pages.insert(0, texts(document))
    assert [len(one) for one in pages] == [2, 3, 3]
    everything = [one for some in pages for one in some]
    assert sorted(everything) == [f"{number}" for number in range(8)]
    assert [int(one) // 2 for one in everything] == [0, 0, 1, 1, 2, 2, 3, 3]
    back = texts(document)
    while document.xpath("//nav[@aria-label='Newer messages']"):
        path, document = follow(dav, path, document, "Newer messages")
        back += texts(document)
    assert back == everything
    assert document.xpath("//nav[@aria-label='Older messages']")
    assert texts(page(dav, start)) == pages[-1]


def test_nothing_in_a_conversation_is_markup(dav: Client) -> None:
    bad = [part(EVIL, "text/plain"), part("x", "a/b", f'Content-Disposition: attachment; filename="{EVIL[2:]}{RTL}"')]
    named = f"{EVIL[2:]}{RTL} <evil@example.org>"
    dav.put("1.eml", multipart("mixed", bad, From=named, Subject=f"{EVIL}{RTL}", Conversation_ID=EVIL))
    dav.put("2.eml", mail(EVIL, From=named, Subject="", Message_ID="<2@x>", Conversation_ID=EVIL))
    path = path_of(dav)
    for there in (ROOT, path):
        answer = browse(dav, there)
        document: Any = html.document_fromstring(answer.body.decode())
        assert not document.xpath("//script | //*[@onerror]")
        assert "<script>alert" not in answer.body.decode()
        assert "alert(1)" in document.text_content()
        shown = document.xpath("//h1 | //h2 | //header | //table | //ul")
        assert RTL not in "".join(one.text_content() for one in shown)
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")


def test_sessions_are_linked(dav: Client) -> None:
    make(dav, "s%20%3Cb%3E/")
    info = "<session><session-type>Group</session-type></session>"
    dav.put("s%20%3Cb%3E/info", mail(info, "Application/X-CPM-Session", Conversation_ID="c", Contribution_ID="s"))
    dav.put("s%20%3Cb%3E/1.cpim", chat(0))
    path = path_of(dav)
    [link] = page(dav, path).xpath("//p[@class='about']/a")
    assert link.text_content() == "s <b>"
    assert urljoin(path, link.get("href")) == f"{HOME}/s%20%3Cb%3E/"


def test_files_and_conversations_lead_to_each_other(dav: Client) -> None:
    dav.mkcol("a", "a/b")
    dav.principal = BOB
    assert not page(dav, "/dav/store/bob/").xpath("//body/header/a")  # it never held a message
    dav.principal = ALICE
    dav.put("a/b/1.cpim", chat(0))
    for path in (f"{HOME}/", f"{HOME}/a/b/"):
        [link] = page(dav, path).xpath("//body/header/a/@href")
        assert urljoin(path, link) == ROOT
    there = path_of(dav)
    [link] = page(dav, f"{HOME}/a/b/1.cpim").xpath("//body/header/a/@href")
    assert urljoin(f"{HOME}/a/b/1.cpim", link) == there
    for path in (ROOT, there):
        assert urljoin(path, page(dav, path).xpath("//body/header/a/@href")[0]) == f"{HOME}/"
    [member] = page(dav, there).xpath("//article/header/a/@href")
    member = urljoin(there, member)
    crumbs = [urljoin(member, one) for one in page(dav, member).xpath("//header//a/@href")]
    assert crumbs == [f"{HOME}/", ROOT, there]


def test_what_is_not_there_and_what_cannot_be_asked(dav: Client) -> None:
    dav.put("1.cpim", chat(0))
    path = path_of(dav)
    for there in (f"{ROOT}x/", "/dav/threads/bob/", path.replace("alice", "bob"), f"{path}x/"):
        assert browse(dav, there).status == 404
    twice = ("before=1.1&before=1.1", "before=1.1&after=1.1")
    for query in ("before=", "before=1", "after=a.b", *twice, f"after={'9' * 19}.1"):
        assert browse(dav, f"{path}?{query}").status == 400
        assert browse(dav, f"{ROOT}?{query}").status == 400
    assert texts(page(dav, f"{path}?utm=1")) == ["text 0"]
    assert texts(page(dav, f"{path}?after={'9' * 18}.1")) == texts(page(dav, f"{path}?before=-1.1")) == []
    answer = browse(dav, path)
    assert browse(dav, path, If_None_Match=answer.headers["ETag"]).status == 304
    assert browse(dav, path, method="HEAD").headers == answer.headers
    assert dav("GET", path, Accept="text/plain").body.endswith(b".cpim\n")


def test_a_device_is_asked_and_sees_what_it_may(dav: Client) -> None:
    old = chat(0, "out of view")
    fresh = chat(1, "in view", Date="Fri, 15 Jan 2027 07:00:00 +0000")
    dav.put("1.cpim", old)
    dav.put("2.cpim", fresh)
    dav.put("3.cpim", chat(0, "hidden too", conversation="d"))
    path = path_of(dav)
    dav.principal = PHONE
    dav.rules = (Rule("young", max_age_seconds=86_400),)
    assert texts(page(dav, path)) == ["in view"]
    assert b"out of view" not in browse(dav, path).body
    assert b"hidden too" not in browse(dav, ROOT).body
    dav.rules = ()
    dav.mkcol("Archive")
    assert dav("MOVE", "2.cpim", Destination=f"{HOME}/Archive/2.cpim").status == 201
    dav.rules = (Rule("no-archive", exclude=(("Archive",),)),)
    assert texts(page(dav, path)) == ["out of view"]
    assert b"in view" not in browse(dav, ROOT).body
    dav.rules = (Rule("no", allowed=False),)
    for there in (ROOT, path):
        assert browse(dav, there).status == 403
    dav.rules = (Rule("hourly", min_interval_seconds=3600),)
    assert browse(dav, ROOT).status == 200
    assert browse(dav, ROOT).status == 429


def test_a_lost_body_does_not_take_the_conversation_along(dav: Client, place: Path) -> None:
    dav.put("1.cpim", chat(0, "word " * 30_000))
    dav.put("2.cpim", chat(1, "still here"))
    for blob in (place / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    first, second = texts(page(dav, path_of(dav)))
    assert first.startswith("word word")
    assert second == "still here"
