"""Rules, and parts of rules, that change nothing whichever device comes, for `davstore policy check`.

The decision is the same without all that is found, taken together, but for the rule that a refusal names. A rule whose
devices are only some of another one's is judged beside that; one that several others outdo together, each for some of
its devices, is not found. A field of `Rule` that is unknown here may do anything: a rule that has it is not judged, and
is no reason for another one to be idle. Neither is a default, which gives way to preferences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from operator import ge, le
from typing import Any, Final, NamedTuple

from davstore.model.rules import BOTH, Mode, Reach, Rule, text_of
from davstore.policy.coverage import lie_within, never_meet, pattern_covers
from davstore.policy.patterns import share_area

SELECTORS: Final = ("user", "group", "device", "device_class")
"""The fields that select devices: a rule fits no more of them for each that is set."""
_KEYS: Final = {
    "allowed": "allowed",
    "modes": "modes",
    "bearers_not": "bearer_not",
    "exclude": "exclude",
    "window": "window",
    "min_interval_seconds": "min_interval_seconds",
    "include": "include",
    "kinds": "kinds",
    "max_body_bytes": "max_body_bytes",
    "max_age_seconds": "max_age_days",
    "list_only": "list_only",
    "withhold_states": "withhold_states",
}
"""The fields that are judged here, and their keys in the policy file."""


class Finding(NamedTuple):
    """A key of a rule, or a whole rule (key None), that changes nothing or lets nothing through.

    place counts the rules from 0; value is the one of several values of the key that is meant, None: all of it.
    """

    place: int
    key: str | None
    value: Any
    text: str


class _Idle(NamedTuple):
    """A field of a rule that changes nothing, or one of its values."""

    field: str
    why: str
    value: Any = None


_DEFAULTS: Final[dict[str, Any]] = {field.name: field.default for field in fields(Rule)}
_UNKNOWN: Final = _DEFAULTS.keys() - {"name", "voice", "is_default", *SELECTORS, *_KEYS}


def find_idle(rules: Sequence[Rule]) -> list[Finding]:
    """Return what changes nothing, and modes and windows that leave nothing to their devices, in the order of rules."""
    kept: dict[int, Rule] = dict(enumerate(rules))
    findings: list[Finding] = []
    for index in reversed(range(len(rules))):  # of two that say the same, the later one is idle
        rule = kept[index]
        if not _is_known(rule):
            continue
        del kept[index]
        beside = {at: one for at, one in kept.items() if _is_firm(one) and reaches(one, rule)}
        idle = list(_judge(index, rule, beside))
        less = _without(rule, idle)
        if not _says_something(less):
            whys = dict.fromkeys(one.why for one in idle) or {"it says nothing": None}
            findings.append(Finding(index, None, None, f"changes nothing: {'; '.join(whys)}"))
            continue
        kept[index] = less
        findings += [_found(index, one) for one in idle]
    findings += _find_contradictions(kept)
    return sorted(findings, key=lambda finding: finding.place)


def reaches(wide: Rule, narrow: Rule) -> bool:
    """Tell whether a rule fits every device that another one fits."""
    return all(getattr(wide, name) in (None, getattr(narrow, name)) for name in SELECTORS)


def _is_known(rule: Rule) -> bool:
    return all(getattr(rule, name) == _DEFAULTS[name] for name in _UNKNOWN)


def _is_firm(rule: Rule) -> bool:
    """Tell whether all that a rule says holds whatever users and devices prefer, and is known."""
    return _is_known(rule) and not rule.is_default


def _says_something(rule: Rule) -> bool:
    return any(getattr(rule, name) != _DEFAULTS[name] for name in _KEYS)


def _without(rule: Rule, idle: Sequence[_Idle]) -> Rule:
    """Return a rule without what changes nothing."""
    for one in idle:
        left = _DEFAULTS[one.field]
        if one.value is not None:
            values = getattr(rule, one.field)
            left = type(values)(item for item in values if item != one.value) or left
        rule = replace(rule, **{one.field: left})
    return rule


def _found(index: int, idle: _Idle) -> Finding:
    key, value = _KEYS[idle.field], idle.value
    named = key if value is None else f"{key} {text_of(value) if isinstance(value, tuple) else value}"
    return Finding(index, key, value, f"{named} changes nothing: {idle.why}")


def _judge(index: int, rule: Rule, beside: Mapping[int, Rule]) -> Iterator[_Idle]:
    """Yield what of a rule changes nothing beside other rules, by their indices, that fit all its devices."""
    others = list(beside.values())
    refusing = next((one for one in others if not one.allowed), None)
    if refusing is not None or not rule.allowed:
        why = "the rule refuses its devices" if refusing is None else f"rule {refusing.name} refuses its devices"
        for name in _KEYS:
            if getattr(rule, name) != _DEFAULTS[name] and (name != "allowed" or refusing is not None):
                yield _Idle(name, why)
        return
    yield from _judge_modes(rule, others)
    yield from _judge_bearers(rule, others)
    yield from _judge_exclude(rule, others)
    yield from _judge_window(rule, others)
    yield from _judge_interval(index, rule, beside)
    yield from _judge_narrowing(rule, others)


def _judge_modes(rule: Rule, others: Sequence[Rule]) -> Iterator[_Idle]:
    left = [(one.name, _modes(one)) for one in others]
    taking = [next((name for name, modes in left if mode not in modes), None) for mode in BOTH - _modes(rule)]
    if taking and None not in taking:
        yield _Idle("modes", f"rule {taking[0]} takes the same mode away")


def _judge_bearers(rule: Rule, others: Sequence[Rule]) -> Iterator[_Idle]:
    firm = others if rule.is_default else (rule, *others)
    manual = next((one for one in firm if Mode.AUTOMATIC not in _modes(one)), None)
    for bearer in sorted(rule.bearers_not or ()):
        taking = next((one for one in others if bearer in (one.bearers_not or ())), None)
        if manual is not None:
            by = "the rule" if manual is rule else f"rule {manual.name}"
            yield _Idle("bearers_not", f"{by} lets no device come by itself", bearer)
        elif taking is not None:
            yield _Idle("bearers_not", f"rule {taking.name} has it too", bearer)


def _judge_exclude(rule: Rule, others: Sequence[Rule]) -> Iterator[_Idle]:
    left = list(dict.fromkeys(rule.exclude))
    for pattern in reversed(dict.fromkeys(rule.exclude)):
        left.remove(pattern)
        given = [("the rule", left), *((f"rule {one.name}", one.exclude) for one in others)]
        covering = next(
            (f"{by} excludes {text_of(wide)}" for by, all_ in given for wide in all_ if pattern_covers(wide, pattern)),
            None,
        )
        if covering is None:
            left.append(pattern)
        else:
            yield _Idle("exclude", covering, pattern)


def _judge_window(rule: Rule, others: Sequence[Rule]) -> Iterator[_Idle]:
    given = {one.name: one.window for one in others if one.window is not None}
    if rule.window is not None and given and lie_within(given.values(), rule.window):
        yield _Idle("window", f"no more is open by {_rules(given)}")


def _judge_interval(index: int, rule: Rule, beside: Mapping[int, Rule]) -> Iterator[_Idle]:
    """Yield the interval where a later rule for the same devices has one: of two equally specific the later counts."""
    if rule.min_interval_seconds is None:
        return
    for at, one in beside.items():
        if at > index and one.min_interval_seconds is not None and reaches(rule, one):
            yield _Idle("min_interval_seconds", f"that of rule {one.name} counts, which comes later")
            return


def _judge_narrowing(rule: Rule, others: Sequence[Rule]) -> Iterator[_Idle]:
    for name, allows_as_much in _ALLOWS_AS_MUCH.items():
        own = getattr(rule, name)
        given = [(one, getattr(one, name)) for one in others if own is not None]
        narrow = next((one for one, value in given if value is not None and allows_as_much(own, value)), None)
        if narrow is not None:
            yield _Idle(name, f"rule {narrow.name} allows no more")


def _includes_all(own: Sequence[Reach], other: Sequence[Reach]) -> bool:
    """Tell whether one rule reaches all that another one does, in each area that it says something about.

    No place at all shows nothing of either area; places in one of them say nothing about the other.
    """
    if not own or not other:
        return not other
    wide = [reach.pattern for reach in own if reach.is_deep]
    theirs = [one.pattern for one in other if any(share_area(one.pattern, reach.pattern) for reach in own)]
    says_as_much = all(any(share_area(reach.pattern, pattern) for pattern in theirs) for reach in own)
    return says_as_much and all(any(pattern_covers(pattern, one) for pattern in wide) for one in theirs)


_ALLOWS_AS_MUCH: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "include": _includes_all,
    "kinds": ge,
    "max_body_bytes": ge,
    "max_age_seconds": ge,
    "list_only": le,
    "withhold_states": le,
}
"""Tells for each key whether a value lets everything through that another one does."""


def _find_contradictions(rules: Mapping[int, Rule]) -> Iterator[Finding]:
    """Yield the modes and windows of rules that leave nothing to their devices beside other rules."""
    firm = {index: rule for index, rule in rules.items() if _is_firm(rule)}
    for index, rule in firm.items():
        beside = {at: one for at, one in firm.items() if at != index and reaches(one, rule)}
        others = [one for at, one in beside.items() if at < index or not reaches(rule, one)]  # told of one of two alike
        modes = {one.name: _modes(one) for one in others if _modes(one) != BOTH}
        if not _modes(rule).intersection(*modes.values()) and BOTH.intersection(*modes.values()):
            text = f"modes leaves none beside {_rules(modes)}: its devices are always refused"
            yield Finding(index, "modes", None, text)
        windows = {one.name: one.window for one in others if one.window is not None}
        if rule.window is not None and never_meet([rule.window, *windows.values()]):
            text = f"window leaves no time beside {_rules(windows)}: its devices are always put off"
            yield Finding(index, "window", None, text)


def _modes(rule: Rule) -> frozenset[Mode]:
    return rule.modes or BOTH


def _rules(names: Collection[str]) -> str:
    return f"{'rules' if len(names) > 1 else 'rule'} {', '.join(names)}"
