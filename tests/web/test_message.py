"""Messages in lists, and the page of one, read from its HTML."""

from __future__ import annotations

import base64
import random
import re
import time
from typing import Any
from urllib.parse import quote

from lxml import html

from davstore.web import message
from tests.dav.client import HOME, Answer, Client, setting
from tests.samples import SAMPLES
from tests.web.mails import mail, multipart, nested, part
from tests.web.pictures import png
from tests.web.test_page import browse, names, page, rows

KIO = "text/html, text/*;q=0.9, image/jpeg;q=0.9, image/png;q=0.9, image/*;q=0.9, */*;q=0.8"
"""What KIO 5.103 sends with every GET, of a `webdav:` URL too."""
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
"""What Java's HttpURLConnection sends unless it is told another."""
RTL = "\u202e"
EVIL = '"><script>alert(1)</script>'


def shown(dav: Client, path: str) -> Any:
    """Return the document of the page of a message."""
    return page(dav, path)


def facts(document: Any) -> dict[str, str]:
    """Return the headers that a page shows."""
    terms = [one.text_content() for one in document.iterfind(".//dl/dt")]
    values = [" ".join(one.text_content().split()) for one in document.iterfind(".//dl/dd")]
    return dict(zip(terms, values, strict=True))


def text(document: Any) -> str:
    """Return the text of a message."""
    return "".join(one.text_content() for one in document.iterfind(".//div[@class='text']"))


def frames(document: Any) -> list[str]:
    """Return the references of the frames of a page."""
    return [str(one.get("src")) for one in document.iterfind(".//iframe")]


def attachments(document: Any) -> list[tuple[str, str, str]]:
    """Return reference, name and what is said of each attachment."""
    return [
        (one.get("href"), one.findtext(".//bdi"), one.findtext(".//small")) for one in document.iterfind(".//ul/li/a")
    ]


def frame(dav: Client, path: str, number: str = "1") -> Answer:
    """Return the answer with the HTML of a part."""
    answer = browse(dav, f"{path}?html={number}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer


def flag(name: str) -> str:
    """Return an instruction that sets a flag."""
    return setting(f'<C:{name} xmlns:C="urn:davstore:cpm">T</C:{name}>')


def marks(document: Any) -> list[set[str]]:
    """Return the marks of each member of a list."""
    return [{one.get("aria-label") for one in row.iterfind(".//*[@role='img']")} for row in document.iter("tr")][1:]


def test_a_list_shows_messages_as_messages(dav: Client) -> None:
    dav.put("1", mail())
    dav.put("2", mail(From="=?utf-8?q?J=C3=BCrgen?= <j@example.org>", Subject="=?utf-8?b?w4RwZmVs?="))
    dav.put("3.txt", b"no message")
    document = page(dav, f"{HOME}/")
    assert [row[0] for row in rows(document)] == ["Anna BergHolidays", "JürgenÄpfel", "3.txt"]
    assert [row[1] for row in rows(document)] == ["Message", "Message", "Text"]
    assert [row[3] for row in rows(document)] == ["2026-06-01 08:00", "2026-06-01 08:00", "2027-01-15 08:00"]
    assert document.xpath("//tbody//a/@href") == ["./1", "./2", "./3.txt"]


def test_a_list_says_what_is_unread(dav: Client) -> None:
    dav.put("1", mail())
    dav.put("2", mail())
    dav.put("3", mail(Message_Direction="sent"))
    dav.put("4", multipart("mixed", [part("x", "text/plain"), part(b"", "a/b", "Content-Disposition: attachment")]))
    assert dav.patch("2", flag("seen")).status == 207
    assert dav.patch("4", flag("flagged")).status == 207
    document = page(dav, f"{HOME}/")
    assert marks(document) == [{"unread"}, set(), set(), {"unread", "has attachments", "flagged"}]
    assert [names(document)[i] for i in (0, 2, 4)] == ["Anna Berg", "Anna Berg", "To me@example.net"]
    bold = [
        one.text_content() for one in document.xpath("//*[contains(@class, 'letter') and contains(@class, 'unread')]")
    ]
    assert len(bold) == 2


def test_to_look_at_a_message_changes_nothing(dav: Client) -> None:
    dav.put("1", mail())
    before = dav.sync().body
    assert browse(dav, "1").status == 200
    assert dav.sync().body == before
    assert marks(page(dav, f"{HOME}/")) == [{"unread"}]


def test_messages_are_sorted_by_their_date(dav: Client) -> None:
    for name, day in (("a", "3"), ("b", "1"), ("c", "2")):
        dav.put(name, mail(Date=f"Mon, {day} Jun 2026 10:00:00 +0000"))
    document = page(dav, f"{HOME}/?sort=time&order=desc")
    assert [row[3][:10] for row in rows(document)] == ["2026-06-03", "2026-06-02", "2026-06-01"]


def test_a_list_of_messages_without_headers(dav: Client) -> None:
    dav.put("1", mail(From="", Subject="", To="", Date=""))
    assert names(page(dav, f"{HOME}/")) == ["(no subject)"]
    document = shown(dav, "1")
    assert document.findtext(".//h1/bdi") == "(no subject)"
    assert facts(document) == {"Kind": "Message", "Date": "2027-01-15 08:00 UTC", "Message-ID": "1@example.org"}


def test_the_page_of_a_message(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/1", mail("Grüße\r\n\r\n> a <b>\r\n", Cc="Bob <bob@example.org>, c@example.org"))
    document = shown(dav, "c/1")
    assert document.findtext(".//h1/bdi") == "Holidays"
    assert facts(document) == {
        "From": "Anna Berg <anna@example.org>",
        "To": "me@example.net",
        "Cc": "Bob <bob@example.org>, c@example.org",
        "Date": "2026-06-01 08:00 UTC",
        "Message-ID": "1@example.org",
    }
    assert text(document).replace("\r", "") == "Grüße\n\n> a <b>\n"
    assert document.xpath("//nav//a/@href") == ["../", "./"]
    assert document.xpath("//footer//a/@href") == ["?raw"]


def test_programs_get_the_bytes(dav: Client) -> None:
    body = mail()
    etag = dav.put("1", body)
    for accept in (None, "*/*", "text/plain", "message/rfc822", KIO, JAVA):
        answer = dav("GET", "1", Accept=accept)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (200, body, etag)
        assert answer.headers["Vary"] == "Accept"
        same = dav("GET", "1", Accept=accept, If_None_Match=etag)
        assert (same.status, same.headers["Vary"]) == (304, "Accept")
    assert b"<article>" in dav("GET", "1", Accept="text/html").body  # it takes nothing else


def test_people_get_the_bytes_by_the_link(dav: Client) -> None:
    body = mail()
    dav.put("1", body)
    answer = browse(dav, "1?raw")
    assert answer.body == body
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert dav("PUT", "1?raw", b"other").status == 204  # the query means nothing to WebDAV
    assert dav("GET", "1").body == b"other"


def test_what_is_no_message_has_no_page(dav: Client) -> None:
    dav.put("1.eml", b"text", Content_Type="message/rfc822")
    answer = browse(dav, "1.eml")
    assert (answer.body, answer.headers.get("Vary")) == (b"text", None)


def test_the_page_is_fresh_and_of_two_kinds(dav: Client) -> None:
    dav.put("1", mail())
    got, head = browse(dav, "1"), browse(dav, "1", method="HEAD")
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")
    assert "Accept" in got.headers["Vary"]
    assert got.headers["ETag"] != dav("GET", "1").headers["ETag"]
    assert browse(dav, "1", If_None_Match=got.headers["ETag"]).status == 304
    dav.put("1", mail("Other.\r\n"))
    assert browse(dav, "1", If_None_Match=got.headers["ETag"]).status == 200


def test_html_comes_in_a_frame_with_its_pictures(dav: Client) -> None:
    picture = part(png(1, 1), "image/png", "Content-ID: <a@b>")
    related = nested("related", [part('<p>Rich <img src="cid:a%40b" alt="x">', "text/html"), picture])
    dav.put("1", multipart("alternative", [part("Plain", "text/plain"), related]))
    document = shown(dav, "1")
    assert (frames(document), text(document)) == (["?html=2.1"], "")
    assert document.xpath("//nav[@aria-label='Other versions']/a/@href") == ["?part=1"]
    assert [one[0] for one in attachments(document)] == ["?part=2.2"]
    inner = html.document_fromstring(frame(dav, "1", "2.1").body.decode())
    assert inner.xpath("//img/@src") == ["?part=2.2"]
    assert dav("GET", "1?part=2.2").body == png(1, 1)


def test_attachments_are_listed(dav: Client) -> None:
    inner = mail("Inside", Subject="Forwarded")
    parts = [
        part("Body", "text/plain"),
        part(b"%PDF" + b"x" * 996, "application/pdf", f'Content-Disposition: attachment; filename="{RTL}fdp.exe"'),
        part(png(1, 1).ljust(1_000), "image/png", 'Content-Disposition: attachment; filename="a.png"'),
        b"Content-Type: message/rfc822\r\n\r\n" + inner,
        part("<p>".ljust(1_000), "text/html", "Content-Disposition: attachment; filename*=utf-8''%3Cb%3E.html"),
    ]
    dav.put("1", multipart("mixed", parts))
    document = shown(dav, "1")
    assert (text(document), frames(document)) == ("Body", [])
    assert attachments(document) == [
        ("?part=2", "\ufffdfdp.exe", "PDF, 1.0 kB"),
        ("?part=3", "a.png", "Picture, 1.0 kB"),
        ("?part=4", "Part 4", f"Message, {len(inner)} B"),
        ("?part=5", "<b>.html", "Web page, 1.0 kB"),
    ]
    assert document.xpath("//li//img/@src") == ["?part=3"]


def test_links_of_a_text_are_safe(dav: Client) -> None:
    body = "See https://example.org/a?b=1&c=2. (http://example.net/) javascript:alert(1) https://\r\nwww.example.org"
    dav.put("1", mail(body))
    document = shown(dav, "1")
    links = document.xpath("//div[@class='text']//a")
    assert [one.get("href") for one in links] == ["https://example.org/a?b=1&c=2", "http://example.net/"]
    assert {(one.get("rel"), one.get("target")) for one in links} == {("noopener noreferrer", "_blank")}
    assert text(document).replace("\r", "") == body.replace("\r", "")


def test_a_page_has_so_many_links_and_all_of_the_text(dav: Client) -> None:
    body = "".join(f"😀 http://x.y/{number}/" + "." * 9 + "\n" for number in range(4_000))
    dav.put("1", mail(body))
    document = shown(dav, "1")
    links = document.xpath("//div[@class='text']//a/@href")
    assert links == [f"http://x.y/{number}/" for number in range(2_000)]
    assert text(document).split() == body.split()


def test_text_is_decoded(dav: Client) -> None:
    for content_type, body, expected in (
        ("text/plain; charset=iso-8859-15", "€ 5".encode("iso-8859-15"), "€ 5"),
        ("text/plain", "é".encode(), "é"),
        ("text/plain", "“é”".encode("cp1252"), "“é”"),
        ("text/plain; charset=x-unknown", "é".encode(), "é"),
        ("text/plain; charset=unicode_escape", b"\\ud800", "\\ud800"),
        ("text/plain; charset=utf-7", b"+2AA-x", "?x"),  # half of a surrogate pair
        ("text/plain; charset=idna", b"x" * 90, "x" * 90),
    ):
        dav.put("1", mail(body, content_type))
        assert text(shown(dav, "1")).rstrip() == expected


def test_a_long_text_is_cut_between_words(dav: Client) -> None:
    dav.put("1", mail("äöü " * 400_000))
    document = shown(dav, "1")
    assert set(text(document).split()) == {"äöü"}
    assert message.MOST_TEXT_BYTES - 10 < len(text(document).encode()) <= message.MOST_TEXT_BYTES
    assert document.xpath("//article/p/a/@href") == ["?part=1"]


def test_long_html_is_cut(dav: Client) -> None:
    dav.put("1", mail("<p>word</p>" * 100_000, "text/html"))
    inner = html.document_fromstring(frame(dav, "1").body.decode())
    assert inner.xpath("//em/a/@href") == ["?part=1"]
    assert 20_000 < len(inner.findall(".//p")) < 30_000


def test_html_that_grows_is_bounded(dav: Client) -> None:
    """Elements that HTML5 opens again in each paragraph, deep ones, and other ways to make much of little."""
    for content in (
        "<p>" + "".join(f"<font color={i}>" for i in range(240)) + "<p>x" * 50_000,
        "<div>" * 200_000,
        "<table><a>" * 20_000,
        "<ul><li>" * 30_000,
        "&lt;" * 60_000,
        '<p style="' + "color:red;" * 25_000 + '">x',
        "<!--" * 60_000,
    ):
        dav.put("1", mail(content, "text/html"))
        began = time.process_time()
        assert len(frame(dav, "1").body) < 2_000_000
        assert time.process_time() - began < 5


def test_the_frame_keeps_its_own_policy(dav: Client) -> None:
    dav.put("1", mail("<p>x", "text/html"))
    answer = frame(dav, "1")
    directives = set(answer.headers["Content-Security-Policy"].split("; "))
    assert directives == {
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox",
        "default-src 'none'",
        "img-src 'self' data:",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    }
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    document = shown(dav, "1")
    assert set(document.find(".//iframe").get("sandbox").split()) == {
        "allow-same-origin",
        "allow-popups",
        "allow-popups-to-escape-sandbox",
    }
    policy = set(browse(dav, "1").headers["Content-Security-Policy"].split("; "))
    assert {"default-src 'none'", "img-src 'self'", "frame-src 'self'", "frame-ancestors 'none'"} <= policy
    assert not [one for one in policy if one.startswith("script")]


def test_only_html_has_a_frame(dav: Client) -> None:
    dav.put("1", multipart("mixed", [part("<p>", "text/html"), part("x", "text/plain")]))
    for query in ("html=2", "html=", "html=1.1", "html=x"):
        assert browse(dav, f"1?{query}").status == 404
        assert dav("GET", f"1?{query}").status == 200  # of a program it has no meaning


OBJECTS = [
    (
        (
            b'<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>34jk</message-id>'
            b"<datetime>2026-04-04T12:16:49-05:00</datetime><recipient-uri>im:bob@example.org</recipient-uri>"
            b"<display-notification><status><displayed/></status></display-notification></imdn>"
        ),
        "displayed",
        "Notification",
    ),
    (
        (
            b"From: MR SANDERS <im:piglet@100akerwood.com>\r\nTo: Depressed Donkey <im:eeyore@100akerwood.com>\r\n"
            b"DateTime: 2026-12-13T13:40:00-08:00\r\nSubject: the weather will be fine today\r\n\r\n"
            b"Content-type: text/plain; charset=utf-8\r\n\r\nHere is the text of my message.\r\n"
        ),
        "Here is the text of my message.",
        "Message",
    ),
    (
        (
            b'<?xml version="1.0"?><groupstate timestamp="2026-04-04T12:16:49Z" lastfocussessionid="sip:x@example.org" '
            b'group-type="Closed"><participant name="Bob" comm-addr="tel:+1" role="Administrator"/></groupstate>'
        ),
        "participant",
        "Group",
    ),
]


def test_objects_of_a_message_store_can_be_read(dav: Client) -> None:
    for body, word, kind in OBJECTS:
        dav.put("1", body)
        assert [row[1] for row in rows(page(dav, f"{HOME}/"))] == [kind]
        assert word in text(shown(dav, "1"))
        assert dav("GET", "1").body == body


def test_markup_in_headers_and_names_is_text(dav: Client) -> None:
    fields = {name: quote_word(EVIL + RTL) for name in ("From", "To", "Cc", "Subject", "Message_ID")}
    attached = part("x", "a/b", f"Content-Disposition: attachment; filename*=utf-8''{quote(EVIL + RTL, safe='')}")
    dav.put("1", multipart("mixed", [part(EVIL, "text/plain"), attached], **fields))
    for document in (shown(dav, "1"), page(dav, f"{HOME}/")):
        assert not document.findall(".//script")
        assert RTL not in document.text_content()
        assert EVIL in document.text_content()
        attributes = {name for element in document.iter() for name in element.attrib}
        assert not [name for name in attributes if name.startswith("on")]


def quote_word(value: str) -> str:
    """Return an encoded word."""
    return f"=?utf-8?b?{base64.b64encode(value.encode()).decode()}?="


def test_every_message_of_the_corpus_has_a_page(dav: Client) -> None:
    """Broken mail too: a page, its frames, and the bytes as they were."""
    files = [one for one in sorted((SAMPLES / "mail").rglob("*")) if one.is_file()]
    for number, file in enumerate(files):
        body = file.read_bytes()
        dav.put(str(number), body)
        answer = browse(dav, str(number))
        assert answer.status == 200, file
        if answer.body == body:
            continue  # it is no message
        for reference in frames(html.document_fromstring(answer.body.decode())):
            assert browse(dav, f"{number}{reference}").status == 200, file
        assert dav("GET", str(number)).body == body
    assert browse(dav, f"{HOME}/").status == 200


def test_no_bytes_of_a_message_break_its_page(dav: Client) -> None:
    """Pieces of messages, changed, doubled and left out."""
    picture = part(png(1, 1), "image/png", "Content-ID: <a@b>")
    related = nested("related", [part('<p>Rich <img src="cid:a@b">', "text/html; charset=utf-16"), picture])
    seed = multipart("mixed", [nested("alternative", [part("Plain", "text/plain; charset=utf-7"), related]), picture])
    chance, shown_ = random.Random(2), 0
    for _ in range(150):
        pieces = re.split(rb"(?<=[\r\n;=/\"])", seed)
        for _ in range(chance.randint(1, 4)):
            i = chance.randrange(len(pieces))
            pieces[i] = chance.choice(
                (b"", pieces[i] * 2, chance.randbytes(3), chance.choice(pieces), b"message/rfc822")
            )
        body = b"".join(pieces)
        dav.put("1", body)
        answer = browse(dav, "1")
        assert answer.status == 200, body
        if b"<article>" in answer.body:
            shown_ += 1
            for reference in frames(html.document_fromstring(answer.body.decode())):
                assert browse(dav, f"1{reference}").status == 200, body
    assert shown_ > 100
