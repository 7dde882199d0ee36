"""The provider's rules, as written in policy.toml (`config/policy.toml` explains the file to its author)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from davstore import toml_lines
from davstore.errors import BadSettings
from davstore.model.bearers import is_bearer
from davstore.model.paths import MAX_NAME_BYTES
from davstore.model.principals import DeviceClass
from davstore.model.rules import (
    BOTH,
    KINDS,
    MAX_AGE_SECONDS,
    MAX_BODY_BYTES,
    MAX_INTERVAL_SECONDS,
    MAX_PATTERN_NAMES,
    STATES,
    THREADS,
    THREADS_TEXT,
    Mode,
    Pattern,
    Reach,
    Rule,
    parse_text,
)
from davstore.model.windows import Window, parse_hours, parse_zone
from davstore.toml_lines import find_line

_DAY_SECONDS = 86_400

_MODES = {"automatic": frozenset({Mode.AUTOMATIC}), "manual": frozenset({Mode.MANUAL}), "both": BOTH}
_SELECTORS = ("name", "user", "group", "device", "class", "default")
_SCOPES = ("allowed", "modes", "bearer_not", "window", "zone", "min_interval_seconds", "include", "exclude")
_VIEWS = ("kinds", "max_body_bytes", "max_age_days", "list_only", "withhold_states")
_KEYS = frozenset((*_SELECTORS, *_SCOPES, *_VIEWS))


class _Wrong(ValueError):
    """A wrong value of a key."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def parse_rules(text: str, *, source: str) -> tuple[Rule, ...]:
    """Return the rules of a policy file in their order; source is its name, for messages.

    Raises:
        BadSettings: names source, line and key.
    """
    document = toml_lines.parse(text, source)
    for key in document:
        if key != "rule":
            raise BadSettings(f"{source}:{find_line(text, key)}: {key}: unknown key")
    tables = document.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadSettings(f"{source}:{find_line(text, 'rule')}: rule: each rule begins with [[rule]]")
    rules: dict[str, Rule] = {}
    for index, table in enumerate(tables):
        try:
            rule = _parse_rule(table, rules)
        except _Wrong as wrong:
            line = find_line(text, "rule", wrong.key, index=index)
            raise BadSettings(f"{source}:{line}: rule.{wrong.key}: {wrong}") from wrong
        rules[rule.name] = rule
    return tuple(rules.values())


def list_unknown(rules: Iterable[Rule], names: Mapping[str, Mapping[str, DeviceClass]]) -> list[str]:
    """Return a line for each rule that selects a user or device that does not exist, or devices of another class.

    names are the classes of devices by user and name.
    """
    found = []
    for rule in rules:
        if rule.user is not None and rule.user not in names:
            found.append(f"rule {rule.name}: there is no user {rule.user}")
        elif rule.device is not None:
            owners = names if rule.user is None else (rule.user,)
            classes = {names[owner][rule.device] for owner in owners if rule.device in names[owner]}
            has_none = "no user has a device named" if rule.user is None else f"{rule.user} has no device"
            if not classes:
                found.append(f"rule {rule.name}: {has_none} {rule.device}")
            elif rule.device_class is not None and rule.device_class not in classes:
                found.append(f"rule {rule.name}: {has_none} {rule.device} of class {rule.device_class.value}")
    return found


def _parse_rule(table: Mapping[str, Any], taken: Collection[str]) -> Rule:
    for key in table:
        if key not in _KEYS:
            raise _Wrong(key, "unknown key")
    name = table.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise _Wrong("name", "each rule needs a name of 1 to 64 letters, digits, '.', '_' and '-'")
    if name in taken:
        raise _Wrong("name", f"{name!r} is the name of an earlier rule")
    days = _number(table, "max_age_days", MAX_AGE_SECONDS // _DAY_SECONDS)
    include = _patterns(table, "include")
    return Rule(
        name,
        user=_text(table, "user"),
        group=_text(table, "group"),
        device=_text(table, "device"),
        device_class=_one_of(table, "class", {item.value: item for item in DeviceClass}),
        is_default=_flag(table, "default") or False,
        allowed=_flag(table, "allowed") is not False,
        modes=_one_of(table, "modes", _MODES),
        bearers_not=_words(table, "bearer_not", "bearers like 'cellular-roaming'", is_bearer),
        window=_window(table),
        min_interval_seconds=_number(table, "min_interval_seconds", MAX_INTERVAL_SECONDS),
        include=None if include is None else tuple(map(Reach, include)),
        exclude=_patterns(table, "exclude") or (),
        kinds=_words(table, "kinds", ", ".join(sorted(KINDS)), KINDS.__contains__),
        max_body_bytes=_number(table, "max_body_bytes", MAX_BODY_BYTES),
        max_age_seconds=None if days is None else days * _DAY_SECONDS,
        list_only=_flag(table, "list_only"),
        withhold_states=_states(table),
    )


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise _Wrong(key, f"must be a name, not {value!r}")
    return value


def _flag(table: Mapping[str, Any], key: str) -> bool | None:
    value = table.get(key)
    if value is not None and not isinstance(value, bool):
        raise _Wrong(key, f"must be true or false, not {value!r}")
    return value


def _one_of(table: Mapping[str, Any], key: str, choices: Mapping[str, Any]) -> Any:
    if key not in table:
        return None
    value = table[key]
    if not isinstance(value, str) or value not in choices:
        raise _Wrong(key, f"must be one of {', '.join(choices)}, not {value!r}")
    return choices[value]


def _number(table: Mapping[str, Any], key: str, largest: int) -> int | None:
    value = table.get(key)
    if value is not None and (type(value) is not int or not 0 <= value <= largest):
        raise _Wrong(key, f"must be a whole number from 0 to {largest}, not {value!r}")
    return value


def _words(table: Mapping[str, Any], key: str, meaning: str, is_one: Callable[[str], bool]) -> frozenset[str] | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and is_one(item) for item in value):
        raise _Wrong(key, f"must be a list of {meaning}, not {value!r}")
    return frozenset(value)


def _states(table: Mapping[str, Any]) -> frozenset[str] | None:
    value = table.get("withhold_states")
    if isinstance(value, bool):
        return STATES if value else frozenset()
    return _words(table, "withhold_states", f"{', '.join(sorted(STATES))}, or true", STATES.__contains__)


def _window(table: Mapping[str, Any]) -> Window | None:
    value, name = table.get("window"), table.get("zone", "UTC")
    if value is None:
        if "zone" in table:
            raise _Wrong("zone", "is the zone of a window, and there is none")
        return None
    try:
        hours = parse_hours(value if isinstance(value, str) else "")
    except ValueError as error:
        raise _Wrong("window", f"must be two different times of a day like '22:00-06:00', not {value!r}") from error
    try:
        return Window(*hours, parse_zone(name))
    except ValueError as error:
        raise _Wrong("zone", f"must be the name of a time zone like 'Europe/Berlin', not {name!r}") from error


def _patterns(table: Mapping[str, Any], key: str) -> tuple[Pattern, ...] | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _Wrong(key, f"must be a list of paths, not {value!r}")
    patterns = []
    for item in value:
        names = parse_text(item) if isinstance(item, str) else ("",)
        if any(name in ("", ".", "..") for name in names):
            raise _Wrong(key, f"must hold paths below the user's store like 'Media/raw', not {item!r}")
        if item.startswith("/dav/") and names[0] != THREADS:
            raise _Wrong(key, f"a path of a thread begins with {THREADS_TEXT!r}, one of a folder without '/': {item!r}")
        if len(names) > MAX_PATTERN_NAMES or any(len(name.encode()) > MAX_NAME_BYTES for name in names):
            raise _Wrong(key, f"a path has at most {MAX_PATTERN_NAMES} names of at most {MAX_NAME_BYTES} bytes")
        patterns.append(names)
    return tuple(patterns)
