"""The preferences of a user or a device, as the one rule of their voice, and the text that they are kept as."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from davstore.model import where as conditions
from davstore.model.rules import PREFERENCES, Mode, Reach, Rule
from davstore.model.windows import Window, parse_zone


def to_json(rule: Rule) -> str:
    """Return the text of a rule's keys that set a value, and of what it excludes."""
    window = rule.window
    content = {
        "modes": _words(None if rule.modes is None else frozenset(mode.value for mode in rule.modes)),
        "bearers_not": _words(rule.bearers_not),
        "window": None if window is None else [window.start, window.end, str(window.zone)],
        "min_interval_seconds": rule.min_interval_seconds,
        "include": None if rule.include is None else [[list(names), is_deep] for names, is_deep in rule.include],
        "exclude": [list(pattern) for pattern in rule.exclude] or None,
        "kinds": _words(rule.kinds),
        "where": None if rule.where is None else conditions.to_json(rule.where),
        "max_body_bytes": rule.max_body_bytes,
        "max_age_seconds": rule.max_age_seconds,
        "list_only": rule.list_only,
        "withhold_states": _words(rule.withhold_states),
    }
    return json.dumps({key: value for key, value in content.items() if value is not None}, separators=(",", ":"))


@lru_cache(maxsize=4_096)
def parse_json(text: str, voice: str) -> Rule:
    """Return the rule that `to_json` wrote, in a voice."""
    content: dict[str, Any] = json.loads(text)
    read = {key: _READ[key](value) if key in _READ else value for key, value in content.items()}
    return Rule(PREFERENCES, voice, **read)


def _words(words: frozenset[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


_READ: dict[str, Any] = {
    "modes": lambda value: frozenset(map(Mode, value)),
    "bearers_not": frozenset,
    "window": lambda value: Window(value[0], value[1], parse_zone(value[2])),
    "include": lambda value: tuple([Reach(tuple(names), is_deep) for names, is_deep in value]),
    "exclude": lambda value: tuple(map(tuple, value)),
    "kinds": frozenset,
    "where": conditions.parse_json,
    "withhold_states": frozenset,
}
