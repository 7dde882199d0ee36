"""Threads of a store that changes: URLs that stay, merges, aliases, drafts that are written again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.dav.client import Answer, Client, D, prop_body
from tests.threads import letters, reading
from tests.threads.model import Message
from tests.threads.reading import THREADS, C


def put(dav: Client, **messages: Message) -> None:
    """Store messages at the root, in their order."""
    for name, message in messages.items():
        dav.put(name, letters.write(message))


def href_of(dav: Client, name: str) -> str:
    """Return the href of the thread of a file."""
    return reading.hrefs_by_name(dav)[name]


def resolve(dav: Client, element: str, *, at: str = THREADS) -> list[str]:
    """Return the hrefs that `C:resolve` finds."""
    body = f'<C:resolve xmlns:C="urn:davstore:cpm" xmlns:D="DAV:">{element}</C:resolve>'
    answer = dav("REPORT", at, body)
    assert answer.status == 207, answer
    return answer.hrefs()


def conversation(identity: str) -> str:
    """Return the element that asks for a conversation."""
    return f"<C:conversation-id>{identity}</C:conversation-id>"


def resource(identity: str) -> str:
    """Return the element that asks for a resource."""
    return f"<D:resource-id><D:href>{identity}</D:href></D:resource-id>"


def read(dav: Client, href: str, *names: str) -> dict[str, Any]:
    """Return properties of a resource by Clark name."""
    answer = dav("PROPFIND", href, prop_body(*names), Depth="0")
    assert answer.status == 207, answer
    return answer.props(urlsplit(href).path)


def test_a_thread_is_a_collection_of_the_very_messages(dav: Client) -> None:
    put(dav, a=Message("a@x", conversation_id="c/1"), b=Message("b@x", conversation_id="c/1"))
    [(href, members)] = reading.threads(dav).items()
    assert set(members.values()) == set(reading.names_by_id(dav))
    thread = read(dav, href, f"{D}resourcetype", f"{D}resource-id", f"{C}conversation-id", f"{C}kind")
    assert [str(one.tag) for one in thread[f"{D}resourcetype"]] == [f"{D}collection", f"{C}thread"]
    identity = thread[f"{D}resource-id"].findtext(f"{D}href")
    assert href == f"{THREADS}{identity.removeprefix('urn:uuid:')}/"
    assert thread[f"{C}conversation-id"].text == "c/1"
    assert thread[f"{C}kind"].text == "thread"
    for member, identity in members.items():
        assert member.removeprefix(href).startswith(identity.removeprefix("urn:uuid:") + ".")
        name = reading.names_by_id(dav)[identity]
        ours, theirs = dav("GET", name), dav("GET", member)
        assert (ours.body, ours.headers["ETag"]) == (theirs.body, theirs.headers["ETag"])


def test_a_member_keeps_its_name_in_the_thread(dav: Client) -> None:
    put(dav, a=Message("a@x"))
    [before] = reading.threads(dav).values()
    dav.mkcol("f")
    assert dav("MOVE", "a", Destination="/dav/store/alice/f/b.eml").status == 201
    dav.put("f/b.eml", letters.write(Message("a@x"), text="another"), Content_Type="text/plain")
    [after] = reading.threads(dav).values()
    assert after == before


@pytest.mark.parametrize("first", ["old", "new"])
def test_of_two_threads_that_become_one_the_older_keeps_its_url(dav: Client, first: str) -> None:
    letters_of = {"old": Message("old@x", date=1), "new": Message("new@x", date=2)}
    for name in (first, *({*letters_of} - {first})):
        put(dav, **{name: letters_of[name]})
    hrefs = reading.hrefs_by_name(dav)
    gone = read(dav, hrefs["new"], f"{D}resource-id")[f"{D}resource-id"].findtext(f"{D}href")
    _, token = reading.follow(dav, THREADS)
    _, level_1 = reading.follow(dav, THREADS, level="1")
    put(dav, bridge=Message("bridge@x", ("old@x", "new@x"), date=0))
    assert reading.hrefs_by_name(dav) == dict.fromkeys(("old", "new", "bridge"), hrefs["old"])
    assert dav("PROPFIND", hrefs["new"], Depth="0").status == 404
    assert resolve(dav, resource(gone)) == [hrefs["old"]]
    rows, _ = reading.follow(dav, THREADS, token)
    assert [row.href for row in rows if row.props is None] == [hrefs["new"]]
    assert {row.href for row in rows if row.props is not None} >= {hrefs["old"]}
    rows, _ = reading.follow(dav, THREADS, level_1, level="1")
    assert {row.href: row.props is None for row in rows} == {hrefs["old"]: False, hrefs["new"]: True}


def test_conversations_that_become_one_are_found_by_both_ids(dav: Client) -> None:
    put(dav, old=Message("old@x", conversation_id="c/old", date=1))
    put(dav, new=Message("new@x", conversation_id="c/new", date=2))
    old, new = href_of(dav, "old"), href_of(dav, "new")
    assert resolve(dav, conversation("c/old")) == [old]
    assert resolve(dav, conversation("c/new")) == [new]
    put(dav, bridge=Message("bridge@x", ("old@x", "new@x"), date=3))
    assert resolve(dav, conversation("c/old")) == resolve(dav, conversation("c/new")) == [old]
    put(dav, late=Message("late@x", conversation_id="c/new", date=4))
    assert href_of(dav, "late") == old


def test_resolve_finds_what_there_is_and_nothing_else(dav: Client) -> None:
    put(dav, a=Message("a@x", conversation_id="../x&y"))
    [(href, members)] = reading.threads(dav).items()
    [(member, identity)] = members.items()
    assert resolve(dav, conversation("../x&amp;y")) == [href]
    assert resolve(dav, conversation("..")) == []
    assert sorted(resolve(dav, resource(identity))) == sorted([member, "/dav/store/alice/a"])
    assert resolve(dav, resource("urn:uuid:00000000-0000-0000-0000-000000000000")) == []
    assert resolve(dav, resource("nonsense")) == []
    dav("DELETE", "a")
    assert resolve(dav, conversation("../x&amp;y")) == []
    assert resolve(dav, resource(identity)) == []


def test_a_deleted_message_leaves_its_thread_together(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x", ("a@x",)), c=Message("c@x", (), ("b@x",)))
    href = href_of(dav, "a")
    dav("DELETE", "b")
    assert reading.hrefs_by_name(dav) == {"a": href, "c": href}
    dav("DELETE", "a")
    assert reading.hrefs_by_name(dav) == {"c": href}
    dav("DELETE", "c")
    assert reading.threads(dav) == {}
    assert dav("PROPFIND", href, Depth="0").status == 404


def test_a_message_that_is_moved_stays_in_its_thread(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x", ("a@x",)))
    before = reading.threads(dav)
    dav.mkcol("f", "f/g")
    dav("MOVE", "b", Destination="/dav/store/alice/f/b")
    dav("MOVE", "f", Destination="/dav/store/alice/h")
    assert reading.threads(dav) == before
    assert reading.partition(dav) == {frozenset(("a", "h/b"))}


def test_a_copy_is_in_the_thread_of_its_original(dav: Client) -> None:
    put(dav, a=Message("a@x"))
    dav.mkcol("f")
    dav("COPY", "a", Destination="/dav/store/alice/f/a")
    dav("COPY", "f", Destination="/dav/store/alice/g")
    assert reading.partition(dav) == {frozenset(("a", "f/a", "g/a"))}
    dav("DELETE", "f")
    assert reading.partition(dav) == {frozenset(("a", "g/a"))}


def test_a_draft_that_replies_to_another_message_leaves_and_joins(dav: Client) -> None:
    for number, (a, b, date) in enumerate(itertools.permutations((1.0, 2.0, 3.0))):
        names = {name: f"{name}{number}" for name in ("a", "b", "draft")}
        one, other, draft = names.values()
        drafts = [Message(f"{draft}@x", named, date=date) for named in ((f"{one}@x",), (f"{other}@x",), ())]
        put(dav, **{one: Message(f"{one}@x", date=a), other: Message(f"{other}@x", date=b), draft: drafts[0]})
        before = reading.hrefs_by_name(dav)
        assert before[one] == before[draft] != before[other]
        put(dav, **{draft: drafts[1]})
        assert reading.hrefs_by_name(dav) == {**before, draft: before[other]}, (a, b, date)
        put(dav, **{draft: drafts[2]})
        alone = reading.hrefs_by_name(dav)
        assert alone == {**before, draft: alone[draft]}, (a, b, date)
        assert [*alone.values()].count(alone[draft]) == 1
        put(dav, **{draft: drafts[1]})
        assert reading.hrefs_by_name(dav) == {**before, draft: before[other]}, (a, b, date)


def test_a_draft_with_another_message_id_leaves_those_that_refer_to_the_old(dav: Client) -> None:
    put(dav, draft=Message("d1@x"), reply=Message("r@x", ("d1@x",)))
    put(dav, draft=Message("d2@x"))
    assert reading.partition(dav) == {frozenset(("draft",)), frozenset(("reply",))}


def test_a_message_that_joins_a_conversation_later(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x", conversation_id="c"))
    put(dav, a=Message("a@x", conversation_id="c"))
    assert reading.partition(dav) == {frozenset("ab")}
    put(dav, a=Message("a@x", conversation_id="d"))
    assert reading.partition(dav) == {frozenset("a"), frozenset("b")}


def test_another_text_in_the_same_message_is_a_change_of_its_member(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x"))
    before = reading.threads(dav)
    _, token = reading.follow(dav, THREADS)
    dav.put("a", letters.write(Message("a@x"), text="another"))
    assert reading.threads(dav) == before
    rows, _ = reading.follow(dav, THREADS, token)
    assert {row.href for row in rows if not row.href.endswith("/")} == {
        member for members in before.values() for member, one in members.items() if reading.names_by_id(dav)[one] == "a"
    }


BODIES = {
    "PUT": letters.write(Message("n@x")),
    "MKCOL": b"",
    "LOCK": b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype></D:lockinfo>",
}
"""A body for each method that makes something."""


def test_what_is_computed_is_not_written(dav: Client) -> None:
    put(dav, a=Message("a@x"), other=Message("o@x"))
    before = reading.threads(dav)
    thread = href_of(dav, "a")
    [member] = before[thread]
    computed = (403, f"{C}thread-membership-is-computed")
    for path in (thread, member, f"{thread}n", f"{THREADS}n"):
        is_there = path in {thread, member}
        for method, body in BODIES.items():
            may = {computed, (405, "")} if is_there and method != "LOCK" else {computed}
            assert _said(dav(method, path, body)) in may, (method, path)
        assert _said(dav("MOVE", path, Destination="/dav/store/alice/moved")) in (
            {computed} if is_there else {computed, (404, "")}
        ), path
        for method in ("COPY", "MOVE"):
            assert _said(dav(method, "other", Destination=path)) == computed, (method, path)
    assert reading.threads(dav) == before
    assert set(reading.names_by_id(dav).values()) == {"a", "other"}


def _said(answer: Answer) -> tuple[int, str]:
    """Return the status of an answer and its condition, if it has one."""
    is_told = answer.headers.get("Content-Type", "").startswith("application/xml")
    return answer.status, answer.condition if is_told else ""


def test_a_member_is_read_marked_and_copied_at_its_url_in_the_thread(dav: Client) -> None:
    put(dav, a=Message("a@x"))
    [(thread, members)] = reading.threads(dav).items()
    [member] = members
    seen = '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>'
    assert dav.patch(member, seen).status == 207
    assert dav.find("a", f"{C}seen").text("/dav/store/alice/a", f"{C}seen") == "T"
    assert (
        read(dav, member, f"{C}modseq")[f"{C}modseq"].text
        == read(dav, "/dav/store/alice/a", f"{C}modseq")[f"{C}modseq"].text
    )
    assert dav("COPY", member, Destination="/dav/store/alice/copy").status == 201
    assert reading.partition(dav) == {frozenset(("a", "copy"))}
    assert dav("COPY", thread, Destination="/dav/store/alice/all").status == 201
    [everything] = reading.partition(dav)
    assert len(everything) == 4


def test_a_member_that_is_deleted_is_gone_from_its_folder(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x", ("a@x",)))
    names = reading.names_by_id(dav)
    [(thread, members)] = reading.threads(dav).items()
    [member] = [href for href, one in members.items() if names[one] == "a"]
    assert dav("DELETE", member).status == 204
    assert reading.hrefs_by_name(dav) == {"b": thread}
    assert dav("GET", "a").status == 404


def test_a_thread_that_is_deleted_takes_its_messages_along(dav: Client) -> None:
    dav.mkcol("f", "g")
    put(dav, a=Message("a@x"), other=Message("o@x"))
    dav.put("f/b", letters.write(Message("b@x", ("a@x",))))
    dav.put("f/note.txt", b"note")
    assert dav("DELETE", href_of(dav, "a")).status == 204
    assert reading.partition(dav) == {frozenset(("other",))}
    assert set(reading.names_by_id(dav).values()) == {"other", "f/note.txt"}


def test_a_lock_on_one_message_keeps_the_whole_thread(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x", ("a@x",)))
    locked = dav("LOCK", "b", BODIES["LOCK"])
    assert locked.status == 200
    answer = dav("DELETE", href_of(dav, "a"))
    assert (answer.status, answer.condition) == (423, f"{D}lock-token-submitted")
    assert reading.partition(dav) == {frozenset("ab")}
    token = locked.headers["Lock-Token"]
    assert dav("DELETE", href_of(dav, "a"), If=f"</dav/store/alice/b> ({token})").status == 204
    assert reading.threads(dav) == {}


def test_the_root_of_threads_is_not_deleted_or_moved(dav: Client) -> None:
    put(dav, a=Message("a@x"))
    for method in ("DELETE", "MOVE", "PUT", "MKCOL"):
        answer = dav(method, THREADS, Destination="/dav/store/alice/x" if method == "MOVE" else None)
        assert answer.status in {403, 405}, (method, answer)
    assert reading.partition(dav) == {frozenset("a")}


def test_threads_of_another_user_are_not_there(dav: Client) -> None:
    put(dav, a=Message("a@x"))
    for path in ("/dav/threads/bob/", "/dav/threads/bob/x/", "/dav/threads/nobody/"):
        for method in ("OPTIONS", "GET", "PROPFIND", "PUT", "DELETE", "REPORT"):
            assert dav(method, path).status == 404, (method, path)


def test_a_token_of_a_folder_is_none_of_a_thread(dav: Client) -> None:
    dav.mkcol("f")
    put(dav, a=Message("a@x"))
    dav.put("f/b", letters.write(Message("b@x", ("a@x",))))
    thread = href_of(dav, "a")
    places = ("/dav/store/alice/", "/dav/store/alice/f/", THREADS, thread)
    tokens = {place: reading.follow(dav, place)[1] for place in places}
    for place in places:
        for of, token in tokens.items():
            answer = dav.sync(place, token)
            if place == of:
                assert (answer.status, answer.hrefs()) == (207, [])
            else:
                assert (answer.status, answer.condition) == (403, f"{D}valid-sync-token"), (place, of)


def test_a_report_of_level_1_tells_which_threads_changed(dav: Client) -> None:
    put(dav, a=Message("a@x"), b=Message("b@x"), c=Message("c@x"))
    hrefs = reading.hrefs_by_name(dav)
    rows, token = reading.follow(dav, THREADS, level="1")
    assert {row.href for row in rows} == set(hrefs.values())
    seen = '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>'
    changes: dict[str, tuple[Callable[[], object], set[str]]] = {
        "a reply": (lambda: put(dav, r=Message("r@x", ("a@x",))), {"a"}),
        "another text": (lambda: dav.put("b", letters.write(Message("b@x"), text="other")), {"b"}),
        "a mark": (lambda: dav.patch("c", seen), {"c"}),
        "the mark again": (lambda: dav.patch("c", seen), set()),
        "a file": (lambda: dav.put("note", b"note"), set()),
        "a reply that goes": (lambda: dav("DELETE", "r"), {"a"}),
    }
    for what, (change, names) in changes.items():
        change()
        rows, token = reading.follow(dav, THREADS, token, level="1")
        assert {row.href for row in rows} == {hrefs[name] for name in names}, what
        assert all(row.props is not None for row in rows), what
    dav("DELETE", "c")
    rows, token = reading.follow(dav, THREADS, token, level="1")
    assert [(row.href, row.props) for row in rows] == [(hrefs["c"], None)]
    rows, _ = reading.follow(dav, THREADS, token)
    assert rows == []
