"""Which messages are one thread: each case in orders of arrival, in one store."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from tests.dav.client import Client
from tests.threads import letters, model, reading
from tests.threads.model import Message

KIB = "k" * 1023
CASES: dict[str, tuple[dict[str, Message], str]] = {
    "a reply is with what it replies to": ({"a": Message("a"), "b": Message("b", ("a",))}, "ab"),
    "In-Reply-To counts where there are no References": ({"a": Message("a"), "b": Message("b", (), ("a",))}, "ab"),
    "and not where there are": ({"a": Message("a"), "b": Message("b", ("z",), ("a",))}, "a b"),
    "of several ids in In-Reply-To the last counts": (
        {"a": Message("a"), "b": Message("b", (), ("a", "z")), "c": Message("c", (), ("b", "a"))},
        "ac b",
    ),
    "replies to a message that nobody has": ({"a": Message("a", ("z",)), "b": Message("b", (), ("z",))}, "ab"),
    "a reference joins what lies between": (
        {"a": Message("a", ("y",)), "b": Message("b", ("y", "z")), "c": Message("c", (), ("z",))},
        "abc",
    ),
    "two who reply to each other": ({"a": Message("a", (), ("b",)), "b": Message("b", (), ("a",))}, "ab"),
    "a circle of three": (
        {"a": Message("a", ("b",)), "b": Message("b", ("c",)), "c": Message("c", ("a",)), "d": Message("d")},
        "abc d",
    ),
    "a reply to itself": ({"a": Message("a", ("a",), ("a",)), "b": Message("b")}, "a b"),
    "two of one Message-ID": ({"a": Message("x"), "b": Message("x"), "c": Message("c", ("x",))}, "abc"),
    "one of one Message-ID replies": ({"a": Message("x"), "b": Message("x", ("c",)), "c": Message("c")}, "abc"),
    "ids differ in case": ({"a": Message("A"), "b": Message("b", ("a",)), "c": Message("a")}, "a bc"),
    "no ids at all": ({"a": Message(identity="a"), "b": Message(identity="b"), "c": Message("c")}, "a b c"),
    "no ids, but the same bytes": ({"a": Message(identity="a"), "b": Message(identity="a")}, "ab"),
    "a reply that has no id": ({"a": Message("a"), "b": Message(None, ("a",))}, "ab"),
    "one conversation": (
        {"a": Message("a", conversation_id="c"), "b": Message("b", conversation_id="c"), "c": Message("c")},
        "ab c",
    ),
    "a conversation wins over References": (
        {"a": Message("a", conversation_id="c"), "b": Message("b", ("a",), ("a",), conversation_id="d")},
        "a b",
    ),
    "a reply without a conversation is with what it replies to": (
        {"a": Message("a", conversation_id="c"), "b": Message("b", ("a",)), "c": Message(None, conversation_id="c")},
        "abc",
    ),
    "a reply to two conversations makes one of them": (
        {"a": Message("a", conversation_id="c"), "b": Message("b", conversation_id="d"), "c": Message("c", ("a", "b"))},
        "abc",
    ),
    "a conversation's id is no message's": ({"a": Message("c"), "b": Message("b", conversation_id="c")}, "a b"),
    "conversations differ in case": (
        {"a": Message("a", conversation_id="c"), "b": Message("b", conversation_id="C")},
        "a b",
    ),
    "conversations with slashes": (
        {
            "a": Message("a", conversation_id="../../x/y"),
            "b": Message("b", conversation_id="../../x/y"),
            "c": Message("c", conversation_id="x/y"),
            "d": Message("d", conversation_id="%2e%2e/x/y"),
        },
        "ab c d",
    ),
    "conversations of a kilobyte": (
        {
            "a": Message("a", conversation_id=KIB + "1"),
            "b": Message("b", conversation_id=KIB + "1"),
            "c": Message("c", conversation_id=KIB + "2"),
            "d": Message("d", conversation_id=KIB),
        },
        "ab c d",
    ),
    "ids of a kilobyte": (
        {"a": Message(KIB + "1"), "b": Message("b", (KIB + "1",)), "c": Message("c", (KIB + "2",))},
        "ab c",
    ),
}


def salt(message: Message, word: str) -> Message:
    """Return a message with other ids, which have no more characters than the word brings."""

    def salted(text: str) -> str:
        return f"{text}.{word}@example.org"

    return message._replace(
        identity=salted(message.identity),
        message_id=message.message_id and salted(message.message_id),
        references=tuple(map(salted, message.references)),
        in_reply_to=tuple(map(salted, message.in_reply_to)),
        conversation_id=message.conversation_id and f"{word}{message.conversation_id}",
    )


def test_threads_do_not_depend_on_the_order(dav: Client) -> None:
    cases = {}
    for number, (case, (messages, said)) in enumerate(CASES.items()):
        assert model.partition(messages) == set(map(frozenset, said.split())), case
        for order, names in enumerate([*itertools.permutations(messages)][:: 1 if len(messages) < 4 else 5]):
            folder = f"{number}.{order}"
            cases[folder] = case, order, said.split()
            dav.mkcol(folder)
            for name in names:
                dav.put(f"{folder}/{name}", letters.write(salt(messages[name], folder)))
    found: dict[str, list[str]] = {folder: [] for folder in cases}
    for thread in reading.partition(dav):
        folders, names = zip(*(place.split("/") for place in thread), strict=True)
        assert len(set(folders)) == 1, sorted(thread)
        found[folders[0]].append("".join(sorted(names)))
    for folder, (case, order, expected) in cases.items():
        assert sorted(found[folder]) == expected, (case, order)


FORMS: dict[str, tuple[Mapping[str, str], Mapping[str, str], bool]] = {
    "the same subject": (
        {"Message-ID": "<a@x>", "Subject": "tea"},
        {"Message-ID": "<b@x>", "Subject": "Re: tea"},
        False,
    ),
    "a blank within an id": ({"Message-ID": "<a@x>"}, {"References": "<z@x> <a @x>"}, True),
    "an id that is folded": ({"Message-ID": "<a@x>"}, {"References": "<z@x> <a\r\n @x>"}, True),
    "blanks around an id": ({"Message-ID": "< a@x >"}, {"References": "<a@x>"}, True),
    "ids without a blank between": ({"Message-ID": "<a@x>"}, {"References": "<z@x><a@x>"}, True),
    "ids with a comma between": ({"Message-ID": "<a@x>"}, {"References": "<z@x>, <a@x>"}, True),
    "comments beside ids": ({"Message-ID": "<a@x>"}, {"References": "(see) <a@x> (there)"}, True),
    "an id without brackets": ({"Message-ID": "a@x"}, {"References": "<a@x>"}, True),
    "an id without an at": ({"Message-ID": "<a>"}, {"References": "<a>"}, True),
    "an id beyond ASCII": ({"Message-ID": "<å@x>"}, {"References": "<å@x>"}, True),
    "References without any id": ({"Message-ID": "<a@x>"}, {"References": "none", "In-Reply-To": "<a@x>"}, True),
    "a name in front": ({"Message-ID": "<a@x>"}, {"In-Reply-To": 'Message from "Bo" <b@x> of "Mon" <a@x>'}, True),
    "replies to one person": (
        {"Message-ID": "<a@x>", "In-Reply-To": "Message from Bo <b@x> of Mon <y@x>"},
        {"Message-ID": "<c@x>", "In-Reply-To": "Message from Bo <b@x> of Tue <z@x>"},
        False,
    ),
    "a message of behind": ({"Message-ID": "<a@x>"}, {"In-Reply-To": '<a@x> (Bo\'s message of "Mon")'}, True),
    "from whom behind": ({"Message-ID": "<a@x>"}, {"In-Reply-To": "<a@x>; from b@x on Mon, 10:00"}, True),
    "prose alone": (
        {"Message-ID": "<a@x>", "In-Reply-To": 'Your message of "Mon"'},
        {"Message-ID": "<b@x>", "In-Reply-To": 'Your message of "Mon"'},
        False,
    ),
    "percent signs are no escapes": ({"Message-ID": "<a%2e@x>"}, {"References": "<a.@x>"}, False),
}


def test_ids_in_every_form_that_mail_has(dav: Client) -> None:
    for number, (one, other, _) in enumerate(FORMS.values()):
        for name, fields in (("one", one), ("other", other)):
            dav.put(f"{number}-{name}", _write(fields).replace(b"@x", b"@%d.x" % number))
    hrefs = reading.hrefs_by_name(dav)
    for number, (case, (_, _, are_together)) in enumerate(FORMS.items()):
        assert (hrefs[f"{number}-one"] == hrefs[f"{number}-other"]) == are_together, case
    assert len(set(hrefs.values())) == sum(2 - are_together for _, _, are_together in FORMS.values())


def _write(fields: Mapping[str, str]) -> bytes:
    written = {"From": "ann@example.org", "Date": "Mon, 30 Nov 2026 10:00:00 +0000", **fields}
    return "".join(f"{name}: {value}\r\n" for name, value in written.items()).encode() + b"\r\nx\r\n"


@pytest.mark.parametrize("is_late", [False, True])
def test_a_thousand_references(dav: Client, is_late: bool) -> None:
    named = tuple(f"{number}@example.org" for number in range(1000))
    reply = letters.write(Message("reply@example.org", named))
    if not is_late:
        dav.put("reply", reply)
    for number in (0, 1, 500, 999):
        dav.put(f"{number}", letters.write(Message(named[number], date=float(number))))
    dav.put("none", letters.write(Message("1000@example.org")))
    if is_late:
        assert len(reading.threads(dav)) == 5
        dav.put("reply", reply)
    assert reading.partition(dav) == {frozenset(("reply", "0", "1", "500", "999")), frozenset(("none",))}


def test_more_references_than_are_read_are_a_bound_and_no_error(dav: Client) -> None:
    named = tuple(f"{number:0100}@example.org" for number in range(5000))
    dav.put("first", letters.write(Message(named[0])))
    dav.put("reply", letters.write(Message("reply@example.org", named)))
    assert dav("GET", "reply").status == 200
    assert sum(map(len, reading.threads(dav).values())) == 2


@pytest.mark.torture
@pytest.mark.parametrize("fields", [{"Message-ID": "<one@x>"}, {"References": "<one@x>"}, {"Conversation-ID": "one"}])
def test_ten_thousand_messages_with_one_id(dav: Client, fields: Mapping[str, str]) -> None:
    for number in range(10_000):
        dav.put(f"{number}", _write(fields) + b"%d" % number)
    dav.put("other", _write({"Message-ID": "<other@x>"}))
    assert sorted(map(len, reading.threads(dav).values())) == [1, 10_000]


def test_what_is_no_message_is_in_no_thread(dav: Client) -> None:
    bodies = {
        "a.txt": b"Message-ID: <a@x> is no field of a letter alone",
        "photo.jpg": b"\xff\xd8\xff\xe0",
        "_session": b"From: tel:+15555550100\r\nContribution-ID: s\r\nConversation-ID: c\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: Application/X-CPM-Session\r\n\r\n<session><session-type>Group</session-type></session>\r\n",
        "1-group-state": b'<groupstate timestamp="2026-06-13T16:39:57-05:00" lastfocussessionid="s" '
        b'group-type="Closed"><participant name="bo" comm-addr="tel:+15555550101"/></groupstate>',
        "imdn": b"From: tel:+15555550100\r\nConversation-ID: c\r\nContent-Type: message/imdn+xml\r\n\r\n"
        b'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m</message-id></imdn>',
    }
    for name, body in bodies.items():
        dav.put(name, body)
    dav.put("a", letters.write(Message("a@x", conversation_id="c")))
    assert reading.partition(dav) == {frozenset("a")}


def test_a_file_that_becomes_a_message_joins_and_one_that_becomes_none_leaves(dav: Client) -> None:
    dav.put("a", letters.write(Message("a@x")))
    dav.put("b", b"nothing yet")
    assert reading.partition(dav) == {frozenset("a")}
    dav.put("b", letters.write(Message("b@x", ("a@x",))))
    assert reading.partition(dav) == {frozenset("ab")}
    dav.put("a", b"nothing more")
    assert reading.partition(dav) == {frozenset("b")}
