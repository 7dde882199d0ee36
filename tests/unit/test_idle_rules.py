"""Rules that change nothing: found where they are, and never where the decision would be another without them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davstore.model.principals import DeviceClass
from davstore.model.rounds import Round
from davstore.model.rules import BOTH, KINDS, THREADS, USER, Mode, Reach, Rule
from davstore.model.windows import Window
from davstore.policy import idle_rules
from davstore.policy.coverage import lie_within, never_meet, pattern_covers
from davstore.policy.idle_rules import Finding, find_idle
from davstore.policy.patterns import covers
from davstore.policy.provider import parse_rules
from davstore.policy.sync_rules import Accept, Attempt, Decision, Reject, decide, find_excluding
from davstore.policy.terms import Subject, Terms, fits, merge

PHONE, TABLET = DeviceClass.PHONE, DeviceClass.TABLET
MANUAL, AUTOMATIC = frozenset({Mode.MANUAL}), frozenset({Mode.AUTOMATIC})
BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
MINUTE = 60_000_000
BY_HAND = "modes = 'manual'"
SUMMER, WINTER = 1_784_894_400_000_000, 1_800_000_000_000_000


def told(rules: str) -> list[str]:
    """Return the warnings of a policy file as `rule: text`."""
    found = parse_rules(rules, source="policy.toml")
    return [f"{found[finding.place].name}: {finding.text}" for finding in find_idle(found)]


def rule(name: str, *lines: str) -> str:
    return "\n".join(["[[rule]]", f"name = '{name}'", *lines, ""])


@pytest.mark.parametrize(
    ("rules", "warnings"),
    [
        ([rule("a")], ["a: changes nothing: it says nothing"]),
        ([rule("a", "user = 'x'", "allowed = true", "default = true")], ["a: changes nothing: it says nothing"]),
        (
            [rule("all", "allowed = false"), rule("a", "class = 'phone'", "modes = 'manual'", "exclude = ['A']")],
            ["a: changes nothing: rule all refuses its devices"],
        ),
        (
            [rule("a", "user = 'x'", "allowed = false"), rule("all", "allowed = false")],
            ["a: changes nothing: rule all refuses its devices"],
        ),
        (
            [rule("a", "allowed = false", "exclude = ['A']")],
            ["a: exclude changes nothing: the rule refuses its devices"],
        ),
        (
            [rule("a", "class = 'phone'", BY_HAND), rule("b", "user = 'x'", "class = 'phone'", BY_HAND)],
            ["b: changes nothing: rule a takes the same mode away"],
        ),
        (
            [rule("a", "min_interval_seconds = 9", "exclude = ['A']"), rule("b", "min_interval_seconds = 8")],
            ["a: min_interval_seconds changes nothing: that of rule b counts, which comes later"],
        ),
        (
            [rule("a", "exclude = ['M/raw', 'B', 'B/c']"), rule("b", "device = 'd'", "exclude = ['M/*/x', 'M']")],
            [
                "a: exclude B/c changes nothing: the rule excludes B",
                "b: exclude M/*/x changes nothing: the rule excludes M",
            ],
        ),
        (
            [rule("a", "exclude = ['**/.cache']"), rule("b", "user = 'x'", "exclude = ['Docs/.cache', 'C']")],
            ["b: exclude Docs/.cache changes nothing: rule a excludes **/.cache"],
        ),
        (
            [rule("a", "bearer_not = ['roaming']"), rule("b", "class = 'phone'", "bearer_not = ['roaming', 'wifi']")],
            ["b: bearer_not roaming changes nothing: rule a has it too"],
        ),
        (
            [rule("a", "modes = 'manual'", "bearer_not = ['wifi']")],
            ["a: bearer_not wifi changes nothing: the rule lets no device come by itself"],
        ),
        (
            [rule("a", "window = '01:00-03:00'"), rule("b", "user = 'x'", "window = '00:00-04:00'", "exclude = ['A']")],
            ["b: window changes nothing: no more is open by rule a"],
        ),
        (
            [rule("a", "window = '22:00-02:00'"), rule("b", "class = 'phone'", "window = '02:00-22:00'")],
            ["b: window leaves no time beside rule a: its devices are always put off"],
        ),
        (
            [rule("a", "class = 'phone'", "modes = 'automatic'"), rule("b", "modes = 'manual'")],
            ["a: modes leaves none beside rule b: its devices are always refused"],
        ),
        (
            [rule("a", "modes = 'automatic'"), rule("b", "modes = 'manual'")],
            ["b: modes leaves none beside rule a: its devices are always refused"],
        ),
        (
            [rule("a", "group = 'g'", BY_HAND), rule("b", "group = 'g'", "class = 'phone'", BY_HAND)],
            ["b: changes nothing: rule a takes the same mode away"],
        ),
        (
            [rule("a", "default = true", BY_HAND), rule("b", BY_HAND)],
            ["a: changes nothing: rule b takes the same mode away"],
        ),
        (
            [rule("a", "include = ['M/*', 'D/x']"), rule("b", "user = 'x'", "include = ['M', '*/x']")],
            ["b: changes nothing: rule a allows no more"],
        ),
        (
            [rule("a", "include = []", "kinds = []"), rule("b", "user = 'x'", "include = ['M']", "kinds = ['media']")],
            ["b: changes nothing: rule a allows no more"],
        ),
        (
            [rule("a", "kinds = ['message', 'media']"), rule("b", "kinds = ['message']")],
            ["a: changes nothing: rule b allows no more"],
        ),
        (
            [rule("a", "max_body_bytes = 5", "max_age_days = 9"), rule("b", "max_body_bytes = 5", "max_age_days = 8")],
            [
                "a: max_age_days changes nothing: rule b allows no more",
                "b: max_body_bytes changes nothing: rule a allows no more",
            ],
        ),
        (
            [rule("a", "list_only = true"), rule("b", "list_only = false"), rule("c", "user='x'", "list_only = true")],
            ["b: changes nothing: rule a allows no more", "c: changes nothing: rule a allows no more"],
        ),
        (
            [rule("a", "withhold_states = true"), rule("b", "withhold_states = ['seen']", "max_age_days = 8")],
            ["b: withhold_states changes nothing: rule a allows no more"],
        ),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_told(rules: list[str], warnings: list[str]) -> None:
    assert told("".join(rules)) == warnings


@pytest.mark.parametrize(
    "rules",
    [
        [rule("a", "class = 'phone'", "allowed = false"), rule("b", "exclude = ['A']")],
        [rule("a", "class = 'phone'", "allowed = false"), rule("b", "device = 'phone'", "modes = 'manual'")],
        [rule("a", "user = 'x'", "modes = 'manual'"), rule("b", "device = 'y'", "modes = 'automatic'")],
        [rule("a", "min_interval_seconds = 9"), rule("b", "class = 'phone'", "min_interval_seconds = 0")],
        [rule("a", "class = 'phone'", "min_interval_seconds = 9"), rule("b", "min_interval_seconds = 0")],
        [rule("a", "exclude = ['Media/*/raw']"), rule("b", "exclude = ['Media/raw', '*/x/raw', 'Med*/a/raw']")],
        [rule("a", "exclude = ['a/b']"), rule("b", "exclude = ['a']", "user = 'x'")],
        [rule("a", "window = '01:00-03:00'"), rule("b", "window = '02:59-04:00'")],
        [rule("a", "window = '01:00-03:00'"), rule("b", "window = '01:00-04:00'", "zone = 'Europe/Berlin'")],
        [rule("a", "user = 'x'", "window = '01:00-03:00'"), rule("b", "window = '01:00-04:00'")],
        [rule("a", "bearer_not = ['wifi']"), rule("b", "bearer_not = ['cellular']", "modes = 'automatic'")],
        [rule("a", "user = 'x'", "modes = 'both'")],
        [rule("a", "group = 'g'", BY_HAND), rule("b", "group = 'h'", BY_HAND), rule("c", "user = 'x'", BY_HAND)],
        [rule("a", "default = true", "kinds = ['media']"), rule("b", "kinds = ['media', 'message']")],
        [rule("a", "default = true", BY_HAND), rule("b", "default = true", "modes = 'automatic'")],
        [rule("a", "default = true", BY_HAND, "bearer_not = ['wifi']")],
        [rule("a", "include = ['M/x', 'D']"), rule("b", "include = ['M', 'D/x']")],
        [rule("a", "include = ['M']"), rule("b", "user = 'x'", "include = []")],
        [rule("a", "include = ['M']"), rule("b", "user = 'x'", "include = ['/dav/threads/{user}/x']")],
        [rule("a", "include = ['M']"), rule("b", "user = 'x'", "include = ['M', '/dav/threads/{user}/x']")],
        [rule("a", "kinds = ['message']"), rule("b", "kinds = ['media']")],
        [rule("a", "max_body_bytes = 5"), rule("b", "user = 'x'", "max_body_bytes = 4", "max_age_days = 4")],
        [rule("a", "list_only = false"), rule("b", "user = 'x'", "list_only = true")],
        [rule("a", "withhold_states = ['seen']"), rule("b", "withhold_states = ['flagged']")],
    ],
)  # fmt: skip
def test_what_counts_is_not_told(rules: list[str]) -> None:
    assert told("".join(rules)) == []


def test_a_key_that_nobody_judges_keeps_its_rule_and_covers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (Rule("a", allowed=False, voice="x"), Rule("b", exclude=(("A",),)))
    assert [finding.place for finding in find_idle(rules)] == [1]
    monkeypatch.setattr(idle_rules, "_UNKNOWN", {"voice"})
    assert find_idle(rules) == []
    assert find_idle((Rule("c", voice="x"), Rule("d", modes=MANUAL), Rule("e", voice="x", modes=AUTOMATIC))) == []


NAMES = ("a", "b", "ab", "[a", ".c")
PATTERNS = st.lists(st.sampled_from([*NAMES, "*", "**", "a*", "?", "[ab]", "*b"]), min_size=1, max_size=4).map(tuple)
PATHS = [path for length in range(5) for path in itertools.product(NAMES, repeat=length)]


@given(PATTERNS, PATTERNS)
def test_a_pattern_that_covers_another_covers_every_path_of_it(wide: tuple[str, ...], narrow: tuple[str, ...]) -> None:
    if pattern_covers(wide, narrow):
        assert [path for path in PATHS if covers(narrow, path) and not covers(wide, path)] == []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("a", "a/b"), ("*", "a"), ("*", "**/a"), ("**", "*"), ("**/a", "b/**/a"), ("a*", "ab/c"), ("**/a", "**/b/a"),
        ("*/*", "*/**/*/a"), ("[ab]", "a/c"), ("a?", "ab"),
    ],
)  # fmt: skip
def test_a_pattern_covers_another(wide: str, narrow: str) -> None:
    assert pattern_covers(wide.split("/"), narrow.split("/"))
    assert not pattern_covers(narrow.split("/"), wide.split("/"))


def test_a_long_pattern_is_compared_soon() -> None:
    wide, narrow = ["**", "a"] * 50, ["**", "b"] * 50
    assert not pattern_covers(wide, narrow)
    assert pattern_covers(wide, [*wide[:-1], "a"])


@pytest.mark.parametrize(
    ("windows", "meet"),
    [
        ([Window(60, 120, UTC), Window(120, 180, UTC)], False),
        ([Window(60, 120, UTC), Window(119, 180, UTC)], True),
        ([Window(1320, 360, UTC), Window(360, 1320, UTC)], False),
        ([Window(1320, 361, UTC), Window(360, 1320, UTC)], True),
        ([Window(0, 1440, UTC), Window(7, 8, UTC)], True),
        ([Window(0, 60, BERLIN), Window(1320, 0, UTC)], True),  # 22:00 or 23:00 UTC
        ([Window(0, 60, BERLIN), Window(0, 1320, UTC)], False),
        ([Window(0, 60, BERLIN), Window(0, 1380, UTC)], True),  # in summer
        ([Window(0, 60, BERLIN), Window(0, 60, TOKYO)], False),
        ([Window(0, 60, BERLIN), Window(420, 480, TOKYO)], True),  # in summer
        ([Window(0, 720, UTC), Window(360, 1080, UTC), Window(720, 0, UTC)], False),
    ],
)
def test_windows_that_never_meet(windows: list[Window], meet: bool) -> None:
    assert never_meet(windows) is not meet
    times = (start + minute * MINUTE for start in (SUMMER, WINTER) for minute in range(1440))
    assert any(all(one.is_open(time) for one in windows) for time in times) is meet


def test_a_window_that_lies_around_others() -> None:
    assert lie_within([Window(60, 120, BERLIN)], Window(1380, 60, UTC)) is True  # from 23:00 in summer, in winter 0:00
    assert lie_within([Window(60, 120, BERLIN)], Window(1380, 59, UTC)) is False
    assert lie_within([Window(60, 120, BERLIN)], Window(1381, 60, UTC)) is False
    assert lie_within([Window(0, 720, UTC), Window(600, 900, UTC)], Window(600, 720, UTC)) is True
    assert lie_within([Window(0, 720, UTC)], Window(1, 720, UTC)) is False


WINDOWS = st.builds(
    lambda start, length, zone: Window(start * 360, (start * 360 + length * 360) % 1440, zone),
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from([UTC, BERLIN]),
)
RULE = Rule("")
FOLDERS = [path for length in range(4) for path in itertools.product(("a", "b", "c", "ab"), repeat=length)]
FOLDERS += [(THREADS, *path) for path in ((), ("a",), ("b",))]
PATTERNS_OF_RULES = [("a",), ("a", "b"), ("*", "b"), ("**", "c"), ("a*",), (THREADS, "a"), (THREADS,)]
MODES = st.sampled_from([None, None, BOTH, MANUAL, AUTOMATIC])
BEARERS = st.none() | st.frozensets(st.sampled_from(["wifi", "cellular"]), max_size=2)
VALUES = {
    "modes": MODES,
    "bearers_not": BEARERS,
    "window": st.one_of(st.none(), st.none(), WINDOWS),
    "min_interval_seconds": st.sampled_from([None, None, 0, 60, 3600]),
    "include": st.none() | st.lists(st.sampled_from(PATTERNS_OF_RULES).map(Reach), max_size=2).map(tuple),
    "exclude": st.lists(st.sampled_from(PATTERNS_OF_RULES), max_size=2).map(tuple),
    "kinds": st.none() | st.frozensets(st.sampled_from(["message", "media"])),
    "max_body_bytes": st.sampled_from([None, 1, 2]),
    "max_age_seconds": st.sampled_from([None, 86_400, 172_800]),
    "list_only": st.sampled_from([None, False, True]),
    "withhold_states": st.none() | st.frozensets(st.sampled_from(["seen", "flagged"])),
}
NAMED = st.builds(
    Rule,
    st.just(""),
    user=st.sampled_from([None, None, "x"]),
    group=st.sampled_from([None, None, "g"]),
    device=st.sampled_from([None, None, "d"]),
    device_class=st.sampled_from([None, PHONE]),
    is_default=st.sampled_from([False, False, True]),
    allowed=st.sampled_from([True] * 7 + [False]),
)


def saying(named: st.SearchStrategy[Rule], keys: Sequence[str], most: int) -> st.SearchStrategy[list[Rule]]:
    """Return rules that say something, all about the same keys."""
    said = st.fixed_dictionaries({key: VALUES[key] for key in keys})
    return st.lists(st.builds(lambda rule, values: dataclasses.replace(rule, **values), named, said), max_size=most)


KEYS = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True)
RULES = KEYS.flatmap(lambda keys: saying(NAMED, keys, 5)).map(
    lambda rules: [dataclasses.replace(one, name=str(at)) for at, one in enumerate(rules)]
)
PREFERENCES = KEYS.flatmap(lambda keys: saying(st.just(Rule("preference", USER)), keys, 1))
SUBJECTS = [
    Subject("x", "d", PHONE, frozenset("g")),
    Subject("x", "e", TABLET),
    Subject("y", "d", TABLET, frozenset("g")),
    Subject("y", "e", PHONE),
]
ATTEMPTS = [
    Attempt(mode, names, now_us + hours * 60 * MINUTE, "t", last, bearer)
    for now_us in (SUMMER, WINTER)
    for mode, bearer in ((Mode.AUTOMATIC, "wifi"), (Mode.AUTOMATIC, "cellular"), (Mode.MANUAL, None))
    for names in ((), ("a", "b"), ("x", "c"))
    for hours, last in ((0, Round(now_us - MINUTE // 2)), (6, None), (12, None), (18, None))
]


def outcomes(terms: Terms) -> list[Decision]:
    """Return the decisions without the rules that they name and the views, which `shown` tells."""
    decisions = [decide(terms, attempt) for attempt in ATTEMPTS]
    return [Accept() if isinstance(one, Accept) else dataclasses.replace(one, rule=RULE) for one in decisions]


def shown(terms: Terms) -> list[object]:
    """Return what of a store is shown: the folders, and what of their members."""
    kinds = [rule.kinds for rule in terms.binding["kinds"] if rule.kinds is not None]
    least = [(key, terms.strictest(key)) for key in ("max_body_bytes", "max_age_seconds")]
    return [
        [find_excluding(terms, names) is None for names in FOLDERS],
        frozenset(KINDS).intersection(*kinds),
        [rule and getattr(rule, key) for key, rule in least],
        terms.is_list_only,
        terms.view.withheld,
    ]


def without(rules: Sequence[Rule], findings: Sequence[Finding]) -> list[Rule]:
    """Return the rules without what the findings say changes nothing."""
    left = dict(enumerate(rules))
    fields = {"bearer_not": "bearers_not", "max_age_days": "max_age_seconds"}
    for finding in findings:
        if "changes nothing" not in finding.text:
            continue
        if finding.key is None:
            del left[finding.place]
            continue
        rule, field = left[finding.place], fields.get(finding.key, finding.key)
        value = getattr(RULE, field)
        if finding.value is not None:
            values = getattr(rule, field)
            value = type(values)(item for item in values if item != finding.value)
        left[finding.place] = dataclasses.replace(rule, **{field: value})
    return list(left.values())


@settings(max_examples=80)
@given(RULES, PREFERENCES)
def test_the_decision_is_the_same_without_all_that_is_found(rules: list[Rule], preferences: list[Rule]) -> None:
    findings = find_idle(rules)
    left = without(rules, findings)
    for subject in SUBJECTS:
        terms, less = (merge(some, preferences, subject) for some in (rules, left))
        differing = [pair for pair in zip(outcomes(terms), outcomes(less), strict=True) if pair[0] != pair[1]]
        assert not differing[:1]  # one alone: the difference between all of them takes minutes to be printed
        if all(rule.allowed for rule in terms.rules):
            assert shown(terms) == shown(less)
    for finding in findings:
        assert "changes nothing" in finding.text or finding.text.startswith(("modes leaves", "window leaves"))
        if "leaves" in finding.text:
            fitting = [subject for subject in SUBJECTS if fits(rules[finding.place], subject)]
            decisions = [one for subject in fitting for one in outcomes(merge(rules, preferences, subject))]
            assert not any(isinstance(one, Accept) for one in decisions)
            assert finding.key == "window" or all(isinstance(one, Reject) for one in decisions)
