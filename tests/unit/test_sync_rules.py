"""The gate's decision, as a pure function."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.model.principals import DeviceClass
from davstore.model.rounds import Round
from davstore.model.rules import Mode, Rule
from davstore.model.windows import Window
from davstore.policy.patterns import covers
from davstore.policy.sync_rules import Accept, Attempt, Decision, Defer, Reject, next_round
from davstore.policy.sync_rules import decide as decide_by
from davstore.policy.terms import Subject, fits, merge

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_800_000_000 * SECOND
PHONE = Subject("alice", "phone", DeviceClass.PHONE)
POLL = Attempt(Mode.AUTOMATIC, (), NOW, token="T")


def decide(rules: Iterable[Rule], attempt: Attempt) -> Decision:
    return decide_by(merge(rules, (), PHONE), attempt)


def _attempt(**changes: object) -> Attempt:
    return dataclasses.replace(POLL, **changes)


def test_no_rule_accepts() -> None:
    assert decide((), POLL) == Accept()


@pytest.mark.parametrize(
    ("selectors", "fits"),
    [
        ({}, True),
        ({"user": "alice"}, True),
        ({"user": "bob"}, False),
        ({"device": "phone"}, True),
        ({"device": "laptop"}, False),
        ({"device_class": DeviceClass.PHONE}, True),
        ({"device_class": DeviceClass.TABLET}, False),
        ({"user": "alice", "device": "phone", "device_class": DeviceClass.PHONE}, True),
        ({"user": "alice", "device": "laptop"}, False),
        ({"user": "bob", "device": "phone"}, False),
    ],
)
def test_a_rule_fits_when_all_it_selects_fit(selectors: dict[str, object], fits: bool) -> None:
    rule = Rule("no", allowed=False, **selectors)
    assert decide((rule,), POLL) == (Reject("sync-allowed", rule) if fits else Accept())


def test_a_mode_is_refused_with_those_that_remain() -> None:
    rule = Rule("by-hand", modes=frozenset({Mode.MANUAL}))
    assert decide((rule,), POLL) == Reject("sync-allowed", rule, frozenset({Mode.MANUAL}))
    assert decide((rule,), _attempt(mode=Mode.MANUAL)) == Accept()


def test_two_rules_may_leave_no_mode() -> None:
    by_hand = Rule("by-hand", modes=frozenset({Mode.MANUAL}))
    by_itself = Rule("by-itself", user="alice", modes=frozenset({Mode.AUTOMATIC}))
    for mode, rule in ((Mode.AUTOMATIC, by_hand), (Mode.MANUAL, by_itself)):
        assert decide((by_hand, by_itself), _attempt(mode=mode)) == Reject("sync-allowed", rule, frozenset())


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("Archive", "Archive", True),
        ("Archive", "Archive/2024/a.jpg", True),
        ("Archive", "", False),
        ("Archive", "Archives", False),
        ("Archive", "archive", False),
        ("Archive", "Mail/Archive", False),
        ("Media/*/raw", "Media/2024/raw/x", True),
        ("Media/*/raw", "Media/raw", False),
        ("Media/*/raw", "Media/a/b/raw", False),
        ("**/.cache", ".cache", True),
        ("**/.cache", "a/b/.cache/c", True),
        ("**/.cache", "a/b", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z/y", True),
        ("IMG_[0-9]?", "IMG_12", True),
        ("IMG_[0-9]?", "IMG_x2", False),
    ],
)
def test_patterns_cover_what_they_match_and_all_beneath(pattern: str, path: str, covered: bool) -> None:
    names = tuple(path.split("/")) if path else ()
    assert covers(tuple(pattern.split("/")), names) is covered
    rule = Rule("no-archives", exclude=(tuple(pattern.split("/")),))
    decision = decide((rule,), _attempt(names=names))
    assert decision == Reject("sync-scope-allowed", rule) if covered else isinstance(decision, Accept)


@pytest.mark.parametrize(
    "pattern", [("**", "a") * 49 + ("**", "b"), ("*a" * 127,) * 99 + ("b",), ("**",) * 99 + ("*a*a*b",)]
)
def test_the_longest_pattern_on_the_longest_path_takes_a_moment(pattern: tuple[str, ...]) -> None:
    """A pattern of 100 names on a path of 1,000: cubic time would be hours."""
    begun = time.process_time()
    assert not covers(pattern, ("a" * 255,) * 1_000)
    assert not covers(pattern, ("a",) * 1_000)
    assert time.process_time() - begun < 2


def covers_by_trying(pattern: list[str], names: list[str]) -> bool:
    """Match a pattern by trying all ways, far too slowly for use."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(covers_by_trying(pattern[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and pattern[0] in ("*", names[0]) and covers_by_trying(pattern[1:], names[1:])


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=6),
    st.lists(st.sampled_from("abc"), max_size=6),
)
def test_a_pattern_covers_what_trying_finds(pattern: list[str], path: list[str]) -> None:
    assert covers(pattern, path) is covers_by_trying(pattern, path)


def test_an_interval_defers_until_it_has_passed() -> None:
    rule = Rule("hourly", min_interval_seconds=3600)
    for elapsed_us, decision in [
        (0, Defer("sync-interval-respected", rule, 3600)),
        (1, Defer("sync-interval-respected", rule, 3600)),
        (1 * SECOND, Defer("sync-interval-respected", rule, 3599)),
        (3600 * SECOND - 1, Defer("sync-interval-respected", rule, 1)),
        (3600 * SECOND, Accept()),
        (-1, Accept()),  # the clock was set back
    ]:
        assert decide((rule,), _attempt(last_round=Round(NOW - elapsed_us))) == decision
    assert decide((rule,), POLL) == Accept()


def test_the_interval_is_that_of_the_most_specific_rule() -> None:
    rules = (
        Rule("device", device="phone", min_interval_seconds=5),
        Rule("user", user="alice", min_interval_seconds=4),
        Rule("class", device_class=DeviceClass.PHONE, min_interval_seconds=3),
        Rule("all", min_interval_seconds=2),
        Rule("all-later", min_interval_seconds=1),
    )
    early = _attempt(last_round=Round(NOW))
    for first, expected in [(0, "device"), (1, "user"), (2, "class"), (3, "all-later")]:
        decision = decide(rules[first:], early)
        assert isinstance(decision, Defer)
        assert decision.rule.name == expected
    assert decide((*rules, Rule("free", user="alice", device="phone", min_interval_seconds=0)), early) == Accept()


def test_a_no_outranks_a_wait() -> None:
    hourly = Rule("hourly", user="alice", device="phone", min_interval_seconds=3600)
    never = Rule("never", allowed=False)
    assert decide((hourly, never), _attempt(last_round=Round(NOW))) == Reject("sync-allowed", never)


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def test_a_bearer_is_taken_from_automatic_synchronisation() -> None:
    roaming = Rule("no-roaming", bearers_not=frozenset({"cellular-roaming"}))
    manual = frozenset({Mode.MANUAL})
    assert decide((roaming,), _attempt(bearer="cellular-roaming")) == Reject("sync-allowed", roaming, manual)
    assert decide((roaming,), _attempt(bearer="cellular-roaming", mode=Mode.MANUAL)) == Accept()
    for bearer in ("wifi", "cellular", None):
        assert decide((roaming,), _attempt(bearer=bearer)) == Accept()
    by_itself = Rule("by-itself", modes=frozenset({Mode.AUTOMATIC}))
    assert decide((roaming, by_itself), _attempt(bearer="cellular-roaming")) == Reject("sync-allowed", roaming)


BERLIN = ZoneInfo("Europe/Berlin")
GAP = Rule("gap", window=Window(2 * 60 + 30, 3 * 60 + 20, BERLIN))
NIGHT = Rule("night", window=Window(22 * 60, 6 * 60, BERLIN))
OFFICE = Rule("office", window=Window(9 * 60, 17 * 60, ZoneInfo("UTC")))
EVENING = Rule("evening", window=Window(16 * 60, 24 * 60, ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("rules", "at", "rule", "wait_seconds"),
    [
        ((NIGHT,), "2026-11-30T22:00:00+01:00", None, 0),
        ((NIGHT,), "2026-12-01T05:59:59+01:00", None, 0),
        ((NIGHT,), "2026-12-01T06:00:00+01:00", NIGHT, 16 * 3600),
        ((NIGHT,), "2026-11-30T21:59:59+01:00", NIGHT, 1),
        ((NIGHT,), "2026-07-01T21:00:00+02:00", NIGHT, 3600),  # summer time
        ((NIGHT,), "2026-03-28T12:00:00+01:00", NIGHT, 10 * 3600),
        ((NIGHT,), "2026-03-29T12:00:00+02:00", NIGHT, 10 * 3600),  # the clock went forward at night
        ((GAP,), "2026-03-29T00:45:00+00:00", GAP, 900),  # it begins in the hour that is left out
        ((OFFICE,), "2026-11-30T09:00:00+00:00", None, 0),
        ((OFFICE,), "2026-11-30T17:00:00+00:00", OFFICE, 16 * 3600),
        ((EVENING,), "2026-11-30T23:59:59+00:00", None, 0),
        ((EVENING,), "2026-12-01T00:00:00+00:00", EVENING, 16 * 3600),
        ((OFFICE, EVENING), "2026-11-30T16:30:00+00:00", None, 0),
        ((OFFICE, EVENING), "2026-11-30T10:00:00+00:00", EVENING, 6 * 3600),
        ((OFFICE, EVENING), "2026-11-30T18:00:00+00:00", OFFICE, 22 * 3600),  # until both are open
        ((OFFICE, NIGHT), "2026-11-30T12:00:00+00:00", NIGHT, 24 * 3600),  # they are never open together
    ],
)
def test_all_windows_must_be_open(rules: tuple[Rule, ...], at: str, rule: Rule | None, wait_seconds: int) -> None:
    decision = Accept() if rule is None else Defer("sync-window-open", rule, wait_seconds)
    for mode in Mode:
        assert decide(rules, _attempt(now_us=_us(at), mode=mode)) == decision


@given(st.integers(0, 24 * 60 - 1), st.integers(1, 24 * 60 - 1), st.integers(_us("2026-01-01"), _us("2026-12-31")))
def test_a_window_is_open_when_it_is_said_to_open(start: int, length: int, now_us: int) -> None:
    window = Window(start, (start + length) % (24 * 60), ZoneInfo("UTC"))
    opens_us = window.opens_us(now_us)
    assert 0 < opens_us - now_us <= 24 * HOUR
    assert window.is_open(opens_us)
    assert not window.is_open(opens_us - 1)
    assert window.is_open(opens_us + length * 60 * SECOND - 1)
    assert not window.is_open(opens_us + length * 60 * SECOND)


def test_a_no_outranks_a_window_and_that_an_interval() -> None:
    hourly = Rule("hourly", min_interval_seconds=3600)
    noon = _us("2026-11-30T12:00:00+00:00")
    late = _attempt(now_us=noon, last_round=Round(noon))
    assert decide((hourly, NIGHT), late) == Defer("sync-window-open", NIGHT, 9 * 3600)
    never = Rule("never", allowed=False)
    assert decide((hourly, NIGHT, never), late) == Reject("sync-allowed", never)


HOURLY = (Rule("hourly", min_interval_seconds=3600),)


def _is_early(token: str | None, last: Round, now_us: int = NOW) -> bool:
    return isinstance(decide(HOURLY, _attempt(token=token, last_round=last, now_us=now_us)), Defer)


def _next(
    last: Round | None, asked: str, given: str, *, truncated: bool = False, now_us: int = NOW, seconds: int = 3600
) -> Round:
    return next_round(last, asked=asked, given=given, truncated=truncated, now_us=now_us, interval_seconds=seconds)


def test_pages_and_retries_are_of_their_round() -> None:
    first = _next(None, "", "P1", truncated=True, now_us=NOW - SECOND)
    assert not _is_early("", first)
    assert not _is_early("P1", first)
    second = _next(first, "P1", "P2", truncated=True)
    assert second.started_us == first.started_us
    assert not any(_is_early(token, second) for token in ("", "P1", "P2"))
    last = _next(second, "P2", "C")
    assert not any(_is_early(token, last) for token in ("", "P2"))
    assert all(_is_early(token, last) for token in ("C", "P1", "foreign"))


@pytest.mark.parametrize("token", ["", "T"])
@pytest.mark.parametrize("truncated", [False, True])
def test_to_ask_again_is_free_twice(token: str, truncated: bool) -> None:
    """Whether it is the token of a first synchronisation or an old one, and whatever else is asked in between."""
    last = _next(None, token, "G0", truncated=truncated)
    for repeat in range(2):
        assert not _is_early(token, last)
        last = _next(last, token, f"G{repeat + 1}", truncated=truncated)
        if truncated:
            last = _next(last, f"G{repeat + 1}", "C")
    assert _is_early(token, last)
    assert _is_early(token, last, NOW + HOUR - 1)
    assert not _is_early(token, last, NOW + HOUR)


def test_a_page_may_be_asked_for_again_twice_and_the_next_one_always() -> None:
    last = _next(None, "", "P0", truncated=True)
    for page in range(50):
        for _ in range(3):
            assert not _is_early(f"P{page}", last)
            last = _next(last, f"P{page}", f"P{page + 1}", truncated=True)
        assert _is_early(f"P{page}", last)
        assert _is_early(f"P{page + 2}", last)  # it must be the one that was given
    assert not _is_early("P50", last, NOW + 2 * HOUR)
    assert _next(last, "P50", "C", now_us=NOW + 2 * HOUR).started_us == NOW


def test_after_the_interval_the_same_token_begins_a_new_round() -> None:
    """A device that always comes with the same token waits as long as any other."""
    last = None
    for hour in range(3):
        now_us = NOW + hour * HOUR
        if last:
            assert not _is_early("", last, now_us)
        last = _next(last, "", "C", now_us=now_us)
        assert last.started_us == now_us
        for _ in range(2):
            last = _next(last, "", "C", now_us=now_us)
        assert _is_early("", last, now_us)


def test_without_an_interval_each_request_begins_a_round() -> None:
    first = _next(None, "", "C", seconds=0)
    assert _next(first, "", "C", now_us=NOW + SECOND, seconds=0) == Round(NOW + SECOND, (("", 2),))


def test_a_clock_that_was_set_back_begins_a_round() -> None:
    for free in ((), (("", 0),), (("", 1),)):
        last = Round(NOW + 1, free)
        assert not _is_early("", last)
        assert _next(last, "", "C").started_us == NOW


def test_a_poll_that_brought_nothing_is_followed_by_a_new_round() -> None:
    poll = _next(None, "C", "C")
    assert _is_early("C", poll)


def test_a_listing_has_no_token_and_no_continuation() -> None:
    assert _is_early(None, Round(NOW))


def test_a_new_round_forgets_the_tokens_of_the_last() -> None:
    first = _next(None, "A", "B", now_us=NOW - HOUR)
    assert _next(first, "B", "C") == Round(NOW, (("B", 2),))


names = st.sampled_from(["alice", "bob", "phone", None])
rules = st.builds(
    Rule,
    st.sampled_from(["r1", "r2", "r3"]),
    user=names,
    device=names,
    device_class=st.sampled_from([*DeviceClass, None]),
    allowed=st.booleans(),
    modes=st.frozensets(st.sampled_from(Mode), min_size=1),
    min_interval_seconds=st.sampled_from([None, 0, 1, 3600]),
    exclude=st.lists(
        st.lists(st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=3).map(tuple), max_size=2
    ).map(tuple),
)
attempts = st.builds(
    Attempt,
    st.sampled_from(Mode),
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(tuple),
    st.just(NOW),
    st.sampled_from(["", "T", None]),
    st.none()
    | st.builds(Round, st.integers(NOW - 3601 * SECOND, NOW), st.sampled_from([(), (("T", 1),), (("", None),)])),
)


@given(st.lists(rules, max_size=5), rules, attempts)
def test_a_rule_more_never_turns_a_refusal_into_consent(some: list[Rule], more: Rule, attempt: Attempt) -> None:
    if isinstance(decide(some, attempt), Reject):
        assert isinstance(decide([*some, more], attempt), Reject)
        assert isinstance(decide([more, *some], attempt), Reject)


@given(st.lists(rules, max_size=5), attempts)
def test_a_refusal_names_a_rule_that_fits_and_says_so(some: list[Rule], attempt: Attempt) -> None:
    decision: Decision = decide(some, attempt)
    if isinstance(decision, Reject | Defer):
        assert decision.rule in [rule for rule in some if fits(rule, PHONE)]
    if isinstance(decision, Defer):
        assert decision.rule.min_interval_seconds is not None
        assert 1 <= decision.retry_after_seconds <= decision.rule.min_interval_seconds
    if isinstance(decision, Reject):
        assert attempt.mode not in decision.allowed_modes


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=4),
    st.lists(st.sampled_from("abc"), max_size=4),
)
def test_what_is_covered_stays_covered_beneath(pattern: list[str], path: list[str]) -> None:
    if covers(pattern, path):
        assert covers(pattern, [*path, "c"])


@given(st.lists(st.tuples(st.sampled_from(["", "A", "B", "C"]), st.sampled_from(["A", "B", "C"]), st.booleans())))
def test_a_round_holds_few_tokens_and_a_lost_answer_can_be_asked_for(steps: list[tuple[str, str, bool]]) -> None:
    last = None
    for asked, given_, truncated in steps:
        if last and _is_early(asked, last):
            continue
        was_new = last is None or last.left(asked) in (0, None)
        last = _next(last, asked, given_, truncated=truncated)
        assert len(last.free) <= 3
        if asked != given_:
            assert last.left(asked) in ((2,) if was_new else (0, 1))
        if truncated or asked == given_:
            assert last.left(given_) == (None if truncated else 0)


@given(st.lists(st.sampled_from(["", "A", "B"]), max_size=60))
def test_within_an_interval_a_device_gets_a_few_answers_whatever_it_asks_with(steps: list[str]) -> None:
    """Without truncated pages it gets the round, and two repeats of it."""
    last, answers = None, 0
    for asked in steps:
        if last is None or not _is_early(asked, last):
            last, answers = _next(last, asked, "C"), answers + 1
    assert answers <= 3
