"""The ceilings of the provider: a preference may narrow them, and loosen defaults alone."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from davstore.model.principals import DeviceClass
from davstore.model.rules import BOTH, DEVICE, THREADS, Mode, Reach, Rule
from davstore.model.windows import Window
from davstore.policy.ceilings import find_excess, merge_for_user
from davstore.policy.terms import Subject, merge

PHONE = Subject("alice", "phone", DeviceClass.PHONE, frozenset({"staff"}))
MANUAL, AUTOMATIC = frozenset({Mode.MANUAL}), frozenset({Mode.AUTOMATIC})
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def window(start: int, end: int, zone: Any = UTC) -> Window:
    return Window(start * 60, end * 60, zone)


def excess(wanted: dict[str, Any], *rules: Rule) -> tuple[str, str] | None:
    """Return key and rule, where the phone's preference goes beyond the provider's rules."""
    preference = Rule("sync-preferences", DEVICE, **wanted)
    found = find_excess(preference, merge(rules, [preference], PHONE))
    return None if found is None else (found[0], found[1].name)


TABLE: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("modes", MANUAL, [MANUAL], [BOTH]),
    ("modes", AUTOMATIC, [BOTH], [MANUAL]),
    ("modes", BOTH, [BOTH, MANUAL], []),
    ("bearers_not", frozenset({"roaming"}), [frozenset({"wifi"}), frozenset({"roaming", "wifi"})], [frozenset()]),
    ("bearers_not", frozenset(), [frozenset(), frozenset({"wifi"})], []),
    (
        "window",
        window(22, 6),
        [window(22, 6), window(23, 5), window(0, 6)],
        [window(21, 6), window(22, 7), window(6, 22)],
    ),
    ("window", window(8, 18), [window(8, 18), window(9, 10)], [window(18, 8), window(0, 24), window(17, 19)]),
    # in Berlin it is an hour later than in UTC, in summer two
    ("window", window(8, 18, BERLIN), [window(7, 16), window(8, 10)], [window(7, 17), window(6, 16), window(8, 18)]),
    ("window", window(0, 24), [window(0, 24), window(9, 10, BERLIN)], []),
    # in March the clocks of New York change three weeks before those of Berlin: 9:00 is 14:00 there then, else 15:00
    ("window", window(15, 24, BERLIN), [window(10, 17, NEW_YORK)], [window(9, 17, NEW_YORK)]),
    ("min_interval_seconds", 900, [900, 1000], [899, 0]),
    (
        "include",
        (Reach(("a",)),),
        [(Reach(("a",)),), (Reach(("a", "b"), is_deep=False),)],
        [(Reach(("b",)),), (Reach(()),)],
    ),
    (
        "include",
        (Reach(("a",), is_deep=False), Reach(("m", "*"))),
        [(Reach(("a",), is_deep=False),), (Reach(("m", "x")), Reach(("a",), is_deep=False))],
        [(Reach(("a",)),), (Reach(("m",)),), (Reach(("a", "b"), is_deep=False),), (Reach(("m", "x")), Reach(("b",)))],
    ),
    (
        "kinds",
        frozenset({"message", "imdn"}),
        [frozenset({"message"})],
        [frozenset({"media"}), frozenset({"imdn", "media"})],
    ),
    ("max_body_bytes", 1000, [1000, 0], [1001]),
    ("max_age_seconds", 86_400, [86_400, 60], [86_401]),
    ("list_only", True, [True], [False]),
    ("list_only", False, [True, False], []),
    ("withhold_states", frozenset({"seen"}), [frozenset({"seen", "flagged"}), frozenset({"flagged"})], [frozenset()]),
]
CASES = [
    (key, ceiling, wanted, is_beyond)
    for key, ceiling, within, beyond in TABLE
    for wanted, is_beyond in [*((one, False) for one in within), *((one, True) for one in beyond)]
]


@pytest.mark.parametrize(("key", "ceiling", "wanted", "is_beyond"), CASES)
def test_a_ceiling_is_not_passed_and_a_default_is(key: str, ceiling: Any, wanted: Any, is_beyond: bool) -> None:
    assert excess({key: wanted}, Rule("r", **{key: ceiling})) == ((key, "r") if is_beyond else None)
    assert excess({key: wanted}, Rule("r", **{key: ceiling}, is_default=True)) is None
    assert excess({key: wanted}) is None
    other = Rule("r", **{key: ceiling}, device="laptop")
    assert excess({key: wanted}, other) is None


def test_an_excluded_folder_is_never_included() -> None:
    rule = Rule("r", exclude=(("Archive",), ("**", "raw")), is_default=True)
    for names in (("Archive",), ("Archive", "2020"), ("Media", "raw", "x")):
        assert excess({"include": (Reach(names),)}, rule) == ("include", "r")
    assert excess({"include": (Reach(("Media",)), Reach(()))}, rule) is None
    assert excess({"exclude": (("Archive",),)}, rule) is None
    assert excess({"include": (Reach(("a[*]",)),)}, Rule("r", exclude=(("ab",),))) is None  # the name `a*` is another


def test_folders_are_no_ceiling_for_threads_nor_threads_for_folders() -> None:
    thread, other = (THREADS, "a"), (THREADS, "b")
    ceilings = (Rule("mail", include=(Reach(("Mail",)),)), Rule("one", include=(Reach(thread),)))
    for wanted, key in (
        ((Reach(thread),), None),
        ((Reach(("Mail", "In")),), None),
        ((Reach(thread), Reach(("Mail",))), None),
        ((Reach(other),), "include"),
        ((Reach((THREADS,)),), "include"),
        ((Reach(thread), Reach(("Media",))), "include"),
    ):
        preference = Rule("own", DEVICE, include=wanted)
        found = find_excess(preference, merge(ceilings, [preference], Subject("me", "phone", DeviceClass.PHONE)))
        assert (found and found[0]) == key, wanted


def test_every_ceiling_counts_and_of_intervals_that_of_the_most_specific_rule() -> None:
    assert excess({"max_body_bytes": 500}, Rule("wide", max_body_bytes=1000), Rule("close", max_body_bytes=400)) == (
        "max_body_bytes",
        "close",
    )
    mixed = (Rule("default", max_body_bytes=10, is_default=True), Rule("ceiling", max_body_bytes=1000))
    assert excess({"max_body_bytes": 1000}, *mixed) is None
    assert excess({"max_body_bytes": 1001}, *mixed) == ("max_body_bytes", "ceiling")
    slow = Rule("slow", min_interval_seconds=900)
    assert excess({"min_interval_seconds": 60}, slow, Rule("fast", device="phone", min_interval_seconds=0)) is None
    often = Rule("often", device="phone", min_interval_seconds=0, is_default=True)
    assert excess({"min_interval_seconds": 60}, slow, often) is None


def test_for_a_user_the_rules_of_every_device_count() -> None:
    rules = [
        Rule("of the phone", device="phone", max_body_bytes=1),
        Rule("of phones", device_class=DeviceClass.PHONE, max_body_bytes=2),
        Rule("of others", user="bob", max_body_bytes=3),
        Rule("of staff", group="staff", max_body_bytes=4),
        Rule("of alice", user="alice", max_body_bytes=5),
        Rule("of all", max_body_bytes=6),
    ]
    staff = merge_for_user(rules, [], "alice", frozenset({"staff"}))
    assert {rule.name for rule in staff.rules} == {"of staff", "of alice", "of all"}
    assert {rule.name for rule in merge_for_user(rules, [], "alice").rules} == {"of alice", "of all"}
