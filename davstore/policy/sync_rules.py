"""The decision behind the gate, whether a device may synchronise now (docs/protocol.md#the-sync-policy).

Pure: terms and facts in, decision out. Gate points, responses and the memory of rounds are elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from davstore.model.rounds import Round
from davstore.model.rules import PROVIDER, VOICES, Mode, Rule
from davstore.model.views import EVERYTHING, View
from davstore.model.windows import wait_seconds
from davstore.policy.patterns import covers, find_reaches, leads_to
from davstore.policy.terms import Terms

REPEATS: Final = 2
"""Repetitions of a request that are free within an interval, for lost answers. More would be polls."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The facts of one request at a gate point.

    names are those by which patterns find the Request-URI in the asker's own store; None: it is elsewhere, where no
    pattern excludes anything. token is the sync token as sent, '' for a first
    synchronisation, None for a request that has none (PROPFIND, SEARCH). bearer is None where none was told.
    """

    mode: Mode
    names: tuple[str, ...] | None
    now_us: int
    token: str | None = None
    last_round: Round | None = None
    bearer: str | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The request goes on. view is what the device is shown."""

    view: View = EVERYTHING


@dataclass(frozen=True, slots=True)
class Reject:
    """The device is refused until a rule changes. condition is a precondition's name in `urn:davstore:cpm`."""

    condition: str
    rule: Rule
    allowed_modes: frozenset[Mode] = frozenset()


@dataclass(frozen=True, slots=True)
class Defer:
    """The device came too early. condition is a precondition's name in `urn:davstore:cpm`."""

    condition: str
    rule: Rule
    retry_after_seconds: int


Decision = Accept | Reject | Defer


def decide(terms: Terms, attempt: Attempt) -> Decision:
    """Decide about an attempt. A refusal outranks a delay: after the wait it would still be one.

    Of several voices against it the provider is named, else the user. A mode that the user or the device does not want
    is theirs to change, one that the provider forbids is not.
    """
    for rule in terms.rules:
        if not rule.allowed:
            return Reject("sync-allowed", rule)
    modes = [rule for rule in terms.binding["modes"] if rule.modes is not None and attempt.mode not in rule.modes]
    bearers = [rule for rule in terms.binding["bearers_not"] if attempt.bearer in (rule.bearers_not or ())]
    against = [*modes, *(bearers if attempt.mode is Mode.AUTOMATIC else ())]
    if against:
        first = min(against, key=lambda rule: VOICES.index(rule.voice))
        allowed = terms.modes - {Mode.AUTOMATIC} if bearers else terms.modes
        condition = "sync-allowed" if first.voice == PROVIDER else "automatic-sync-enabled"
        return Reject(condition, first, allowed)
    outside = None if attempt.names is None else find_excluding(terms, attempt.names)
    if outside is not None:
        return Reject("sync-scope-allowed", outside)
    view = terms.view
    if attempt.names is None and view.has_scopes:
        view = view.without_scopes()
    return _find_closed_window(terms, attempt) or _timely(terms, attempt) or Accept(view)


def find_excluding(terms: Terms, names: tuple[str, ...]) -> Rule | None:
    """Return the rule that leaves a collection out of the view, None: it is in it or leads to what is."""
    for rule in terms.rules:
        if any(covers(pattern, names) for pattern in rule.exclude):
            return rule
    for rule in terms.binding["include"]:
        reaches = find_reaches(rule.include or (), names)
        if reaches is not None and not any(
            leads_to(pattern, names) or (is_deep and covers(pattern, names)) for pattern, is_deep in reaches
        ):
            return rule
    return None


def next_round(
    last: Round | None, *, asked: str, given: str, truncated: bool, now_us: int, interval_seconds: int
) -> Round:
    """Return the round after a report was answered: asked came with the request, given went out with the answer.

    To ask again with the token that a round began with, or with the last one, costs one of the repeats that are free.
    A token given as complete is not of the round even when it is the one asked with: to ask again with it is the next
    poll, and a device that had no changes loses nothing by waiting for that.
    """
    left = last.left(asked) if last else 0
    if last is None or left == 0 or (left is not None and not _is_running(last, now_us, interval_seconds)):
        started_us, free = now_us, dict[str, int | None]({asked: REPEATS})
    else:
        started_us, free = last.started_us, dict(last.free[:1])
        free[asked] = REPEATS if left is None else left - 1
    if truncated:
        free[given] = None
    else:
        free.pop(given, None)
    return Round(started_us, tuple(free.items()))


def _is_running(last: Round, now_us: int, interval_seconds: int) -> bool:
    """Tell whether the interval of a round is not over. A clock that was set back must not lock a device out."""
    return 0 <= now_us - last.started_us < interval_seconds * 1_000_000


def _find_closed_window(terms: Terms, attempt: Attempt) -> Defer | None:
    windows = [(rule.window, rule) for rule in terms.binding["window"] if rule.window is not None]
    closed = [rule for window, rule in windows if not window.is_open(attempt.now_us)]
    if not closed:
        return None
    return Defer("sync-window-open", closed[0], wait_seconds([window for window, _ in windows], attempt.now_us))


def _timely(terms: Terms, attempt: Attempt) -> Defer | None:
    seconds, last = terms.interval_seconds, attempt.last_round
    if terms.interval is None or not seconds or last is None:
        return None
    if last.left(attempt.token) != 0 or not _is_running(last, attempt.now_us, seconds):
        return None
    left_us = seconds * 1_000_000 - (attempt.now_us - last.started_us)
    return Defer("sync-interval-respected", terms.interval, math.ceil(left_us / 1_000_000))
