"""The live properties of principals that are about synchronisation: their preferences, and what all rules come to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from davstore.dav.properties.live import PRINCIPAL, Live, PropertyContext
from davstore.model.rules import Mode, Rule, path_to
from davstore.policy.terms import Terms
from davstore.protocol import urls
from davstore.protocol.dav import names, preferences
from davstore.protocol.dav.preferences import Effect, Hrefs
from davstore.protocol.urls import Fixed


def _preferences(context: PropertyContext, place: Fixed) -> bytes | None:
    name, profiles = urls.name_of(place), context.find_profiles()
    rule = None if profiles is None else profiles.find_preference(name)
    return None if rule is None else preferences.render(rule, _hrefs(context, name.user))


def _effective_policy(context: PropertyContext, place: Fixed) -> bytes | None:
    name, profiles = urls.name_of(place), context.find_profiles()
    if profiles is None:
        return None
    return preferences.render_effect(_effect(profiles.find_terms(name)), _hrefs(context, name.user))


def _hrefs(context: PropertyContext, user: str) -> Hrefs:
    return lambda found: context.href(urls.segments_of(path_to(user, found)))


def _effect(terms: Terms) -> Effect:
    forbids = next((rule for rule in terms.rules if not rule.allowed), None)
    modes = tuple(mode.value for mode in Mode if mode in terms.modes)
    narrows = next((rule for rule in terms.binding["modes"] if rule.modes != frozenset(Mode)), None)
    return Effect(forbids, modes, narrows, [(key, rule) for key in preferences.NAMES for rule in _counting(terms, key)])


def _counting(terms: Terms, key: str) -> Iterator[Rule]:
    """Yield the rules that count for a key: of numbers and of yes and no the strictest, of the rest all."""
    match key:
        case "exclude":
            yield from (rule for rule in terms.rules if rule.exclude)
        case "modes":
            strict = [rule for rule in terms.binding[key] if Mode.AUTOMATIC not in (rule.modes or ())]
            yield from (strict or terms.binding[key])[:1]
        case "list_only":
            yield from sorted(terms.binding[key], key=lambda rule: not rule.list_only)[:1]
        case "min_interval_seconds" | "max_body_bytes" | "max_age_seconds":
            strictest = terms.strictest(key)
            yield from () if strictest is None else (strictest,)
        case _:
            yield from terms.binding[key]


PREFERENCES: Final = (
    Live(names.SYNC_PREFERENCES, PRINCIPAL, each=_preferences),
    Live(names.EFFECTIVE_SYNC_POLICY, PRINCIPAL, each=_effective_policy),
)
