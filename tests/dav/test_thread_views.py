"""What a device is shown of threads: by filters, by its profile, and by the folders of messages (docs/protocol.md)."""

from __future__ import annotations

import pytest

from davstore.model.rules import Reach, Rule, parse_text
from tests.dav.client import PHONE, Answer, Client, token_of
from tests.dav.test_filters import SEEN, UNREAD, report, told
from tests.dav.test_policy_views import APPLIED, SCOPE, dated
from tests.dav.test_threads import ROOT, C, mail, resolving, threads

THERE, OUT = "there", "out of view"
A, B = "conversation/A", "conversation/B"
SECOND = 1_000_000


@pytest.fixture
def names(dav: Client) -> dict[str, str]:
    """Return the names of two threads of two messages each, and of one of plain mail.

    A is one message in the inbox and one in the archive, B and the mail are in the inbox.
    """
    dav.mkcol("Inbox", "Archive")
    dav.put("Inbox/1.eml", mail(1, Conversation_ID=A))
    dav.put("Archive/2.eml", mail(2, Conversation_ID=A))
    dav.put("Inbox/3.eml", mail(3, Conversation_ID=B))
    dav.put("Inbox/4.eml", mail(4, Conversation_ID=B))
    dav.put("Inbox/5.eml", mail(5))
    found = {frozenset(members): name for name, members in threads(dav).items()}
    return {"A": found[frozenset("12")], "B": found[frozenset("34")], "mail": found[frozenset("5")]}


class Shown:
    """What a device was told: threads by the names of the fixture, messages by their numbers behind that."""

    def __init__(self, dav: Client, names: dict[str, str]) -> None:
        self._dav, self._names = dav, {name: word for word, name in names.items()}
        answer = dav.find(ROOT, f"{C}message-id", depth="infinity")
        self._numbers = {
            href: answer.text(href, f"{C}message-id").partition("@")[0] for href in answer.hrefs() if ".eml" in href
        }

    def __call__(self, answer: Answer) -> dict[str, str]:
        """Return a word for each row of a report."""
        assert answer.status == 207, answer
        return {self._word(href): word for href, word in told(answer).items()}

    def listed(self, answer: Answer) -> set[str]:
        """Return what a listing of the threads' root holds, without the root."""
        return {self._word(href) for href in answer.hrefs() if href != ROOT}

    def _word(self, href: str) -> str:
        thread = self._names[href.removeprefix(ROOT).partition("/")[0]]
        return f"{thread}/{self._numbers[href]}" if href in self._numbers else thread


@pytest.fixture
def shown(dav: Client, names: dict[str, str]) -> Shown:
    """Return the reader of answers, and let the client be a device from now on."""
    reader = Shown(dav, names)
    dav.principal = PHONE
    return reader


def pattern(text: str) -> tuple[str, ...]:
    return parse_text(f"/dav/threads/{{user}}/{text}")


def equals(name: str, value: str) -> str:
    return f"<D:eq><D:prop><C:{name}/></D:prop><D:literal>{value}</D:literal></D:eq>"


EVERY = {"A", "A/1", "A/2", "B", "B/3", "B/4", "mail", "mail/5"}


def test_a_filter_by_conversation_is_that_thread_and_its_messages(dav: Client, shown: Shown) -> None:
    answer = report(dav, equals("conversation-id", A), path=ROOT)
    assert shown(answer) == dict.fromkeys(("A", "A/1", "A/2"), THERE)
    everything = token_of(dav.sync(ROOT))
    answer = report(dav, equals("conversation-id", A), everything, ROOT)
    assert shown(answer) == dict.fromkeys(EVERY - {"A", "A/1", "A/2"}, OUT)
    answer = report(dav, equals("conversation-id", B), token_of(answer), ROOT)
    expected = {**dict.fromkeys(("A", "A/1", "A/2"), OUT), **dict.fromkeys(("B", "B/3", "B/4"), THERE)}
    assert shown(answer) == expected
    opposite = f"<D:not>{equals('conversation-id', A)}</D:not>"
    assert set(shown(report(dav, opposite, path=ROOT))) == {"B", "B/3", "B/4"}
    assert set(shown(report(dav, "<D:is-defined><D:prop><C:conversation-id/></D:prop></D:is-defined>", path=ROOT))) == {
        *("A", "A/1", "A/2", "B", "B/3", "B/4")
    }


def test_a_condition_on_anything_else_says_nothing_about_a_thread(dav: Client, shown: Shown) -> None:
    everything = {"A", "B", "mail"}
    seen = "<D:is-defined><D:prop><C:seen/></D:prop></D:is-defined>"
    for where, members in (
        (seen, set()),
        (f"<D:not>{UNREAD}</D:not>", set()),
        (UNREAD, EVERY - everything),
        ("<D:lt><D:prop><C:date/></D:prop><D:literal>2000-01-01T00:00:00Z</D:literal></D:lt>", set()),
        ("<D:gt><D:prop><D:getlastmodified/></D:prop><D:literal>2100-01-01T00:00:00Z</D:literal></D:gt>", set()),
        ("<D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>1</D:literal></D:lt>", set()),
        (equals("subject", "none"), set()),
    ):
        assert set(shown(report(dav, where, path=ROOT))) == everything | members, where


def test_kinds_are_the_list_of_threads_or_their_messages(dav: Client, shown: Shown) -> None:
    everything = token_of(dav.sync(ROOT))
    dav.rules = (Rule("list", kinds=frozenset({"thread"})),)
    answer = dav.sync(ROOT)
    assert set(shown(answer)) == {"A", "B", "mail"}
    assert shown(dav.sync(ROOT, everything)) == dict.fromkeys(EVERY - {"A", "B", "mail"}, OUT)
    for depth in ("1", "infinity"):
        assert shown.listed(dav.find(ROOT, f"{C}message-id", depth=depth)) == {"A", "B", "mail"}
    dav.rules = (Rule("messages", kinds=frozenset({"message"})),)
    assert set(shown(dav.sync(ROOT))) == EVERY - {"A", "B", "mail"}
    assert told(dav.sync()).keys() >= {"Inbox/", "Archive/", "Inbox/1.eml"}


def test_a_thread_without_which_messages_are_shown_is_never_taken_away(dav: Client, shown: Shown) -> None:
    token = token_of(dav.sync(ROOT))
    dav.rules = (Rule("messages", kinds=frozenset({"message"})),)
    answer = dav.sync(ROOT, token)
    assert shown(answer) == {}
    dav.put("Inbox/5.eml", mail(5, Subject="again"))
    answer = dav.sync(ROOT, token_of(answer))
    assert shown(answer) == {"mail/5": THERE}
    dav("DELETE", "Inbox/5.eml")
    assert set(told(dav.sync(ROOT, token_of(answer))).values()) == {"gone"}


def test_a_thread_enters_when_it_is_told_its_conversation(dav: Client, shown: Shown, names: dict[str, str]) -> None:
    where = equals("conversation-id", "C")
    token = token_of(report(dav, where, path=ROOT))
    dav.put("Inbox/5.eml", mail(5, Conversation_ID="C"))
    rows = told(report(dav, where, token, ROOT))
    assert rows[f"{ROOT}{names['mail']}/"] == THERE
    assert list(rows.values()) == [THERE] * 2


def test_an_age_is_one_of_messages(dav: Client) -> None:
    dav.principal = PHONE
    dav.put("old.eml", dated(dav.now_us - 100 * SECOND))
    dav.rules = (Rule("young", max_age_seconds=50),)
    answer = dav.sync(ROOT)
    assert len(told(answer)) == 1
    dav.put("new.eml", mail(1, Date="Mon, 30 Nov 2099 10:00:00 +0000").replace("Date: Mon, 30 Nov 2026", "X: y", 1))
    assert sorted(told(dav.sync(ROOT, token_of(answer))).values()) == [THERE] * 2


def test_a_thread_that_is_excluded_is_not_shown_and_its_messages_stay_in_their_folders(
    dav: Client, shown: Shown, names: dict[str, str]
) -> None:
    token, folders = token_of(dav.sync(ROOT)), token_of(dav.sync())
    dav.rules = (Rule("quiet", exclude=(pattern(names["A"]),)),)
    answer = dav.sync(ROOT, token)
    assert shown(answer) == {"A": OUT}
    assert [*answer.xml.iter(APPLIED)]
    quiet = token_of(answer)
    assert set(shown(dav.sync(ROOT))) == EVERY - {"A", "A/1", "A/2"}
    for depth in ("1", "infinity"):
        assert not any("A" in word for word in shown.listed(dav.find(ROOT, f"{C}message-id", depth=depth)))
    assert names["A"].encode() not in dav("GET", ROOT, Accept="text/html").body
    assert dav("REPORT", ROOT, resolving(A)).hrefs() == []
    for answer in (dav.sync(f"{ROOT}{names['A']}/"), dav.find(f"{ROOT}{names['A']}/", f"{C}kind", depth="1")):
        assert (answer.status, answer.condition) == (403, SCOPE)
    answer = dav.sync(token=folders)
    assert told(answer) == {}
    assert not [*answer.xml.iter(APPLIED)]
    dav("PROPPATCH", "Inbox/1.eml", f'<D:propertyupdate xmlns:D="DAV:">{SEEN}</D:propertyupdate>')
    assert shown(dav.sync(ROOT, quiet)) == {}
    dav.rules = ()
    assert shown(dav.sync(ROOT, quiet)) == dict.fromkeys(("A", "A/1", "A/2"), THERE)


def test_only_the_threads_that_are_included_are_shown(dav: Client, shown: Shown, names: dict[str, str]) -> None:
    token, folders = token_of(dav.sync(ROOT)), dav.sync()
    dav.rules = (Rule("one", include=(Reach(pattern(names["B"])),)),)
    assert set(shown(dav.sync(ROOT))) == {"B", "B/3", "B/4"}
    assert set(shown(dav.sync(ROOT, token))) == {"A", "mail"}
    assert dav.sync(f"{ROOT}{names['A']}/").condition == SCOPE
    assert dav.sync(f"{ROOT}{names['B']}/").status == 207
    assert told(dav.sync()) == told(folders)
    dav.rules = (Rule("list", include=(Reach(pattern(""), is_deep=False),)),)
    assert set(shown(dav.sync(ROOT))) == {"A", "B", "mail"}
    dav.rules = (Rule("nothing", include=()),)
    assert dav.sync(ROOT).condition == SCOPE


def test_without_threads_a_device_has_its_folders(dav: Client, shown: Shown) -> None:
    dav.rules = (Rule("folders", exclude=(pattern(""),)),)
    assert dav.sync(ROOT).condition == SCOPE
    assert "Inbox/1.eml" in told(dav.sync())


@pytest.mark.parametrize(
    "rule",
    [
        Rule("no archive", exclude=(("Archive",),)),
        Rule("inbox", include=(Reach(("Inbox",)),)),
        Rule("inbox and thread", include=(Reach(("Inbox",)), Reach(("/threads", "*")))),
    ],
    ids=lambda rule: rule.name,
)
def test_what_folders_are_left_out_does_not_come_by_way_of_a_thread(dav: Client, shown: Shown, rule: Rule) -> None:
    token = token_of(dav.sync(ROOT))
    dav.rules = (rule,)
    answer = dav.sync(ROOT)
    assert set(shown(answer)) == EVERY - {"A/2"}
    assert shown(dav.sync(ROOT, token)) == {"A/2": OUT}
    for depth in ("1", "infinity"):
        assert "A/2" not in shown.listed(dav.find(ROOT, f"{C}message-id", depth=depth))
    dav("MOVE", "Archive/2.eml", Destination="/dav/store/alice/Inbox/2.eml")
    back = dav.sync(ROOT, token_of(answer))
    assert shown(back) == {"A": THERE, "A/2": THERE}
    dav("MOVE", "Inbox/3.eml", Destination="/dav/store/alice/Archive/3.eml")
    assert shown(dav.sync(ROOT, token_of(back))) == {"B": THERE, "B/3": OUT}
    dav.rules = ()
    assert shown(dav.sync(ROOT, token_of(answer)))["B/3"] == THERE


def test_a_folder_that_moves_takes_its_messages_into_threads_and_out(dav: Client, shown: Shown) -> None:
    dav.rules = (Rule("no archive", exclude=(("Archive",),)),)
    token = token_of(dav.sync(ROOT))
    device, dav.principal = dav.principal, dav.principal._replace(device=None)
    dav("MOVE", "Archive/", Destination="/dav/store/alice/Kept/")
    dav("MOVE", "Inbox/", Destination="/dav/store/alice/Archive/")
    dav.principal = device
    answer = dav.sync(ROOT, token)
    assert shown(answer) == {
        **dict.fromkeys(("A", "B", "mail", "A/2"), THERE),
        **dict.fromkeys(("A/1", "B/3", "B/4", "mail/5"), OUT),
    }
    assert shown(dav.sync(ROOT, token_of(answer))) == {}


def test_an_excluded_thread_is_not_copied_into_a_folder(dav: Client, shown: Shown, names: dict[str, str]) -> None:
    dav.rules = (Rule("quiet", exclude=(pattern(names["A"]),)),)
    assert set(shown(dav.sync(ROOT))) == EVERY - {"A", "A/1", "A/2"}
    copy = {"Destination": "/dav/store/alice/copy/"}
    assert dav("COPY", f"{ROOT}{names['A']}/", **copy).condition == SCOPE
    assert dav("COPY", f"{ROOT}{names['B']}/", **copy).status == 201
