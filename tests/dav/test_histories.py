"""REPORT `C:conversation-history` (docs/protocol.md#the-history-of-a-conversation)."""

from __future__ import annotations

import base64
import re
from xml.sax.saxutils import escape

import pytest

from davstore.model.functions import ALL, Function
from davstore.model.rules import KEYWORDS, STATES, Rule
from tests.dav.client import BOB, HOME, PHONE, Answer, Client, D, token_of
from tests.dav.test_bulk import rows
from tests.dav.test_filters import SEEN
from tests.dav.test_sessions import make
from tests.messages import group_state, session_info

C = "{urn:davstore:cpm}"
THREADS = "/dav/threads/alice/"
ETAG = "<D:prop><D:getetag/></D:prop>"


def letter(number: int, *, conversation: str | None = "chat/1", body: str = "") -> bytes:
    """Return a message of the first minutes of a day."""
    of = "" if conversation is None else f"Conversation-ID: {conversation}\r\n"
    head = f"From: a@example.org\r\n{of}Message-ID: <{number}@x>\r\nDate: Tue, 24 Nov 2026 10:{number:02}:00 +0000\r\n"
    return f"{head}\r\n{body or number}".encode()


def history(
    dav: Client, content: str = "", path: str = "", conversation: str | None = "chat/1", **headers: str
) -> Answer:
    """Ask for a page."""
    of = "" if conversation is None else f"<C:conversation-id>{escape(conversation)}</C:conversation-id>"
    name = 'C:conversation-history xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"'
    return dav("REPORT", path, f"<{name}>{of}{content or ETAG}</C:conversation-history>", **headers)


def limited(count: int, more: str = "") -> str:
    return f"<D:limit><D:nresults>{count}</D:nresults></D:limit>{more}{ETAG}"


def thread_of(answer: Answer) -> str:
    return str(answer.xml.findtext(f"{C}thread/{D}href"))


@pytest.fixture
def chat(dav: Client) -> Client:
    """Return the client with a conversation of five messages in two folders, and another message."""
    dav.mkcol("in", "sent")
    for number in range(5):
        dav.put(f"{'in' if number % 2 else 'sent'}/{number}.eml", letter(number))
    dav.put("in/other.eml", letter(9, conversation=None))
    return dav


def test_the_newest_come_in_the_order_of_time_with_the_thread_and_its_token(chat: Client) -> None:
    answer = history(chat, limited(2))
    told = rows(answer)
    thread = thread_of(answer)
    assert re.fullmatch(rf"{THREADS}[0-9a-f-]{{36}}/", thread)
    assert [status for _, status in told] == ["200", "200", "507 number-of-matches-within-limits"]
    assert all(href.startswith(thread) for href, _ in told[:2])
    assert told[2][0] == ""  # the request-URI
    bodies = [chat("GET", href).body for href, _ in told[:2]]
    assert bodies == [letter(3), letter(4)]
    assert answer.xml.findtext(f"{C}before") == "2026-11-24T10:03:00Z"
    listed = chat("REPORT", thread, SYNC.format(token_of(answer)))
    assert (listed.status, rows(listed)) == (207, [])
    assert token_of(listed) == token_of(answer)
    chat.put("in/new.eml", letter(6))
    chat.patch("in/1.eml", SEEN)
    assert len(rows(chat("REPORT", thread, SYNC.format(token_of(answer))))) == 2


SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)


def test_pages_go_on_by_the_element_that_was_given(chat: Client) -> None:
    for number in (10, 11):  # of one minute, and of one second
        chat.put(f"in/{number}.eml", letter(2).replace(b"<2@x>", b"<%d@x>" % number))
    told: list[str] = []
    more, begun, paged = "", "", 0
    while True:
        answer = history(chat, limited(2, more))
        told = [href for href, status in rows(answer) if status == "200"] + told
        begun = begun or token_of(answer)
        assert token_of(answer) == begun
        found = re.search(rb"<C:before[^<]*</C:before>", answer.body)
        paged += 1
        if found is None:
            break
        assert len(rows(answer)) in (2, 3)
        more = f"<D:sync-token>{begun}</D:sync-token>{found[0].decode()}"
    assert len(told) == len({*told}) == 7
    assert paged == 4
    assert chat("GET", told[0]).body == letter(0)


def test_a_thread_needs_no_id(chat: Client) -> None:
    thread = thread_of(history(chat))
    assert history(chat, path=thread, conversation=None).body == history(chat, path=thread).body
    assert [len(rows(history(chat, path=path))) for path in (THREADS, THREADS[:-1], thread[:-1])] == [5, 5, 5]
    other = next(one for one in chat.find(THREADS, "{DAV:}getetag", depth="1").hrefs() if one not in (thread, THREADS))
    assert len(rows(history(chat, path=other, conversation=None))) == 1
    assert history(chat, path=other).condition == f"{C}conversation-exists"


def test_before_is_a_time_that_is_left_out(chat: Client) -> None:
    for before, count in (("2026-11-24T10:03:00Z", 3), ("2026-11-24T11:03:00.1+01:00", 4), ("2026-11-23T00:00:00Z", 0)):
        answer = history(chat, f"<C:before>{before}</C:before>{ETAG}")
        assert len(rows(answer)) == count
        assert answer.xml.find(f"{C}before") is None
        assert thread_of(answer)


def test_bodies_come_as_text_or_in_base64(chat: Client) -> None:
    strange = {
        "legal": "tab\t, ü €, <&>]]> and \U0001f600\r\nline\n",
        "control": "a\x07b",
        "not-in-xml": "a\uffffb",
        "other": None,
    }
    for number, (name, text) in enumerate(strange.items()):
        body = letter(20 + number, conversation=name) + (b"\xff" if text is None else text.encode())
        chat.put(f"in/{name}.eml", body)
        for wanted, used in (("auto", "utf-8"), ("utf-8", "utf-8"), ("base64", "base64")):
            used = used if name == "legal" else "base64"
            answer = history(chat, f'<D:prop><D:getetag/><C:content encoding="{wanted}"/></D:prop>', conversation=name)
            [content] = answer.xml.iter(f"{C}content")
            assert dict(content.attrib) == {"encoding": used}
            assert (base64.b64decode(content.text) if used == "base64" else content.text.encode()) == body


def test_a_body_that_is_too_long_is_left_out(chat: Client) -> None:
    size = len(letter(0))
    for most, truncated in ((size, False), (size - 1, True)):
        answer = history(chat, f'<D:prop><C:content max-size="{most}"/></D:prop>')
        found = [dict(content.attrib) for content in answer.xml.iter(f"{C}content")]
        assert found == [{"truncated": "T", "size": str(size)} if truncated else {"encoding": "utf-8"}] * 5
    chat.put("in/long.eml", letter(30, conversation="long", body="x" * (1 << 20)))
    [content] = history(chat, "<D:prop><C:content/></D:prop>", conversation="long").xml.iter(f"{C}content")
    assert content.get("truncated") == "T"


def test_the_group_state_that_counts_comes_along(chat: Client) -> None:
    assert history(chat).xml.find(f"{C}current-group-state") is None
    for number, (folder, at) in enumerate((("s1", "2012-06-13T16:39:57-05:00"), ("s2", "2012-06-14T16:39:57-05:00"))):
        assert make(chat, f"{folder}/").status == 201
        chat.put(f"{folder}/info.eml", session_info(conversation="chat/1", contribution=f"s{number}"))
        chat.put(f"{folder}/state.xml", group_state(at), Content_Type="application/group-state-object+xml")
    answer = history(chat)
    assert answer.xml.findtext(f"{C}current-group-state/{D}href") == f"{HOME}/s2/state.xml"
    children = [child.tag.rpartition("}")[2] for child in answer.xml]
    assert children == [*["response"] * 5, "thread", "current-group-state", "sync-token"]


@pytest.mark.parametrize(
    ("content", "conversation"),
    [
        (ETAG, None),
        ("<D:limit/>", "chat/1"),
        (f"<D:limit><D:nresults>0</D:nresults></D:limit>{ETAG}", "chat/1"),
        (f"<C:before>yesterday</C:before>{ETAG}", "chat/1"),
        (f'<C:before tie="x">2026-11-24T10:03:00Z</C:before>{ETAG}', "chat/1"),
        ('<D:prop><C:content max-size="many"/></D:prop>', "chat/1"),
        ('<D:prop><C:content encoding="utf-16"/></D:prop>', "chat/1"),
        (f"{ETAG}{ETAG}", "chat/1"),
    ],
)
def test_what_cannot_be_read_is_refused(chat: Client, content: str, conversation: str | None) -> None:
    assert history(chat, content, conversation=conversation).status == 400


def test_what_is_not_there_is_told(chat: Client) -> None:
    for unknown in ("chat/2", "CHAT/1", "x" * 2_000, "ü'\"&", ""):
        missing = history(chat, conversation=unknown)
        assert (missing.status, missing.condition) == (404, f"{C}conversation-exists")
    assert history(chat, path="in/").condition == f"{D}supported-report"
    assert history(chat, path="in/1.eml").condition == f"{D}supported-report"
    assert history(chat, path=f"{THREADS}no/").status == 404
    assert history(chat, Depth="1").status == 400
    assert history(chat, f"<D:sync-token>x</D:sync-token>{ETAG}").condition == f"{D}valid-sync-token"
    assert history(chat, If=f'<{HOME}/in/1.eml> (["x"])').status == 412
    chat.principal = BOB
    assert history(chat, path=f"{HOME}/").status == 404
    missing = history(chat, path="/dav/store/bob/")
    assert (missing.status, missing.condition) == (404, f"{C}conversation-exists")


def test_it_is_a_report_of_roots_and_threads(chat: Client) -> None:
    thread, name = thread_of(history(chat)), f"{D}supported-report-set"
    for path, there in ((f"{HOME}/", True), (f"{HOME}/in/", False), (THREADS, True), (thread, True)):
        found = chat.find(path, name).prop(path, name)
        assert (found.find(f".//{C}conversation-history") is not None) is there
    chat.serve(ALL - {Function.SYNCHRONIZATION})
    assert history(chat).condition == f"{D}supported-report"
    assert chat.find("", name).prop(f"{HOME}/", name).find(f".//{C}conversation-history") is None


def test_a_device_is_asked_and_sees_what_it_may(chat: Client) -> None:
    thread = thread_of(history(chat))
    chat.patch("in/1.eml", SEEN)
    chat.principal = PHONE
    chat.rules = (Rule("small", max_body_bytes=len(letter(0)) - 1),)
    narrowed = history(chat)
    assert rows(narrowed) == []
    assert narrowed.xml.find(f"{C}sync-policy-applied") is not None
    chat.rules = (Rule("withheld", withhold_states=frozenset({*STATES, KEYWORDS})),)
    assert b"<C:seen>" not in history(chat, "<D:prop><C:seen/></D:prop>").body
    chat.rules = (Rule("names", list_only=True),)
    contents = history(chat, "<D:prop><C:content/></D:prop>").xml.iter(f"{C}content")
    assert {content.get("truncated") for content in contents} == {"T"}
    chat.rules = (Rule("hourly", min_interval_seconds=3_600),)
    assert [history(chat, path=path).status for path in ("", "", thread, thread)] == [207, 429, 207, 429]
    chat.rules = (Rule("never", allowed=False),)
    assert history(chat).condition == f"{C}sync-allowed"


def test_a_conversation_is_marked_in_one_request(chat: Client) -> None:
    answer = history(chat)
    hrefs = "".join(f"<D:href>{href}</D:href>" for href, _ in rows(answer))
    body = (
        f'<C:bulk-update xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{hrefs}'
        "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set></C:bulk-update>"
    )
    thread, unread = thread_of(answer), f"{C}unread-count"
    assert chat.find(thread, unread).text(thread, unread) == "5"
    marked = chat("POST", thread, body, Content_Type="application/xml")
    assert [status for _, status in rows(marked)] == ["200"] * 5
    assert chat.find(thread, unread).text(thread, unread) == "0"
    told = chat("REPORT", thread, SYNC.format(token_of(answer)))
    assert sorted(href for href, _ in rows(told)) == sorted(href for href, _ in rows(answer))
    assert token_of(told) == token_of(marked)
    ended = chat(
        "POST",
        THREADS,
        f'<C:bulk-delete xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:href>{thread}</D:href></C:bulk-delete>',
        Content_Type="application/xml",
    )
    assert rows(ended) == [(thread, "204")]
    assert (chat.names("in"), chat.names("sent")) == (["other.eml"], [])


def test_a_thread_of_two_conversations_has_the_newest_group_state_of_both(chat: Client) -> None:
    chat.put("in/8.eml", letter(8, conversation="chat/2"))
    chat.put("in/both.eml", "From: a@x\r\nMessage-ID: <both@x>\r\nReferences: <0@x> <8@x>\r\n\r\nboth")
    for folder, conversation, at in (
        ("s1", "chat/2", "2012-06-14T16:00:00Z"),
        ("s2", "chat/1", "2012-06-13T16:00:00Z"),
    ):
        assert make(chat, f"{folder}/").status == 201
        chat.put(f"{folder}/info.eml", session_info(folder, conversation))
        chat.put(f"{folder}/state.xml", group_state(at), Content_Type="application/group-state-object+xml")
    for conversation in ("chat/1", "chat/2"):
        answer = history(chat, conversation=conversation)
        assert answer.xml.findtext(f"{C}current-group-state/{D}href") == f"{HOME}/s1/state.xml"


def test_another_view_than_that_of_the_history_is_told_as_a_difference(chat: Client) -> None:
    chat.put("in/7.eml", letter(7, body="long" * 100))
    chat.principal, chat.rules = PHONE, (Rule("small", max_body_bytes=len(letter(7, body="long" * 100)) - 1),)
    answer = history(chat)
    assert len(rows(answer)) == 5
    chat.rules = ()
    [told] = chat.sync(thread_of(answer), token_of(answer)).hrefs()
    assert chat("GET", told).body == letter(7, body="long" * 100)
