"""sync-collection with a filter: a part of a collection, and what enters and leaves it."""

from __future__ import annotations

import pytest

from tests.dav.client import HOME, Answer, Client, sync_body, token_of

C = "{urn:davstore:cpm}"
UNREAD = "<D:not><D:is-defined><D:prop><C:seen/></D:prop></D:is-defined></D:not>"
READ = "<D:is-defined><D:prop><C:seen/></D:prop></D:is-defined>"
SEEN = '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>'
UNSEEN = '<D:remove><D:prop><C:seen xmlns:C="urn:davstore:cpm"/></D:prop></D:remove>'


def report(dav: Client, where: str | None, token: str = "", path: str = "", limit: int | None = None) -> Answer:
    """Return a report of what a condition selects."""
    body = sync_body(token, limit=limit)
    if where is not None:
        content = f'<C:filter xmlns:C="urn:davstore:cpm"><D:where>{where}</D:where></C:filter>'
        body = body.replace("<D:prop>", f"{content}<D:prop>", 1)
    return dav("REPORT", path, body)


def told(answer: Answer) -> dict[str, str]:
    """Return a word for each row: there, gone, or out of view."""
    found = {}
    for response in answer.xml.iter("{DAV:}response"):
        status = response.findtext("{DAV:}status")
        word = "there" if status is None else "gone"
        if response.find(f"{{DAV:}}error/{C}out-of-view") is not None:
            assert status == "HTTP/1.1 404 Not Found"
            assert [child.tag for child in response] == ["{DAV:}href", "{DAV:}status", "{DAV:}error"]
            word = "out of view"
        found[str(response.findtext("{DAV:}href")).removeprefix(f"{HOME}/")] = word
    return found


def test_a_first_report_has_what_matches_and_all_collections(dav: Client) -> None:
    dav.mkcol("c")
    for path in ("a", "b", "c/d"):
        dav.put(path)
    dav.patch("b", SEEN)
    answer = report(dav, UNREAD)
    assert told(answer) == {"a": "there", "c/": "there", "c/d": "there"}
    assert told(report(dav, READ)) == {"b": "there", "c/": "there"}
    assert told(report(dav, UNREAD, token_of(answer))) == {}


def test_to_enter_is_a_change_and_to_leave_is_out_of_view(dav: Client) -> None:
    for path in ("a", "b", "c"):
        dav.put(path)
    token = token_of(report(dav, UNREAD))
    dav.patch("a", SEEN)
    dav("DELETE", "b")
    answer = report(dav, UNREAD, token)
    assert told(answer) == {"a": "out of view", "b": "gone"}
    dav.patch("a", UNSEEN)
    assert told(report(dav, UNREAD, token_of(answer))) == {"a": "there"}


def test_an_upload_outside_of_the_view_is_told_so(dav: Client) -> None:
    small = "<D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>10</D:literal></D:lt>"
    token = token_of(report(dav, small))
    dav.put("large", b"x" * 11)
    dav.put("small", b"x")
    assert told(report(dav, small, token)) == {"large": "out of view", "small": "there"}


def test_another_filter_tells_the_difference(dav: Client) -> None:
    for path in ("a", "b"):
        dav.put(path)
    dav.patch("b", SEEN)
    token = token_of(report(dav, None))
    answer = report(dav, UNREAD, token)
    assert told(answer) == {"b": "out of view"}
    answer = report(dav, READ, token_of(answer))
    assert told(answer) == {"a": "out of view", "b": "there"}
    assert told(report(dav, None, token_of(answer))) == {"a": "there"}
    assert told(report(dav, READ, token_of(answer))) == {}


def test_pages_of_a_view(dav: Client) -> None:
    for number in range(6):
        dav.put(f"{number}")
        if number % 2:
            dav.patch(f"{number}", SEEN)
    answer = report(dav, UNREAD, limit=2)
    assert told(answer) == {"0": "there", "2": "there", "": "gone"}
    rest = report(dav, UNREAD, token_of(answer), limit=2)
    assert told(rest) == {"4": "there"}


MAIL = b"""From: Bob <bob@example.org>
To: me@example.org
Subject: hello
Date: Mon, 30 Nov 2026 10:00:00 +0100

hi
"""


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ("<D:eq><D:prop><C:kind/></D:prop><D:literal>message</D:literal></D:eq>", {"mail"}),
        ("<D:eq><D:prop><C:kind/></D:prop><D:literal>media</D:literal></D:eq>", {"file"}),
        ('<D:like caseless="yes"><D:prop><C:from/></D:prop><D:literal>%BOB@%</D:literal></D:like>', {"mail"}),
        ("<D:gte><D:prop><C:date/></D:prop><D:literal>2026-11-30T09:00:00Z</D:literal></D:gte>", {"mail"}),
        ("<D:gt><D:prop><C:date/></D:prop><D:literal>2026-11-30T09:00:00Z</D:literal></D:gt>", set()),
        ("<D:not><D:eq><D:prop><C:subject/></D:prop><D:literal>x</D:literal></D:eq></D:not>", {"mail"}),
        (
            "<D:eq><D:prop><Work xmlns='urn:davstore:cpm:keyword'/></D:prop><D:literal>T</D:literal></D:eq>",
            {"file"},
        ),
        ("<D:is-collection/>", set()),
    ],
)
def test_facts_of_messages_and_keywords(dav: Client, where: str, matches: set[str]) -> None:
    dav.put("mail", MAIL)
    dav.put("file", b"x")
    dav.patch("file", '<D:set><D:prop><Work xmlns="urn:davstore:cpm:keyword">T</Work></D:prop></D:set>')
    assert set(told(report(dav, where))) == matches


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<D:where/>",
        f"<D:where>{UNREAD}</D:where><D:where>{UNREAD}</D:where>",
        "<D:where><D:contains>x</D:contains></D:where>",
        "<D:where><D:is-defined><D:prop><D:displayname/></D:prop></D:is-defined></D:where>",
        f"<C:other/><D:where>{UNREAD}</D:where>",
    ],
)
def test_a_filter_that_is_not_known_is_refused(dav: Client, content: str) -> None:
    body = sync_body().replace("<D:prop>", f'<C:filter xmlns:C="urn:davstore:cpm">{content}</C:filter><D:prop>', 1)
    answer = dav("REPORT", "", body)
    assert (answer.status, answer.condition) == (422, f"{C}sync-filter-supported")


def test_two_filters_are_refused(dav: Client) -> None:
    one = f'<C:filter xmlns:C="urn:davstore:cpm"><D:where>{UNREAD}</D:where></C:filter>'
    answer = dav("REPORT", "", sync_body().replace("<D:prop>", f"{one}{one}<D:prop>", 1))
    assert (answer.status, answer.condition) == (422, f"{C}sync-filter-supported")


def test_a_token_of_a_view_guards_all_of_the_collection(dav: Client) -> None:
    """To be told too early that something changed costs a report; too late would cost somebody's change."""
    dav.put("a")
    dav.patch("a", SEEN)
    token = token_of(report(dav, UNREAD))
    assert dav("PUT", "b", b"", If=f"<{HOME}/> (<{token}>)").status == 201
    assert dav("PUT", "c", b"", If=f"<{HOME}/> (<{token}>)").status == 412
