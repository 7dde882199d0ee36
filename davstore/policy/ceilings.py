"""The ceilings of the provider: the values that a preference may narrow and not go beyond. Defaults are none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from davstore.model.principals import DeviceClass
from davstore.model.rules import PROVIDER, Mode, Reach, Rule, names_of
from davstore.model.windows import MINUTES_OF_DAY, Window
from davstore.policy.patterns import covers, covers_exactly, find_reaches
from davstore.policy.terms import Subject, Terms, merge

_WEEK_US: Final = 7 * 86_400 * 1_000_000
_YEAR_US: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_WEEKS: Final = 52


def merge_for_user(
    rules: Iterable[Rule], preferences: Iterable[Rule], user: str, groups: frozenset[str] = frozenset()
) -> Terms:
    """Return the terms that hold for a user on every device: without the rules that select devices or a class."""
    general = [rule for rule in rules if rule.device is None and rule.device_class is None]
    return merge(general, preferences, Subject(user, "", DeviceClass.OTHER, groups))


def find_excess(preference: Rule, terms: Terms) -> tuple[str, Rule] | None:
    """Return the key in which a preference asks for more than a rule of the provider allows, and the rule.

    terms are those of the provider's rules and of the preference alone, so that defaults have given way already.
    """
    for reach in preference.include or ():
        for rule in terms.rules:
            if rule.voice == PROVIDER and any(
                covers(pattern, names_of(reach.pattern) or ()) for pattern in rule.exclude
            ):
                return "include", rule
    for key, exceeds in _EXCEEDS.items():
        wanted = getattr(preference, key)
        for rule in () if wanted is None else terms.binding[key]:
            if rule.voice == PROVIDER and exceeds(wanted, getattr(rule, key)):
                return key, rule
    return None


def _takes_mode(wanted: frozenset[Mode], ceiling: frozenset[Mode]) -> bool:
    """Tell whether a mode is asked for that is not allowed: manual alone, or automatic."""
    return (Mode.AUTOMATIC if Mode.AUTOMATIC in wanted else Mode.MANUAL) not in ceiling


def _takes_back(wanted: Collection[str], ceiling: Collection[str]) -> bool:
    """Tell whether what is forbidden shall not be: a list that is not empty only adds to it."""
    return not wanted and bool(ceiling)


def _opens_longer(wanted: Window, ceiling: Window) -> bool:
    """Tell whether a window is open while another is closed, in some week of a year: zones change their clocks apart.

    If it is, then at a time at which the one opens or the other closes.
    """
    closing = Window(ceiling.end % MINUTES_OF_DAY, ceiling.end, ceiling.zone)
    weeks_us = range(_YEAR_US, _YEAR_US + _WEEKS * _WEEK_US, _WEEK_US)
    times_us = [one.opens_us(week_us) for week_us in weeks_us for one in (wanted, closing)]
    return any(wanted.is_open(time_us) and not ceiling.is_open(time_us) for time_us in times_us)


def _reaches_further(wanted: tuple[Reach, ...], ceiling: tuple[Reach, ...]) -> bool:
    bound = [(one, find_reaches(ceiling, one.pattern)) for one in wanted]
    return not all(given is None or any(_lies_in(one, allowed) for allowed in given) for one, given in bound)


def _lies_in(one: Reach, allowed: Reach) -> bool:
    names = names_of(one.pattern) or ()
    if allowed.is_deep:
        return covers(allowed.pattern, names)
    return not one.is_deep and covers_exactly(allowed.pattern, names)


_EXCEEDS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "modes": _takes_mode,
    "bearers_not": _takes_back,
    "window": _opens_longer,
    "min_interval_seconds": lambda wanted, ceiling: wanted < ceiling,
    "include": _reaches_further,
    "kinds": lambda wanted, ceiling: not wanted <= ceiling,
    "max_body_bytes": lambda wanted, ceiling: wanted > ceiling,
    "max_age_seconds": lambda wanted, ceiling: wanted > ceiling,
    "list_only": lambda wanted, ceiling: ceiling and not wanted,
    "withhold_states": _takes_back,
}
"""Tells for each key whether a wanted value goes beyond a ceiling. A condition (`where`) only narrows."""
