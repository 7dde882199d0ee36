"""The decision behind the gate, whether a device may synchronise now (docs/protocol.md#the-sync-policy).

Pure: rules and facts in, decision out. Gate points, responses and the memory of rounds are elsewhere.

Several rules may fit one request. A prohibition wins: one fitting rule is enough to refuse, to take a mode or a bearer
away, to exclude a folder or to keep to its window. The interval is taken from the most specific rule: a device's before
its user's, that before its class's, that before everybody's; of two equals the later in the file.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from davstore.model.principals import DeviceClass
from davstore.model.rounds import Round
from davstore.policy.windows import Window, wait_seconds

PROVIDER = "provider"
"""The voice of policy.toml."""


class Mode(enum.Enum):
    """The cause of a synchronisation: the device by itself, or its user (`Sync-Context`)."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


BOTH = frozenset(Mode)
REPEATS = 2
"""Repetitions of a request that are free within an interval, for lost answers. More would be polls."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a voice. A selector that is None fits everything; an interval that is None leaves it to other rules.

    exclude holds patterns of names below the user's store: a name, a glob of one (`*`, `?`, `[ab]`), or `**` for any
    number of names. A pattern covers what it matches and everything beneath. bearers_not are bearers over which no
    device comes by itself; its user may let it come. window is when devices may come, None: at any time.
    """

    name: str
    voice: str = PROVIDER
    user: str | None = None
    device: str | None = None
    device_class: DeviceClass | None = None
    allowed: bool = True
    modes: frozenset[Mode] = BOTH
    min_interval_seconds: int | None = None
    exclude: tuple[tuple[str, ...], ...] = ()
    bearers_not: frozenset[str] = frozenset()
    window: Window | None = None

    @property
    def specificity(self) -> tuple[bool, bool, bool]:
        """A key that orders rules by how narrowly they select."""
        return self.device is not None, self.user is not None, self.device_class is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The facts of one request at a gate point.

    user and device are the asker. names lead from the root of the asker's own store to the Request-URI; None: that is
    elsewhere, where no pattern excludes anything. token is the sync token as sent, '' for a first
    synchronisation, None for a request that has none (PROPFIND, SEARCH). bearer is None where none was told.
    """

    user: str
    device: str
    device_class: DeviceClass
    mode: Mode
    names: tuple[str, ...] | None
    now_us: int
    token: str | None = None
    last_round: Round | None = None
    bearer: str | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The request goes on."""


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


def list_fitting(rules: Iterable[Rule], *, user: str, device: str, device_class: DeviceClass) -> list[Rule]:
    """Return the rules that fit a device, the most specific first."""
    fitting = [
        rule
        for rule in rules
        if rule.user in (None, user) and rule.device in (None, device) and rule.device_class in (None, device_class)
    ]
    return sorted(fitting, key=lambda rule: rule.specificity)[::-1]


def find_interval_rule(fitting: Iterable[Rule]) -> Rule | None:
    """Return the rule whose interval binds: the first that has one."""
    return next((rule for rule in fitting if rule.min_interval_seconds is not None), None)


def decide(rules: Iterable[Rule], attempt: Attempt) -> Decision:
    """Decide about an attempt. A refusal outranks a delay: after the wait it would still be one."""
    fitting = list_fitting(rules, user=attempt.user, device=attempt.device, device_class=attempt.device_class)
    modes = functools.reduce(frozenset.intersection, (rule.modes for rule in fitting), BOTH)
    for rule in fitting:
        if not rule.allowed:
            return Reject("sync-allowed", rule)
    for rule in fitting:
        if attempt.mode not in rule.modes:
            return Reject("sync-allowed", rule, modes)
    for rule in fitting:
        if attempt.mode is Mode.AUTOMATIC and attempt.bearer in rule.bearers_not:
            return Reject("sync-allowed", rule, modes - {Mode.AUTOMATIC})
    for rule in fitting:
        if attempt.names is not None and any(covers(pattern, attempt.names) for pattern in rule.exclude):
            return Reject("sync-scope-allowed", rule)
    return _find_closed_window(fitting, attempt) or _timely(fitting, attempt)


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


def covers(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether a pattern of names matches names or a collection above them.

    It takes time in proportion to the length of either: all places of the pattern that the names so far lead to are
    followed at once.
    """
    reached = _skip(pattern, {0})
    for name in names:
        if len(pattern) in reached:
            return True
        stays = {place for place in reached if pattern[place] == "**"}
        goes_on = {place + 1 for place in reached - stays if fnmatchcase(name, pattern[place])}
        reached = _skip(pattern, stays | goes_on)
        if not reached:
            return False
    return len(pattern) in reached


def _skip(pattern: Sequence[str], reached: set[int]) -> set[int]:
    """Return the places with those behind each `**`, which stands for no name too."""
    for place, name in enumerate(pattern):
        if name == "**" and place in reached:
            reached.add(place + 1)
    return reached


def _find_closed_window(fitting: list[Rule], attempt: Attempt) -> Defer | None:
    closed = [rule for rule in fitting if rule.window is not None and not rule.window.is_open(attempt.now_us)]
    if not closed:
        return None
    windows = [rule.window for rule in fitting if rule.window is not None]
    return Defer("sync-window-open", closed[0], wait_seconds(windows, attempt.now_us))


def _timely(fitting: list[Rule], attempt: Attempt) -> Decision:
    rule, last = find_interval_rule(fitting), attempt.last_round
    if rule is None or rule.min_interval_seconds is None or last is None:
        return Accept()
    if last.left(attempt.token) != 0 or not _is_running(last, attempt.now_us, rule.min_interval_seconds):
        return Accept()
    left_us = rule.min_interval_seconds * 1_000_000 - (attempt.now_us - last.started_us)
    return Defer("sync-interval-respected", rule, math.ceil(left_us / 1_000_000))
