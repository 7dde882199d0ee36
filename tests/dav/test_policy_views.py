"""What a device is shown: views by the provider's rules, in reports, listings and pages (docs/protocol.md#views)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from davstore.model.rules import KEYWORDS, STATES, Reach, Rule
from tests.dav.client import ALICE, NOW, PHONE, Client, prop_body, token_of
from tests.dav.test_filters import SEEN, UNREAD, report, told
from tests.web.mails import mail

SCOPE = "{urn:davstore:cpm}sync-scope-allowed"
SECOND = 1_000_000
DAY = 86_400
APPLIED = "{urn:davstore:cpm}sync-policy-applied"


@pytest.fixture
def phone(dav: Client) -> Client:
    """Return the client as a device of alice."""
    dav.principal = PHONE
    return dav


def dated(time_us: int) -> bytes:
    """Return a message of a time."""
    at = datetime.fromtimestamp(time_us / SECOND, UTC)
    return mail(Date=f"{at:%a, %d %b %Y %H:%M:%S} +0000")


def test_an_excluded_folder_is_not_listed_and_not_entered(phone: Client) -> None:
    phone.mkcol("Archive", "Archive/2024", "Mail")
    for path in ("Archive/a", "Archive/2024/b", "Mail/c"):
        phone.put(path)
    phone.rules = (Rule("no-archive", exclude=(("Archive",),)),)
    answer = phone.sync()
    assert told(answer) == {"Mail/": "there", "Mail/c": "there"}
    [applied] = answer.xml.iter(APPLIED)
    assert applied.findtext("{urn:davstore:cpm}policy/{DAV:}href") == "/dav/principals/devices/alice/phone/"
    assert phone.names() == ["Mail/"]
    for depth in ("1", "infinity"):
        assert not any("Archive" in href for href in phone.find("", "{DAV:}getetag", depth=depth).hrefs())
    for accept in ("text/html", "text/plain", "*/*"):
        assert b"Archive" not in phone("GET", "", Accept=accept).body
    for path in ("Archive/", "Archive/2024/"):
        assert phone.sync(path).condition == SCOPE
        assert phone("PROPFIND", path, Depth="1").condition == SCOPE
        assert phone("GET", path).status == 403
    assert phone("GET", "Archive/a").status == 200
    phone.principal = ALICE
    assert phone.names() == ["Archive/", "Mail/"]


def test_a_folder_leaves_once_at_its_top_and_comes_back(phone: Client) -> None:
    phone.mkcol("Archive", "Archive/2024", "Mail")
    for path in ("Archive/a", "Archive/2024/b", "Mail/c"):
        phone.put(path)
    everything = token_of(phone.sync())
    phone.rules = (Rule("no-archive", exclude=(("Archive",),)),)
    answer = phone.sync(token=everything)
    assert told(answer) == {"Archive/": "out of view"}
    token = token_of(answer)
    phone.put("Archive/new")
    phone("DELETE", "Archive/a")
    assert told(phone.sync(token=token)) == {}
    phone.rules = ()
    assert told(phone.sync(token=token)) == {
        "Archive/": "there",
        "Archive/new": "there",
        "Archive/2024/": "there",
        "Archive/2024/b": "there",
        "Archive/a": "gone",
    }


def test_folders_that_are_included_are_all_there_is(phone: Client) -> None:
    phone.mkcol("Mail", "Mail/In", "Mail/In/Deep", "Media")
    for path in ("a", "Mail/b", "Mail/In/c", "Mail/In/Deep/d", "Media/e"):
        phone.put(path)
    everything = token_of(phone.sync())
    phone.rules = (Rule("inbox", include=(Reach(("Mail", "In")),)),)
    assert told(phone.sync()) == dict.fromkeys(
        ("Mail/", "Mail/In/", "Mail/In/c", "Mail/In/Deep/", "Mail/In/Deep/d"), "there"
    )
    assert told(phone.sync(token=everything)) == dict.fromkeys(("a", "Mail/b", "Media/"), "out of view")
    assert phone.sync("Media/").condition == SCOPE
    assert phone.sync("Mail/").status == 207
    phone.rules = (Rule("inbox", include=(Reach(("Mail", "In"), is_deep=False),)),)
    assert told(phone.sync()) == dict.fromkeys(("Mail/", "Mail/In/", "Mail/In/c", "Mail/In/Deep/"), "there")


def test_two_voices_of_includes_leave_what_is_in_both(phone: Client) -> None:
    phone.mkcol("Mail", "Mail/In", "Mail/Out", "Media")
    phone.rules = (
        Rule("mail", include=(Reach(("Mail",)),)),
        Rule("some", include=(Reach(("Mail", "In")), Reach(("Media",)))),
    )
    assert told(phone.sync()) == {"Mail/": "there", "Mail/In/": "there"}


def test_kinds_and_sizes_narrow_the_view(phone: Client) -> None:
    phone.put("message.eml", mail())
    phone.put("picture.jpg", b"x" * 100)
    phone.put("large.jpg", b"x" * 101)
    phone.rules = (Rule("mail", kinds=frozenset({"message"})),)
    assert told(phone.sync()) == {"message.eml": "there"}
    phone.rules = (Rule("media", kinds=frozenset({"media"})), Rule("small", max_body_bytes=100))
    assert told(phone.sync()) == {"picture.jpg": "there"}
    assert phone.names() == ["picture.jpg"]
    phone.rules = (Rule("nothing", kinds=frozenset()),)
    assert told(phone.sync()) == {}


def test_members_age_out_of_the_view_and_nothing_is_told_before(phone: Client) -> None:
    for name, age_s in (("old", 31 * DAY), ("ageing", 30 * DAY - 10), ("young", 29 * DAY)):
        phone.put(f"{name}.eml", dated(NOW - age_s * SECOND))
    phone.put("file", b"x")
    phone.rules = (Rule("month", max_age_seconds=30 * DAY),)
    answer = phone.sync()
    assert told(answer) == dict.fromkeys(("ageing.eml", "young.eml", "file"), "there")
    for seconds, rows in ((5, {}), (10, {}), (11, {"ageing.eml": "out of view"}), (12, {}), (DAY, {})):
        phone.now_us = NOW + seconds * SECOND
        answer = phone.sync(token=token_of(answer))
        assert told(answer) == rows, seconds
    phone.now_us = NOW + (DAY + 1) * SECOND
    phone.put("late.eml", dated(NOW - 40 * DAY * SECOND))
    answer = phone.sync(token=token_of(answer))
    assert told(answer) == {"young.eml": "out of view", "late.eml": "out of view"}
    phone.now_us = NOW + 31 * DAY * SECOND
    assert told(phone.sync(token=token_of(answer))) == {"file": "out of view"}


@pytest.mark.parametrize("where", [None, UNREAD])
def test_an_age_of_no_time_is_a_view_of_its_own(phone: Client, where: str | None) -> None:
    phone.put("a.eml", dated(NOW - DAY * SECOND))
    token = token_of(report(phone, where))
    phone.rules = (Rule("none", max_age_seconds=0),)
    phone.now_us += DAY * SECOND
    phone.put("b.eml", dated(phone.now_us))
    answer = report(phone, where, token)
    assert told(answer) == {"a.eml": "out of view", "b.eml": "there"}
    phone.now_us += 2 * SECOND
    answer = report(phone, where, token_of(answer))
    assert told(answer) == {"b.eml": "out of view"}
    assert told(report(phone, where, token_of(answer))) == {}


def test_a_view_that_changes_within_a_change_of_views_forgets_no_removal(phone: Client) -> None:
    phone.mkcol("a", "b", "c")
    phone.put("a/x")
    token = token_of(phone.sync())
    phone.put("new")
    phone("DELETE", "a/")
    phone.rules = (Rule("no-a", exclude=(("a",),)),)
    answer = phone.sync(token=token, limit=1)
    assert told(answer) == {"new": "there", "": "gone"}
    phone.rules = (Rule("no-a-no-b", exclude=(("a",), ("b",))),)
    rows = told(phone.sync(token=token_of(answer)))
    assert (rows["a/"], rows["b/"]) == ("gone", "out of view")


def test_a_folder_that_a_file_replaced_before_it_went_is_told_as_gone(phone: Client) -> None:
    phone.mkcol("a", "a/b")
    phone.rules = (Rule("only-b", include=(Reach(("a", "b")),)),)
    token = token_of(phone.sync())
    phone("DELETE", "a/")
    phone.put("a")
    phone("DELETE", "a")
    assert told(phone.sync(token=token)) == {"a": "gone"}


def test_a_run_of_pages_is_judged_at_the_time_it_began(phone: Client) -> None:
    for name in "abcd":
        phone.put(f"{name}.eml", dated(NOW - (30 * DAY - 10) * SECOND))
    phone.rules = (Rule("month", max_age_seconds=30 * DAY),)
    mirror: set[str] = set()
    token, goes_on = "", True
    while goes_on:
        answer = phone.sync(token=token, limit=1)
        rows = told(answer)
        goes_on = rows.pop("", None) is not None
        token = token_of(answer)
        mirror |= {name for name, word in rows.items() if word == "there"}
        mirror -= {name for name, word in rows.items() if word != "there"}
        phone.now_us += 4 * SECOND
    assert mirror == {"a.eml", "b.eml", "c.eml", "d.eml"}
    assert told(phone.sync(token=token)) == dict.fromkeys(mirror, "out of view")


def test_a_device_is_asked_to_take_no_bodies(phone: Client) -> None:
    phone.put("a")
    phone.rules = (Rule("lists", list_only=True),)
    answer = phone.sync()
    assert told(answer) == {"a": "there"}
    for asked in (answer, phone.find("", "{DAV:}getetag", depth="1")):
        [applied] = asked.xml.iter(APPLIED)
        assert applied.find("{urn:davstore:cpm}list-only") is not None
    phone.rules = ()
    assert told(phone.sync(token=token_of(answer))) == {}


def test_withheld_states_are_not_told_and_come_when_they_may(phone: Client) -> None:
    for name in ("a", "b"):
        phone.put(name)
    phone.patch("a", SEEN)
    phone.rules = (Rule("no-states", withhold_states=STATES),)
    seen = "{urn:davstore:cpm}seen"
    body = phone.sync().body.decode()
    assert told(phone.sync()) == {"a": "there", "b": "there"}
    answer = phone.find("", seen, depth="1")
    assert b"<C:seen>T" not in answer.body
    assert "<C:seen>T" not in body
    token = token_of(phone.sync())
    phone.rules = (Rule("keywords", withhold_states=frozenset({KEYWORDS})),)
    assert told(phone.sync(token=token)) == {"a": "there"}
    assert b"<C:seen>T" in phone("PROPFIND", "", prop_body(seen), Depth="1").body


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_no_excluded_folder_comes_into_view_by_another_name(phone: Client, method: str) -> None:
    phone.mkcol("Archive", "Archive/2024", "Mail", "Work", "Work/.cache", "Work/secret")
    phone.put("Archive/a")
    phone.rules = (Rule("no", exclude=(("Archive",), ("**", ".cache"), ("Work", "secret"))),)
    for source, target in (("Archive/", "Other/"), ("Archive/2024/", "Mail/2024/"), ("Work/", "Play/")):
        answer = phone(method, source, Destination=f"/dav/store/alice/{target}")
        assert (answer.status, answer.condition) == (403, SCOPE), source
    assert phone("COPY", "Work/", Destination="/dav/store/alice/Bare/", Depth="0").status == 201
    phone("DELETE", "Work/secret/")
    assert phone(method, "Work/", Destination="/dav/store/alice/Play/").status == 201
    assert phone(method, "Archive/a", Destination="/dav/store/alice/Mail/a").status == 201
    phone.principal = ALICE
    assert phone(method, "Archive/", Destination="/dav/store/alice/Other/").status == 201


@pytest.mark.parametrize("depth", ["0", "1"])
def test_the_sync_token_of_a_listing_is_of_the_view_that_it_shows(phone: Client, depth: str) -> None:
    phone.put("small")
    phone.put("large", b"x" * 100)
    phone.rules = (Rule("small", max_body_bytes=10, max_age_seconds=DAY),)
    token = phone.find("", "{DAV:}sync-token", depth=depth).xml.findtext(".//{DAV:}sync-token")
    assert token is not None
    assert told(phone.sync(token=token)) == {}
    phone.rules = ()
    assert told(phone.sync(token=token))["large"] == "there"
