"""Threads on the wire: the same messages by conversation, what is computed, and what may be written there."""

from __future__ import annotations

import re

import pytest

from tests.dav.client import HOME, PHONE, Answer, Client, D, setting, token_of
from tests.dav.test_locks import culprits, lock
from tests.dav.test_sessions import make

C = "{urn:davstore:cpm}"
ROOT = "/dav/threads/alice/"
COUNTS = tuple(f"{C}{name}" for name in ("message-count", "unread-count", "last-activity", "conversation-id"))


def mail(number: int, *references: int, at: int = 0, **fields: str) -> str:
    """Return a message of a minute that refers to others."""
    lines = [
        "From: Ann <ann@example.net>",
        "To: bob@example.net",
        f"Date: Mon, 30 Nov 2026 10:{at or number:02}:00 +0000",
    ]
    lines += [f"Message-ID: <{number}@example.net>"]
    if references:
        lines.append("References: " + " ".join(f"<{one}@example.net>" for one in references))
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", f"text {number}"])


def threads(dav: Client) -> dict[str, set[str]]:
    """Return the members of each thread, by its name, as the numbers that their Message-IDs begin with."""
    found: dict[str, set[str]] = {}
    answer = dav.find(ROOT, f"{C}message-id", depth="infinity")
    for href in answer.hrefs():
        _, _, name = href.rstrip("/").partition(ROOT)
        thread, _, member = name.partition("/")
        if member:
            found.setdefault(thread, set()).add(answer.text(href, f"{C}message-id").partition("@")[0])
    return found


def counts(dav: Client, thread: str) -> tuple[str, ...]:
    """Return messages, unread messages, newest date and conversation of a thread."""
    href = f"{ROOT}{thread}/"
    answer = dav.find(href, *COUNTS)
    return tuple("" if answer.prop(href, name) is None else answer.text(href, name) for name in COUNTS)


def the(found: dict[str, set[str]], *numbers: int) -> str:
    """Return the name of the one thread of some messages."""
    [name] = [name for name, members in found.items() if members == {str(one) for one in numbers}]
    return name


def test_messages_that_refer_to_each_other_are_one_thread_in_any_order(dav: Client) -> None:
    for number, references in ((3, (1, 2)), (2, (1,)), (9, ()), (1, ())):
        dav.put(f"{number}.eml", mail(number, *references))
    dav.put("photo.jpg", "no message")
    assert sorted(map(sorted, threads(dav).values())) == [["1", "2", "3"], ["9"]]


def test_two_that_turn_out_to_be_one_keep_the_url_of_the_older(dav: Client) -> None:
    dav.put("5.eml", mail(5, Conversation_ID="late"))
    dav.put("1.eml", mail(1))
    before, token = threads(dav), token_of(dav.sync(ROOT))
    dav.put("7.eml", mail(7, 1, 5))
    after = threads(dav)
    assert after == {the(before, 1): {"1", "5", "7"}}
    told = dav.sync(ROOT, token)
    assert told.gone() == [f"{ROOT}{the(before, 5)}/"]
    assert counts(dav, the(after, 1, 5, 7)) == ("3", "3", "2026-11-30T10:07:00Z", "late")
    resolved = dav("REPORT", ROOT, resolving("late"))
    assert resolved.hrefs() == [f"{ROOT}{the(before, 1)}/"]


def resolving(*conversations: str, ids: tuple[str, ...] = ()) -> str:
    inner = "".join(f"<C:conversation-id>{one}</C:conversation-id>" for one in conversations)
    inner += "".join(f"<D:resource-id><D:href>{one}</D:href></D:resource-id>" for one in ids)
    return f'<C:resolve xmlns:C="urn:davstore:cpm" xmlns:D="DAV:">{inner}<D:prop><D:getetag/></D:prop></C:resolve>'


def test_an_id_leads_to_every_url_of_a_resource(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/1.eml", mail(1, Conversation_ID="a/b✓"))
    [name] = threads(dav)
    href = f"{HOME}/c/1.eml"
    id_ = dav.find(href, f"{D}resource-id").prop(href, f"{D}resource-id")[0].text
    for path in (f"{HOME}/", f"{HOME}/c/", ROOT):
        found = dav("REPORT", path, resolving(ids=(id_, "urn:uuid:0", "nothing")))
        assert found.hrefs() == [href, f"{ROOT}{name}/{id_.removeprefix('urn:uuid:')}.eml"]
        assert len({found.text(one, f"{D}getetag") for one in found.hrefs()}) == 1
    assert dav("REPORT", ROOT, resolving("a/b✓", "a", "A/B✓")).hrefs() == [f"{ROOT}{name}/"]
    for wrong, status in (("<C:resolve xmlns:C='urn:davstore:cpm'/>", 400), (resolving(*["x"] * 1_001), 413)):
        assert dav("REPORT", ROOT, wrong).status == status


def test_a_body_that_refers_to_others_takes_its_message_along(dav: Client) -> None:
    for number in (1, 2):
        dav.put(f"{number}.eml", mail(number))
    dav.put("3.eml", mail(3, 1, 2))
    assert len(threads(dav)) == 1
    first = the(threads(dav), 1, 2, 3)
    dav.put("3.eml", mail(3, 2))
    found = threads(dav)
    assert the(found, 1) == first
    assert counts(dav, first)[:2] == ("1", "1")
    assert counts(dav, the(found, 2, 3))[:2] == ("2", "2")
    dav.put("3.eml", "no message any more")
    assert sorted(map(sorted, threads(dav).values())) == [["1"], ["2"]]


def test_a_deleted_message_does_not_split_its_thread(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    dav.put("2.eml", mail(2, 1))
    dav.put("3.eml", mail(3, 2))
    assert dav("DELETE", "2.eml").status == 204
    [(name, members)] = threads(dav).items()
    assert members == {"1", "3"}
    for path in ("1.eml", "3.eml"):
        assert dav("DELETE", path).status == 204
    assert threads(dav) == {}
    dav.put("1.eml", mail(1))
    assert name not in threads(dav)


def test_copies_count_once_and_are_read_by_any(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    dav.put("sent.eml", mail(2, 1, Message_Direction="sent"))
    assert dav("COPY", "1.eml", Destination=f"{HOME}/copy.eml").status == 201
    [name] = threads(dav)
    assert counts(dav, name)[:2] == ("2", "1")
    for path, unread in (("copy.eml", "0"), ("1.eml", "0")):
        assert dav.patch(path, setting("<C:seen xmlns:C='urn:davstore:cpm'>T</C:seen>")).status == 207
        assert counts(dav, name)[:2] == ("2", unread)
    assert dav("DELETE", "copy.eml").status == 204
    assert counts(dav, name)[:2] == ("2", "0")
    assert dav("DELETE", "1.eml").status == 204
    assert counts(dav, name)[:3] == ("1", "0", "2026-11-30T10:02:00Z")


def test_participants(dav: Client) -> None:
    dav.put("1.eml", mail(1, Cc='"B, Eve" <eve@example.net>, ANN@example.net'))
    [name] = threads(dav)
    href = f"{ROOT}{name}/"
    people = [dict(one.attrib) for one in dav.find(href, f"{C}participants").prop(href, f"{C}participants")]
    assert people == [
        {"comm-addr": "ann@example.net", "name": "Ann"},
        {"comm-addr": "bob@example.net"},
        {"comm-addr": "eve@example.net", "name": "B, Eve"},
    ]


def test_the_root_at_level_1_is_the_list_of_what_changed(dav: Client) -> None:
    for number in (1, 2):
        dav.put(f"{number}.eml", mail(number))
    names = {number: f"{ROOT}{the(threads(dav), number)}/" for number in (1, 2)}
    token = token_of(dav.sync(ROOT, level="1"))
    dav.put("photo.jpg")
    dav.mkcol("c")
    assert dav.sync(ROOT, token, level="1").hrefs() == []
    for change in (
        lambda: dav.patch("1.eml", setting("<C:flagged xmlns:C='urn:davstore:cpm'>T</C:flagged>")),
        lambda: dav.patch("1.eml", setting("<x:p>1</x:p>")),
        lambda: dav.put("3.eml", mail(3, 1)),
        lambda: dav("DELETE", "3.eml"),
    ):
        change()
        answer = dav.sync(ROOT, token, level="1")
        assert answer.hrefs() == [names[1]]
        token = token_of(answer)


def test_a_member_is_the_message_itself(dav: Client) -> None:
    etag = dav.put("1.eml", mail(1))
    [name] = threads(dav)
    [member] = dav.sync(f"{ROOT}{name}/").hrefs()
    assert (dav("GET", member).body.decode(), dav("HEAD", member).headers["ETag"]) == (mail(1), etag)
    assert dav.patch(member, setting("<C:seen xmlns:C='urn:davstore:cpm'>T</C:seen><x:p>1</x:p>")).status == 207
    for href in (member, f"{HOME}/1.eml"):
        answer = dav.find(href, f"{C}seen", "{urn:x}p", f"{C}modseq")
        assert (answer.text(href, f"{C}seen"), answer.text(href, "{urn:x}p")) == ("T", "1")
    assert dav("COPY", member, Destination=f"{HOME}/copy.eml").status == 201
    assert dav("COPY", f"{ROOT}{name}/", Destination=f"{HOME}/folder").status == 201
    copied = dav.find(f"{HOME}/folder/", f"{D}resourcetype").prop(f"{HOME}/folder/", f"{D}resourcetype")
    assert [one.tag for one in copied] == [f"{D}collection"]
    assert len(dav.names(f"{HOME}/folder/")) == 2


def test_what_is_computed_is_refused(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    [name] = threads(dav)
    [member] = dav.sync(f"{ROOT}{name}/").hrefs()
    refused = [
        dav(method, path, "x" if method == "PUT" else "", Destination=f"{HOME}/x", Lock_Token="<urn:x>")
        for method in ("PUT", "MKCOL", "MOVE", "LOCK", "UNLOCK")
        for path in (member, f"{ROOT}{name}/new", f"{ROOT}new", f"{ROOT}{name}/")
        if not (method == "PUT" and path.endswith("/"))
    ]
    for method in ("COPY", "MOVE"):
        refused += [dav(method, "1.eml", Destination=f"http://dav.example{path}") for path in (member, f"{ROOT}x")]
    assert {(one.status, one.condition) for one in refused} == {(403, f"{C}thread-membership-is-computed")}
    assert dav.patch(f"{ROOT}{name}/", setting("<C:seen xmlns:C='urn:davstore:cpm'>T</C:seen>")).status == 207
    assert counts(dav, name)[:2] == ("1", "1")
    assert dav("DELETE", ROOT).status == 405


def test_the_end_of_a_thread_is_that_of_its_messages(dav: Client) -> None:
    dav.mkcol("c")
    for number, path in ((1, "c/1.eml"), (2, "2.eml")):
        dav.put(path, mail(number, *range(1, number)))
    dav.put("9.eml", mail(9))
    found, token = threads(dav), token_of(dav.sync(f"{HOME}/"))
    name = the(found, 1, 2)
    held = lock(dav, "c", depth="0")
    refused = dav("DELETE", f"{ROOT}{name}/")
    assert culprits(refused, "lock-token-submitted") == [f"{HOME}/c/"]
    assert threads(dav) == found
    assert dav("UNLOCK", "c", Lock_Token=f"<{held}>").status == 204
    assert dav("DELETE", f"{ROOT}{name}/").status == 204
    assert sorted(dav.sync(f"{HOME}/", token).gone()) == [f"{HOME}/2.eml", f"{HOME}/c/1.eml"]
    assert threads(dav) == {the(found, 9): {"9"}}
    [member] = dav.sync(f"{ROOT}{the(found, 9)}/").hrefs()
    assert dav("DELETE", member).status == 204
    assert (dav.names(f"{HOME}/"), threads(dav)) == (["c/"], {})


def test_a_lock_on_a_message_holds_in_its_thread(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    [name] = threads(dav)
    [member] = dav.sync(f"{ROOT}{name}/").hrefs()
    token = lock(dav, "1.eml")
    for answer in (dav("DELETE", member), dav("DELETE", f"{ROOT}{name}/"), dav.patch(member, setting("<x:p>1</x:p>"))):
        assert answer.status == 423
    assert dav("DELETE", member, If=f"<{HOME}/1.eml> (<{token}>)").status == 204


def test_a_token_is_of_one_area(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    [name] = threads(dav)
    paths = (f"{HOME}/", ROOT, f"{ROOT}{name}/")
    tokens = {path: token_of(dav.sync(path)) for path in paths}
    for path in paths:
        for other in paths:
            answer = dav.sync(path, tokens[other])
            assert answer.status == (207 if path == other else 403)


@pytest.mark.parametrize("references", [list(range(100, 1_300)), [1], [5, 5, 5]])
def test_many_references_and_circles(dav: Client, references: list[int]) -> None:
    dav.put("1.eml", mail(1, *references, at=1))
    dav.put("2.eml", mail(references[0], 1, at=2))
    dav.put("3.eml", mail(references[-1], at=3))
    assert len(threads(dav)) == 1


def test_messages_without_ids_are_alone_with_their_copies(dav: Client) -> None:
    for name, text in (("a", "one"), ("b", "two"), ("c", "one")):
        dav.put(name, f"From: a@x\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\n\r\n{text}")
    answer: Answer = dav.sync(ROOT)
    members = re.findall(rf"{ROOT}([^/]+)/[^/\n]", "\n".join(answer.hrefs()))
    assert sorted(map(members.count, {*members})) == [1, 2]


def test_a_device_synchronises_threads_as_folders(dav: Client) -> None:
    dav.put("1.eml", mail(1))
    dav.principal = PHONE
    assert len(dav.sync(ROOT).hrefs()) == 2


def test_a_thread_leads_to_its_sessions(dav: Client) -> None:
    head = "Content-Type: Application/X-CPM-Session\r\nFrom: a@x"
    session = head + "\r\nConversation-ID: {}\r\nContribution-ID: {}\r\n\r\n<session/>"
    for name, conversation in (("s1", "one"), ("s2", "two"), ("s3", "one")):
        assert make(dav, name).status == 201
        dav.put(f"{name}/info.eml", session.format(conversation, name))
    dav.put("s1/1.eml", mail(1, Conversation_ID="one"))
    dav.put("2.eml", mail(2))
    found = threads(dav)
    assert sorted(map(sorted, found.values())) == [["1"], ["2"]]
    hrefs = {number: f"{ROOT}{the(found, number)}/" for number in (1, 2)}
    told = {number: dav.find(href, f"{C}sessions").prop(href, f"{C}sessions") for number, href in hrefs.items()}
    assert [one.text for one in told[1]] == [f"{HOME}/s1/", f"{HOME}/s3/"]
    assert told[2] is None
