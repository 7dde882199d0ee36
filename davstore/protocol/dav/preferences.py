"""`C:sync-preferences`, the rule of a user or of a device, and `C:effective-sync-policy`, what all rules come to.

Folders and threads are named by their hrefs; the rule has the names by which patterns find them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple

from lxml import etree

from davstore.errors import ProtectedProperty, WrongPreference
from davstore.model.bearers import is_bearer
from davstore.model.paths import MAX_NAME_BYTES
from davstore.model.rules import (
    BOTH,
    KINDS,
    MAX_AGE_SECONDS,
    MAX_BODY_BYTES,
    MAX_INTERVAL_SECONDS,
    MAX_PATTERN_NAMES,
    PREFERENCES,
    STATES,
    Mode,
    Pattern,
    Reach,
    Rule,
    names_of,
    pattern_of,
    text_of,
)
from davstore.model.windows import Window, parse_hours, parse_zone
from davstore.protocol.dav import names, where, xml
from davstore.protocol.dav.durations import parse_duration, render_duration
from davstore.protocol.dav.elements import element, empty, escape, marked
from davstore.protocol.dav.names import CPM, DAV, clark

MAX_BYTES: Final = 16 * 1024
MOST_FOLDERS: Final = 100
"""Most folders and threads that are included, and that are excluded."""
MOST_BEARERS: Final = 64

FindNames = Callable[[str], tuple[str, ...] | None]
"""Returns the names by which patterns find what an href leads to; None: it is no folder or thread of the user's."""
Hrefs = Callable[[tuple[str, ...]], bytes]
"""Returns the `D:href` of the folder or thread of these names."""
_Elements = list[etree._Element]

_HREF: Final = clark(DAV, "href")
_LEVEL: Final = clark(CPM, "level")
_PROVIDERS: Final = frozenset(
    clark(CPM, local)
    for local in (
        *("allowed", "allowed-modes", "class", "decided-by", "default", "device", "group", "name", "policy"),
        *("require-device", "rule", "user"),
    )
)
"""The provider's alone: those of its rules, and of what it tells."""


class _Wrong(ValueError):
    """The text or the content of an element is none that it may have."""


def parse(content: bytes, voice: str, find_names: FindNames) -> Rule | None:
    """Return the preference of a voice that a property element holds, None for one that says nothing.

    Raises:
        WrongPreference: an element that is not known, stands there twice, has a wrong value or contradicts another; an
            href elsewhere; more than 16 KiB or too many of one element.
        ProtectedProperty: an element that is the provider's. UnsupportedFilter: see `where.parse`.
        Malformed, TooLarge: see `xml.parse`.
    """
    root = xml.parse(content)
    if root is None or len(content) > MAX_BYTES or _has_text(root):
        raise WrongPreference(names.SYNC_PREFERENCES, "text, or more than 16 KiB")
    found: dict[str, _Elements] = {}
    for child in root:
        name = str(child.tag)
        if name in _PROVIDERS:
            raise ProtectedProperty(name)
        if name in _READ:
            found.setdefault(name, []).append(child)
        elif names.split(name)[0] in (CPM, DAV):  # elements of others may stand there (RFC 4918 §17)
            raise WrongPreference(name, "not known")
    values: dict[str, Any] = {}
    for name, elements in found.items():
        try:
            values[_KEYS[name]] = _READ[name](elements, find_names)
        except _Wrong as wrong:
            raise WrongPreference(name, str(wrong)) from wrong
    rule = Rule(PREFERENCES, voice, **values)
    _require_consistent(rule)
    return rule if values else None


def _require_consistent(rule: Rule) -> None:
    """Raise WrongPreference when a folder is included that lies in an excluded one, or the root is excluded."""
    for excluded in rule.exclude:
        if not excluded:
            raise WrongPreference(_EXCLUDE, "the whole store")
        if any(reach.pattern[: len(excluded)] == excluded for reach in rule.include or ()):
            raise WrongPreference(_INCLUDE, "beneath an excluded folder")


def _has_text(parent: etree._Element) -> bool:
    return any((text or "").strip() for text in (parent.text, *(child.tail for child in parent)))


def _text(one: etree._Element) -> str:
    if len(one):
        raise _Wrong("it holds text only")
    return (one.text or "").strip(" \t\r\n")


def _only(read: Callable[[etree._Element], Any], elements: _Elements, _find_names: FindNames) -> Any:
    """Return the value of an element that may stand there once."""
    if len(elements) > 1:
        raise _Wrong("twice")
    return read(elements[0])


def _flag(one: etree._Element) -> bool:
    text = _text(one)
    if text not in ("T", "F"):
        raise _Wrong("neither T nor F")
    return text == "T"


def _modes(one: etree._Element) -> frozenset[Mode]:
    return BOTH if _flag(one) else frozenset({Mode.MANUAL})


def _duration(largest: int, one: etree._Element) -> int:
    seconds = parse_duration(_text(one))
    if seconds is None or seconds > largest:
        raise _Wrong("no duration, or too long")
    return seconds


def _size(one: etree._Element) -> int:
    text = _text(one)
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > MAX_BODY_BYTES:
        raise _Wrong("no number of bytes")
    return int(text)


def _window(one: etree._Element) -> Window:
    try:
        return Window(*parse_hours(_text(one)), parse_zone(one.get("zone", "UTC")))
    except _Wrong:
        raise
    except ValueError as error:
        raise _Wrong("no hours of a day, or no zone") from error


def _bearers(elements: _Elements, _find_names: FindNames) -> frozenset[str]:
    """Return the bearers; an empty element alone: none."""
    words = [_text(one) for one in elements]
    if words == [""]:
        return frozenset()
    if len(words) > MOST_BEARERS or not all(map(is_bearer, words)):
        raise _Wrong("no bearer, or too many")
    return frozenset(words)


def _kinds(elements: _Elements, _find_names: FindNames) -> frozenset[str]:
    words = frozenset(map(_text, elements))
    if not words <= KINDS:
        raise _Wrong("no kind")
    return words


def _states(one: etree._Element) -> frozenset[str]:
    """Return the states of `T`, all of them, of `F`, none, or those whose properties are named."""
    if not len(one):
        return STATES if _flag(one) else frozenset()
    words = frozenset(str(child.tag).removeprefix(clark(CPM, "")) for child in one)
    if _has_text(one) or not words <= STATES or any(len(child) or _has_text(child) for child in one):
        raise _Wrong("no states")
    return words


def _include(elements: _Elements, find_names: FindNames) -> tuple[Reach, ...]:
    reaches: dict[Pattern, bool] = {}
    for one in elements:
        levels = [_text(child) for child in one if child.tag == _LEVEL]
        if levels not in ([], ["1"], ["infinite"]):
            raise _Wrong("no level")
        for pattern in _folders(one, find_names, {_HREF, _LEVEL}):
            if reaches.setdefault(pattern, levels != ["1"]) != (levels != ["1"]):
                raise _Wrong("a folder at two levels")
    if len(reaches) > MOST_FOLDERS:
        raise _Wrong("too many folders")
    return tuple([Reach(*reach) for reach in reaches.items()])


def _exclude(elements: _Elements, find_names: FindNames) -> tuple[Pattern, ...]:
    patterns = dict.fromkeys(pattern for one in elements for pattern in _folders(one, find_names, {_HREF}))
    if len(patterns) > MOST_FOLDERS:
        raise _Wrong("too many folders")
    return tuple(patterns)


def _folders(one: etree._Element, find_names: FindNames, allowed: set[str]) -> Iterator[Pattern]:
    """Yield the folders that the hrefs of an element name. There is at least one, and nothing but allowed elements."""
    hrefs = [_text(child) for child in one if child.tag == _HREF]
    if not hrefs or _has_text(one) or not {str(child.tag) for child in one} <= allowed:
        raise _Wrong("no href, or not hrefs alone")
    for href in hrefs:
        found = find_names(href)
        if (
            found is None
            or len(found) > MAX_PATTERN_NAMES
            or any(len(name.encode()) > MAX_NAME_BYTES for name in found)
        ):
            raise _Wrong("an href of no folder of this store")
        yield pattern_of(found)


_INCLUDE: Final = clark(CPM, "include")
_EXCLUDE: Final = clark(CPM, "exclude")
NAMES: Final = {
    "modes": clark(CPM, "automatic"),
    "min_interval_seconds": clark(CPM, "min-interval"),
    "bearers_not": clark(CPM, "bearer-not"),
    "window": clark(CPM, "window"),
    "include": _INCLUDE,
    "exclude": _EXCLUDE,
    "kinds": clark(CPM, "kind"),
    "max_body_bytes": clark(CPM, "max-body-size"),
    "max_age_seconds": clark(CPM, "max-age"),
    "where": names.WHERE,
    "list_only": clark(CPM, "list-only"),
    "withhold_states": clark(CPM, "withhold-states"),
}
"""The element of each key of a rule, in the order that they are written in."""
_KEYS: Final = {name: key for key, name in NAMES.items()}
_READERS: Final[dict[str, Callable[[_Elements, FindNames], Any]]] = {
    "modes": partial(_only, _modes),
    "min_interval_seconds": partial(_only, partial(_duration, MAX_INTERVAL_SECONDS)),
    "bearers_not": _bearers,
    "window": partial(_only, _window),
    "include": _include,
    "exclude": _exclude,
    "kinds": _kinds,
    "max_body_bytes": partial(_only, _size),
    "max_age_seconds": partial(_only, partial(_duration, MAX_AGE_SECONDS)),
    "where": partial(_only, where.parse),
    "list_only": partial(_only, _flag),
    "withhold_states": partial(_only, _states),
}
_READ: Final = {NAMES[key]: read for key, read in _READERS.items()}


# Writing


class Effect(NamedTuple):
    """What a device may do by all rules together.

    forbids: the rule that forbids all, if one does. modes are the words of those that are left, and of the rule that
    takes one away. values are the keys with the rules that count, in the order of `NAMES`.
    """

    forbids: Rule | None
    modes: tuple[str, ...]
    narrows: Rule | None
    values: Iterable[tuple[str, Rule]]


def render(rule: Rule, hrefs: Hrefs) -> bytes:
    """Return `C:sync-preferences`, in the order of `NAMES` whichever way it was sent."""
    said = [key for key in NAMES if getattr(rule, key) is not None]
    return element(names.SYNC_PREFERENCES, *(part for key in said for part in _write(key, rule, hrefs, {})))


def render_effect(effect: Effect, hrefs: Hrefs) -> bytes:
    """Return `C:effective-sync-policy`."""
    modes = [element(names.MODE, escape(word)) for word in effect.modes]
    parts = [
        marked(clark(CPM, "allowed"), _marks(effect.forbids), b"F" if effect.forbids else b"T"),
        marked(clark(CPM, "allowed-modes"), _marks(effect.narrows), *modes),
    ]
    parts += [part for key, rule in effect.values for part in _write(key, rule, hrefs, _marks(rule))]
    return element(names.EFFECTIVE_SYNC_POLICY, *parts)


def _marks(rule: Rule | None) -> dict[str, str]:
    return {} if rule is None else {"decided-by": rule.voice, "rule": rule.name}


def _write(key: str, rule: Rule, hrefs: Hrefs, marks: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the elements of a key of a rule, with marks for attributes."""
    name, value = NAMES[key], getattr(rule, key)
    if key == "where":
        yield where.render(value, marks)
        return
    if key == "window":
        marks = {"zone": str(value.zone), **marks}
    for content in _CONTENTS[key](value, hrefs):
        yield marked(name, marks, *([content] if content else []))


def _as_flag(flag: bool) -> bytes:
    return b"T" if flag else b"F"


def _as_states(states: frozenset[str]) -> bytes:
    if states in (STATES, frozenset()):
        return _as_flag(bool(states))
    return b"".join(empty(clark(CPM, state)) for state in sorted(states))


def _folder(pattern: Pattern, hrefs: Hrefs) -> bytes:
    """Return the href of a folder; a pattern of the provider's that stands for several is text."""
    found = names_of(pattern)
    return element(clark(CPM, "pattern"), escape(text_of(pattern))) if found is None else hrefs(found)


def _as_folders(reaches: Iterable[Reach], hrefs: Hrefs) -> list[bytes]:
    return [
        _hrefs_of((reach.pattern for reach in some), hrefs) + (b"" if is_deep else element(_LEVEL, b"1"))
        for is_deep, some in groupby(reaches, key=lambda reach: reach.is_deep)
    ]


def _hrefs_of(patterns: Iterable[Pattern], hrefs: Hrefs) -> bytes:
    return b"".join(_folder(pattern, hrefs) for pattern in patterns)


def _as_words(words: Iterable[str]) -> list[bytes]:
    return [*map(escape, sorted(words))] or [b""]


_CONTENTS: Final[dict[str, Callable[[Any, Hrefs], list[bytes]]]] = {
    "modes": lambda modes, _: [_as_flag(Mode.AUTOMATIC in modes)],
    "min_interval_seconds": lambda seconds, _: [render_duration(seconds).encode()],
    "bearers_not": lambda words, _: _as_words(words),
    "window": lambda window, _: [str(window).partition(" ")[0].encode()],
    "include": _as_folders,
    "exclude": lambda patterns, hrefs: [_hrefs_of(patterns, hrefs)] if patterns else [],
    "kinds": lambda words, _: _as_words(words),
    "max_body_bytes": lambda size, _: [b"%d" % size],
    "max_age_seconds": lambda seconds, _: [render_duration(seconds).encode()],
    "list_only": lambda flag, _: [_as_flag(flag)],
    "withhold_states": lambda states, _: [_as_states(states)],
}
"""The contents of the elements of a key; an empty one is an empty element."""
