"""REPORT explain-sync: the decision about each device, the rule behind it, and what would change it."""

from __future__ import annotations

from typing import Any

import pytest

from davstore.model.rules import BOTH, Mode, Rule
from davstore.store import enrolling
from tests.dav.client import ALICE, BOB, NOW, Answer, Client

C = "urn:davstore:cpm"
BY_HAND = Rule("by-hand", device="phone", modes=frozenset({Mode.MANUAL}))


@pytest.fixture
def alice(dav: Client) -> Client:
    """Return the client of a person with a phone and a tablet."""
    for name in ("phone", "tablet"):
        enrolling.add_device(dav.database, "alice", name, now_us=NOW)
    return dav


def explain(dav: Client, content: str = "", path: str = "", **headers: str) -> Answer:
    return dav("REPORT", path, f'<C:explain-sync xmlns:C="{C}" xmlns:D="DAV:">{content}</C:explain-sync>', **headers)


def told(answer: Answer) -> dict[str, tuple[str, str | None, str]]:
    """Return the status, the condition and the words for each device."""
    assert answer.status == 207
    found = {}
    for response in answer.xml.iter("{DAV:}response"):
        error = response.find("{DAV:}error")
        condition: Any = None if error is None else error[0].tag.removeprefix(f"{{{C}}}")
        name = response.findtext("{DAV:}href").removeprefix("/dav/principals/devices/alice/")
        status = response.findtext("{DAV:}status").removeprefix("HTTP/1.1 ")
        found[name] = (status, condition, response.findtext("{DAV:}responsedescription"))
    return found


ACCEPTED = ("200 OK", None, "It may synchronise.")


def test_each_device_is_told_with_the_rule_and_what_would_change_it(alice: Client) -> None:
    alice.rules = (BY_HAND,)
    words = (
        "It may not: rule by-hand of the provider. It may when its user asks for it. The provider can change the rule."
    )
    assert told(explain(alice)) == {"phone/": ("403 Forbidden", "sync-allowed", words), "tablet/": ACCEPTED}
    manual = "<C:context><C:mode>manual</C:mode></C:context>"
    assert told(explain(alice, manual)) == {"phone/": ACCEPTED, "tablet/": ACCEPTED}


def test_a_device_is_told_of_itself_even_while_it_is_refused(alice: Client) -> None:
    alice.rules = (Rule("never", allowed=False),)
    phone = enrolling.get_device(alice.database, "alice", "phone").device
    alice.principal = ALICE._replace(device=phone)
    assert alice.sync().status == 403
    words = "It may not: rule never of the provider. The provider can change the rule."
    assert told(explain(alice)) == {"phone/": ("403 Forbidden", "sync-allowed", words)}
    alice.principal = BOB
    assert explain(alice).status == 404


def test_folders_bearers_and_times_are_judged(alice: Client) -> None:
    alice.mkcol("Archive")
    alice.rules = (
        Rule("no-archive", exclude=(("Archive",),)),
        Rule("home", modes=BOTH, bearers_not=frozenset({"cellular"})),
    )
    assert told(explain(alice, path="Archive/"))["phone/"][:2] == ("403 Forbidden", "sync-scope-allowed")
    cellular = "<C:context><C:bearer>cellular</C:bearer></C:context>"
    assert told(explain(alice, cellular))["phone/"][2] == (
        "It may not: rule home of the provider. It may when its user asks for it. "
        "It may over another bearer than cellular. The provider can change the rule."
    )


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ("<C:at>yesterday</C:at>", {}, 400),
        ("<C:context><C:mode>often</C:mode></C:context>", {}, 400),
        ("", {"Depth": "1"}, 400),
        ("<C:device><D:href>x</D:href></C:device>" * 101, {}, 413),
    ],
)
def test_what_cannot_be_read_is_refused(alice: Client, content: str, headers: dict[str, str], status: int) -> None:
    assert explain(alice, content, **headers).status == status


def test_it_is_a_report_of_collections(alice: Client) -> None:
    alice.put("file")
    assert explain(alice, path="file").condition == "{DAV:}supported-report"
    assert explain(alice, path="missing").status == 404
    reports = alice.find("", "{DAV:}supported-report-set").body
    assert b"<C:explain-sync/>" in reports
