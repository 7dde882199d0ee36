"""The terms on which a device may synchronise: the voices of provider, user and device, merged key by key.

A prohibition of any voice holds. Of a provider's values those that are defaults give way where the user or the device
has a value of its own; all that are left hold together: of sets what is in all of them, of sizes and ages the least, of
intervals the longest, of conditions all. Among the rules of the provider alone the interval is that of the most
specific rule: a device's before its user's, that before a group's, a class's and everybody's; of two equals the later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, NamedTuple

from davstore.model.principals import DeviceClass
from davstore.model.rules import BOTH, PROVIDER, Mode, Rule
from davstore.model.views import EVERYTHING, View, all_of
from davstore.model.where import Compare, Comparison, Fact, Form, Or, Source, Where

KEYS: Final = (
    "modes",
    "bearers_not",
    "window",
    "min_interval_seconds",
    "include",
    "kinds",
    "where",
    "max_body_bytes",
    "max_age_seconds",
    "list_only",
    "withhold_states",
)
"""The keys of a rule that set a value."""
_LENGTH: Final = Fact(Source.RESOURCE, "length", Form.NUMBER)
_KIND: Final = Fact(Source.KIND, "kind")


class Subject(NamedTuple):
    """A device, as rules select it."""

    user: str
    device: str
    device_class: DeviceClass
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules that fit a device, those of the provider first, and the values that they come to together.

    modes, interval_seconds and view are what all of them allow; `binding` names the rules behind the value of a key.
    """

    rules: tuple[Rule, ...]
    binding: dict[str, tuple[Rule, ...]]
    modes: frozenset[Mode] = field(init=False)
    interval: Rule | None = field(init=False)
    view: View = field(init=False)

    def __post_init__(self) -> None:
        """Work out the values that each request needs."""
        modes = reduce(frozenset.intersection, (rule.modes or BOTH for rule in self.binding["modes"]), BOTH)
        object.__setattr__(self, "modes", modes)
        object.__setattr__(self, "interval", self._strictest("min_interval_seconds", max))
        object.__setattr__(self, "view", self._view())

    @property
    def interval_seconds(self) -> int:
        """The shortest time between two rounds, 0 for none."""
        return (self.interval and self.interval.min_interval_seconds) or 0

    @property
    def is_list_only(self) -> bool:
        """Whether members are listed and their bodies stay."""
        return any(rule.list_only for rule in self.binding["list_only"])

    def strictest(self, key: str) -> Rule | None:
        """Return the rule whose number binds for a key, None: no rule has one."""
        return self._strictest(key, max if key == "min_interval_seconds" else min)

    def _strictest(self, key: str, choose: Callable[..., Rule]) -> Rule | None:
        rules = self.binding[key]
        return choose(rules, key=lambda rule: getattr(rule, key)) if rules else None

    def _view(self) -> View:
        largest, oldest = self.strictest("max_body_bytes"), self.strictest("max_age_seconds")
        wheres: list[Where] = [rule.where for rule in self.binding["where"] if rule.where is not None]
        wheres += [_any_kind(rule.kinds) for rule in self.binding["kinds"] if rule.kinds is not None]
        if largest is not None and largest.max_body_bytes is not None:
            wheres.append(Compare(Comparison.LTE, _LENGTH, largest.max_body_bytes))
        view = View(
            all_of(wheres),
            None if oldest is None else oldest.max_age_seconds,
            tuple(sorted({rule.include for rule in self.binding["include"] if rule.include is not None})),
            tuple(sorted({pattern for rule in self.rules for pattern in rule.exclude})),
            frozenset().union(*(rule.withhold_states or () for rule in self.binding["withhold_states"])),
            self.is_list_only,
        )
        return EVERYTHING if view == EVERYTHING else view


def fits(rule: Rule, subject: Subject) -> bool:
    """Tell whether a rule of the provider selects a device."""
    return (
        rule.user in (None, subject.user)
        and rule.device in (None, subject.device)
        and rule.device_class in (None, subject.device_class)
        and (rule.group is None or rule.group in subject.groups)
    )


def merge(provided: Iterable[Rule], preferences: Iterable[Rule], subject: Subject) -> Terms:
    """Return the terms for a device: provided are the rules of the provider, preferences those of user and device."""
    fitting = sorted((rule for rule in provided if fits(rule, subject)), key=lambda rule: rule.specificity)[::-1]
    rules = (*fitting, *preferences)
    return Terms(rules, {key: _binding(rules, key) for key in KEYS})


def _binding(rules: Sequence[Rule], key: str) -> tuple[Rule, ...]:
    """Return the rules whose value of a key counts."""
    provided = [rule for rule in rules if rule.voice == PROVIDER and getattr(rule, key) is not None]
    preferred = [rule for rule in rules if rule.voice != PROVIDER and getattr(rule, key) is not None]
    if key == "min_interval_seconds":
        provided = provided[:1]
    if preferred:
        provided = [rule for rule in provided if not rule.is_default]
    return (*provided, *preferred)


def _any_kind(kinds: frozenset[str]) -> Where:
    """Return the condition that a resource is of one of these kinds, of none where there are none."""
    return Or(tuple(Compare(Comparison.EQ, _KIND, kind) for kind in sorted(kinds)))
