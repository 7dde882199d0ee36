"""The conditions of HTTP on one resource: RFC 9110 §13.1, §13.2.2, and when a date is a strong validator, §8.8.2.2."""

from __future__ import annotations

import pytest

from davstore.model.conditions import ETagList, Preconditions
from davstore.model.nodes import AGAIN, BY_CLIENT, Resource
from davstore.policy.preconditions import Verdict, find_modified_by, is_strong, judge

SECOND = 1_800_000_000
MODIFIED_US = SECOND * 1_000_000 + 250_000
LONG_AFTER = MODIFIED_US + 60_000_000
WHOSE = (0, BY_CLIENT, AGAIN, BY_CLIENT | AGAIN)


def verdict(conditions: Preconditions, *, by: int = 0, now_us: int = LONG_AFTER, safe: bool = True) -> Verdict:
    return judge(conditions, exists=True, etag="e", modified_us=MODIFIED_US, modified_by=by, now_us=now_us, safe=safe)


@pytest.mark.parametrize(
    ("since", "holding"),
    [(-1, ()), (0, (0,)), (1, (0, AGAIN)), (3_600, (0, AGAIN))],
)
def test_rfc9110_13_1_3_not_modified(since: int, holding: tuple[int, ...]) -> None:
    conditions = Preconditions(if_modified_since=SECOND + since)
    for by in WHOSE:
        wanted = Verdict.NOT_MODIFIED if by in holding else Verdict.PASS
        assert verdict(conditions, by=by) is wanted, by
        assert verdict(conditions, by=by, safe=False) is Verdict.PASS


@pytest.mark.parametrize(
    ("since", "holding"),
    [(-1, ()), (0, (0, BY_CLIENT)), (1, (0, AGAIN)), (3_600, (0, AGAIN))],
)
def test_rfc9110_13_1_4_unmodified(since: int, holding: tuple[int, ...]) -> None:
    """A time that a client set may have gone back: it has to be the same. An ambiguous second never holds."""
    conditions = Preconditions(if_unmodified_since=SECOND + since)
    for by in WHOSE:
        wanted = Verdict.PASS if by in holding else Verdict.FAILED
        assert verdict(conditions, by=by) is wanted, by
        assert verdict(conditions, by=by, safe=False) is wanted, by


@pytest.mark.parametrize("later_us", [0, 749_999])
def test_a_second_that_is_not_over_holds_nothing(later_us: int) -> None:
    now_us = MODIFIED_US + later_us
    assert verdict(Preconditions(if_modified_since=SECOND), now_us=now_us) is Verdict.PASS
    assert verdict(Preconditions(if_unmodified_since=SECOND), now_us=now_us) is Verdict.FAILED
    assert not is_strong(MODIFIED_US, 0, now_us)
    assert is_strong(MODIFIED_US, 0, MODIFIED_US + 750_000)
    assert not any(is_strong(MODIFIED_US, by, LONG_AFTER) for by in WHOSE[1:])


def test_rfc9110_13_2_2_entity_tags_come_first() -> None:
    tags = ETagList(any=False, strong=frozenset({"e"}))
    others = ETagList(any=False, strong=frozenset({"x"}))
    assert verdict(Preconditions(if_match=tags, if_unmodified_since=SECOND - 1), safe=False) is Verdict.PASS
    assert verdict(Preconditions(if_match=others, if_unmodified_since=SECOND + 1), safe=False) is Verdict.FAILED
    assert verdict(Preconditions(if_none_match=others, if_modified_since=SECOND + 1)) is Verdict.PASS
    assert verdict(Preconditions(if_none_match=tags, if_modified_since=SECOND - 1)) is Verdict.NOT_MODIFIED


def test_rfc9110_13_1_4_what_has_no_time_is_not_judged_by_one() -> None:
    conditions = Preconditions(if_modified_since=SECOND, if_unmodified_since=-SECOND)
    assert judge(conditions, exists=False, etag=None, modified_us=None, safe=False) is Verdict.PASS
    assert judge(conditions, exists=True, etag="e", modified_us=None, safe=True) is Verdict.PASS


def old(modified_us: int, by: int = 0) -> Resource:
    return Resource((), "a", 7, 0, 1, "id", "e", 1, None, 0, modified_us, by, type=0, flags=0, modseq=1)


@pytest.mark.parametrize(
    ("time_us", "client", "before", "unmapped_us", "whose"),
    [
        (MODIFIED_US, False, None, 0, 0),
        (MODIFIED_US, False, None, MODIFIED_US - 250_001, 0),
        (MODIFIED_US, False, None, MODIFIED_US - 250_000, AGAIN),  # it may have been this URL's name
        (MODIFIED_US, False, None, MODIFIED_US + 5_000_000, AGAIN),  # by another request, which came first
        (MODIFIED_US, False, old(MODIFIED_US - 250_001), MODIFIED_US, 0),  # it was there before the second began
        (MODIFIED_US, False, old(MODIFIED_US - 1), 0, AGAIN),
        (MODIFIED_US, False, old(MODIFIED_US - 9_000_000, AGAIN), MODIFIED_US, AGAIN),
        (MODIFIED_US, False, old(MODIFIED_US + 9_000_000, BY_CLIENT), 0, BY_CLIENT),  # it goes back
        (MODIFIED_US, True, None, 0, BY_CLIENT),
        (MODIFIED_US, True, None, MODIFIED_US, BY_CLIENT | AGAIN),
        (MODIFIED_US, True, old(MODIFIED_US + 9_000_000), 0, BY_CLIENT),
        (MODIFIED_US, True, old(MODIFIED_US, BY_CLIENT), 0, BY_CLIENT | AGAIN),
        (-500_000, True, old(-1_000_000, BY_CLIENT), -2_000_000, BY_CLIENT | AGAIN),  # before 1970
        (-500_000, True, old(0, BY_CLIENT), -2_000_000, BY_CLIENT),
    ],
)
def test_whose_a_time_is(time_us: int, client: bool, before: Resource | None, unmapped_us: int, whose: int) -> None:
    assert find_modified_by(time_us, client=client, old=before, unmapped_us=unmapped_us) == whose
