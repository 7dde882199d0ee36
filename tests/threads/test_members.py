"""A thread to clients that know nothing of threads: its members are resources with two URLs, of one user."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from tests.dav.client import BOB, HOME, MESSAGE, Client, D, token_of
from tests.threads import letters, reading
from tests.threads.model import Message
from tests.threads.reading import THREADS, C


def thread_of(dav: Client, *messages: Message) -> tuple[str, dict[str, str]]:
    """Store messages of one thread as 0, 1 and so on; return its href, and those of its members by name."""
    for number, message in enumerate(messages):
        dav.put(f"{number}", letters.write(message))
    names = reading.names_by_id(dav)
    [(href, members)] = reading.threads(dav).items()
    return href, {names[identity]: member for member, identity in members.items()}


def two(dav: Client) -> tuple[str, dict[str, str]]:
    """Store a message and a reply."""
    return thread_of(dav, Message("a@x", date=1), Message("b@x", ("a@x",), date=2))


def test_a_client_of_files_lists_threads(dav: Client) -> None:
    href, members = two(dav)
    assert set(dav("PROPFIND", THREADS, Depth="1").hrefs()) == {THREADS, href}
    assert set(dav("PROPFIND", THREADS, Depth="infinity").hrefs()) == {THREADS, href, *members.values()}
    assert dav("PROPFIND", href, Depth="1").hrefs()[0] == href
    assert set(dav("PROPFIND", href, Depth="1").hrefs()) == {href, *members.values()}
    listed = dav("GET", href, Accept="text/plain").body.decode().splitlines()
    assert {f"{href}{name}" for name in listed} == set(members.values())
    assert dav("GET", THREADS, Accept="text/html").status == 200


def test_the_roots_of_both_areas_are_listed(dav: Client) -> None:
    two(dav)
    assert THREADS in dav("PROPFIND", "/dav/threads/", Depth="1").hrefs()
    assert "/dav/threads/" in dav("PROPFIND", "/dav/", Depth="1").hrefs()


def test_an_empty_store_has_no_threads(dav: Client) -> None:
    assert dav("PROPFIND", THREADS, Depth="1").hrefs() == [THREADS]
    rows, token = reading.follow(dav, THREADS)
    assert rows == []
    assert reading.follow(dav, THREADS, token) == ([], token)


def test_a_member_is_read_in_every_form(dav: Client) -> None:
    dav.put("m", MESSAGE)
    [(_, members)] = reading.threads(dav).items()
    [member] = members
    whole, head = dav("GET", member), dav("HEAD", member)
    assert whole.body == MESSAGE
    ours = dav("GET", "m").headers
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Length"):
        assert whole.headers[name] == head.headers[name] == ours[name]
    assert dav("GET", member, Range="bytes=3-9").body == MESSAGE[3:10]
    assert dav("GET", member, If_None_Match=ours["ETag"]).status == 304
    assert dav("GET", f"{member}?part=2").body == bytes(range(10))
    parts = dav.find(member, f"{C}parts").prop(member, f"{C}parts")
    hrefs = [str(one.text) for one in parts.iter(f"{D}href")]
    assert hrefs == [f"{member}?part={number}" for number in (1, 2)]
    assert dav("COPY", f"{member}?part=2", Destination=f"{HOME}/picture").status == 201
    assert dav("GET", "picture").body == bytes(range(10))


def test_a_member_has_the_properties_of_its_message(dav: Client) -> None:
    _, members = two(dav)
    dav.patch("0", '<D:set><D:prop><x:note xmlns:x="urn:x">here</x:note></D:prop></D:set>')
    dav.patch(members["0"], '<D:set><D:prop><x:other xmlns:x="urn:x">there</x:other></D:prop></D:set>')
    names = ["{urn:x}note", "{urn:x}other", *(f"{C}{name}" for name in ("kind", "date", "message-id", "modseq"))]
    ours, theirs = dav.find("0", *names), dav.find(members["0"], *names)
    for name in names:
        assert ours.text(f"{HOME}/0", name) == theirs.text(members["0"], name)


def test_a_thread_costs_no_quota(dav: Client) -> None:
    used = f"{D}quota-used-bytes"
    dav.put("0", letters.write(Message("a@x")))
    size = len(dav("GET", "0").body)
    assert dav.find(f"{HOME}/", used).text(f"{HOME}/", used) == str(size)
    dav("COPY", "0", Destination=f"{HOME}/1")
    assert dav.find(f"{HOME}/", used).text(f"{HOME}/", used) == str(2 * size)
    [thread] = reading.threads(dav)
    dav("DELETE", thread)
    assert dav.find(f"{HOME}/", used).text(f"{HOME}/", used) == "0"


def test_a_property_of_a_thread_ends_with_it(dav: Client) -> None:
    used = f"{D}quota-used-bytes"
    href, _ = two(dav)
    before = int(dav.find(f"{HOME}/", used).text(f"{HOME}/", used))
    dav.patch(href, '<D:set><D:prop><x:note xmlns:x="urn:x">here</x:note></D:prop></D:set>')
    assert dav.find(href, "{urn:x}note").text(href, "{urn:x}note") == "here"
    dav.put("older", letters.write(Message("older@x", date=-1)))
    dav.put("bridge", letters.write(Message("bridge@x", ("older@x", "a@x"))))
    for name in ("older", "bridge"):
        dav("DELETE", name)
    assert int(dav.find(f"{HOME}/", used).text(f"{HOME}/", used)) == before
    for name in ("0", "1"):
        dav("DELETE", name)
    assert dav.find(f"{HOME}/", used).text(f"{HOME}/", used) == "0"


def test_a_member_is_not_copied_over_itself(dav: Client) -> None:
    _, members = two(dav)
    assert dav("COPY", members["0"], Destination=f"{HOME}/0").status == 403
    assert dav("COPY", members["0"], Destination=f"{HOME}/1").status == 204
    assert set(reading.names_by_id(dav).values()) == {"0", "1"}


@pytest.mark.parametrize("of", ["thread", "root"])
def test_a_token_of_threads_guards_a_put_elsewhere(dav: Client, of: str) -> None:
    href, _ = two(dav)
    place = href if of == "thread" else THREADS
    token = token_of(dav.sync(place))
    dav.put("note", b"no message", If=f"<{place}> (<{token}>)")
    dav.put("2", letters.write(Message("c@x", ("a@x",))), If=f"<{place}> (<{token}>)")
    assert dav("PUT", "3", b"x", If=f"<{place}> (<{token}>)").status == 412


def test_a_lock_of_the_folder_binds_in_the_thread(dav: Client) -> None:
    _, members = two(dav)
    body = '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>'
    token = dav("LOCK", "0", f"{body}</D:lockinfo>").headers["Lock-Token"]
    seen = '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>'
    assert dav.patch(members["0"], seen).status == 423
    assert dav("DELETE", members["0"]).status == 423
    assert dav.patch(members["1"], seen).status == 207
    assert dav.patch(members["0"], seen, If=f"<{HOME}/0> ({token})").status == 207


def test_pages_tell_each_member_once(dav: Client) -> None:
    for number in range(9):
        dav.put(f"{number}", letters.write(Message(f"{number}@x", (f"{number % 4}@x",))))
    for level, limit in itertools.product(("1", "infinite"), (1, 2, 3, 7)):
        token, told = "", list[str]()
        for page in range(50):
            answer = dav.sync(THREADS, token, level=level, limit=limit)
            found = [row.href for row in reading.each_row(answer, THREADS)]
            assert len(found) <= limit
            told, token = told + found, token_of(answer)
            if page == 0:  # what comes between two pages is told, too
                dav.put(f"late-{level}-{limit}", letters.write(Message(f"{level}.{limit}@x")))
            elif not reading.is_cut(answer):
                break
        now, _ = reading.follow(dav, THREADS, level=level)
        assert sorted(told) == sorted(row.href for row in now), (level, limit)


def _filtered(dav: Client, where: str, level: str) -> set[str]:
    body = (
        '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:sync-token/>'
        f"<D:sync-level>{level}</D:sync-level><C:filter><D:where>{where}</D:where></C:filter>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    answer = dav("REPORT", THREADS, body)
    assert answer.status == 207, answer
    return set(answer.hrefs())


def test_a_filter_chooses_a_conversation(dav: Client) -> None:
    for number, name in enumerate(("c/1", "c/1", "c/2")):
        dav.put(f"{number}", letters.write(Message(f"{number}@x", conversation_id=name)))
    dav.put("3", letters.write(Message("3@x")))
    hrefs, names = reading.hrefs_by_name(dav), reading.names_by_id(dav)
    members = {href for href, one in reading.threads(dav)[hrefs["0"]].items() if names[one] in {"0", "1"}}
    where = "<D:eq><D:prop><C:conversation-id/></D:prop><D:literal>c/1</D:literal></D:eq>"
    assert _filtered(dav, where, "1") == {hrefs["0"]}
    assert _filtered(dav, where, "infinite") == {hrefs["0"], *members}
    where = "<D:eq><D:prop><C:kind/></D:prop><D:literal>thread</D:literal></D:eq>"
    assert _filtered(dav, where, "1") == set(hrefs.values())


def test_two_users_share_no_thread(dav: Client) -> None:
    dav.put("0", letters.write(Message("a@x", conversation_id="c")))
    before = reading.threads(dav)
    dav.principal = BOB
    bobs = "/dav/threads/bob/"
    dav.put("/dav/store/bob/0", letters.write(Message("a@x", conversation_id="c")))
    rows, token = reading.follow(dav, bobs)
    assert len(rows) == 2
    assert all(row.href.startswith(bobs) for row in rows)
    [href] = before
    assert dav("PROPFIND", f"{bobs}{href.removeprefix(THREADS)}", Depth="0").status == 404
    assert dav("PROPFIND", href, Depth="0").status == 404
    dav("DELETE", "/dav/store/bob/0")
    rows, _ = reading.follow(dav, bobs, token)
    assert [row.props for row in rows] == [None]


def test_a_thread_that_is_not_there(dav: Client) -> None:
    two(dav)
    for path in ("x", "x/", "x/y", "00000000-0000-0000-0000-000000000000/", "..%2fx/"):
        status = 400 if ".." in path else 404
        assert {dav(method, THREADS + path).status for method in ("GET", "HEAD", "DELETE")} == {status}, path
        assert dav("PROPFIND", THREADS + path, Depth="0").status == status, path
        assert dav.sync(THREADS + path).status == status, path


def test_a_message_is_found_at_the_name_of_its_thread_only(dav: Client) -> None:
    dav.put("0", letters.write(Message("a@x")))
    dav.put("1", letters.write(Message("b@x")))
    hrefs, names = reading.hrefs_by_name(dav), reading.names_by_id(dav)
    members = {names[one]: href for found in reading.threads(dav).values() for href, one in found.items()}
    other = hrefs["1"] + members["0"].removeprefix(hrefs["0"])
    assert dav("GET", other).status == 404
    assert dav("GET", members["0"]).status == 200


def test_properties_of_threads_are_the_stores(dav: Client) -> None:
    href, _ = two(dav)
    for name in ("message-count", "unread-count", "last-activity", "participants", "conversation-id", "sessions"):
        body = f'<D:set><D:prop><C:{name} xmlns:C="urn:davstore:cpm">1</C:{name}></D:prop></D:set>'
        answer = dav.patch(href, body)
        assert " 403 " in answer.body.decode() or answer.status == 403, name
    assert _counts(dav, href) == ("2", "2")
    dav.patch("0", '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>')
    assert _counts(dav, href) == ("2", "1")


def _counts(dav: Client, href: str) -> tuple[str, ...]:
    names = (f"{C}message-count", f"{C}unread-count")
    answer = dav.find(href, *names)
    return tuple(answer.text(href, name) for name in names)


def test_a_copy_counts_once_and_what_was_sent_is_not_unread(dav: Client) -> None:
    sent = Message("c@x", ("a@x",), sent=True)
    href, _ = thread_of(dav, Message("a@x"), Message("b@x", ("a@x",)), sent)
    assert _counts(dav, href) == ("3", "2")
    dav("COPY", "0", Destination=f"{HOME}/copy")
    assert _counts(dav, href) == ("3", "2")
    _mark(dav, ["0", "copy"])
    assert _counts(dav, href) == ("3", "1")
    dav("DELETE", "0")
    assert _counts(dav, href) == ("3", "1")
    dav("DELETE", "copy")
    assert _counts(dav, href) == ("2", "1")


def _mark(dav: Client, names: Iterable[str]) -> None:
    for name in names:
        dav.patch(name, '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>')
