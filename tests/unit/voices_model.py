"""A second opinion of the sync policy: the merge of three voices and the gate, in plain dictionaries and loops.

It shares no code with davstore and was written from the description of the policy alone, so that `test_voices` can hold
one against the other. It is slow and naive on purpose.

A rule is a dictionary with `voice` and `name`; a key that is not in it says nothing. Its selectors are `on_device`,
`on_user`, `on_group`, `on_class`; `default` is true for a provider's rule of defaults. The other keys: `allowed`,
`modes` and `bearers_not` (sets of words), `window` (minutes of the day, from and to, and the minutes by which its zone
is ahead of UTC), `interval`, `include` (paths, each with whether it is deep), `exclude` (paths), `kinds`, `size`,
`age`, `keyword` (one that a member must have, or with `-` may not have), `list_only`, `withheld`.

The description leaves these readings; here they are taken so:

- The most specific rule of a voice is found by device, then user, group, class; of two alike the later one counts.
- Only the interval of the most specific rule counts in its voice, be it shorter and a default; the other keys of all
  rules of a voice are joined as those of different voices are.
- The order of refusals: denied, mode and bearer, exclude, include, window, interval. Each names the first voice that
  objects, and its most specific rule that does; in one voice modes come before bearers.
- The modes allowed are those in which no voice objects, over the bearer asked with.
- A manual synchronisation keeps windows and intervals; the bearers of a provider too are about automatic ones alone.
- A device that names no bearer comes over none that is forbidden. An empty set of bearers in a preference is a value,
  and replaces a default.
- A state that is withheld is not there for the conditions of any voice.
- Windows of no length last a day. Of windows that are never open together the wait is a day.
- A folder above an included one may be asked for and is in the view. One that is included with its members alone is not
  entered further, though its folders are listed.
- What is exactly as large or as old as allowed is in the view.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

DAY = 86_400
VOICES = ("provider", "user", "device")
BOTH = frozenset({"automatic", "manual"})
REFUSALS = {
    "provider": (403, "sync-allowed"),
    "user": (409, "automatic-sync-enabled"),
    "device": (409, "automatic-sync-enabled"),
}
"""How a voice refuses a mode or a bearer: what its user may change is a conflict."""
SELECTORS = ("on_device", "on_user", "on_group", "on_class")
Path = tuple[str, ...]
Spoken = dict[str, Any]


class Asked(NamedTuple):
    """A device asks for a collection. `since` are the seconds since its last round began, None if there was none;
    `goes_on` tells that its token continues that round."""

    mode: str = "automatic"
    path: Path = ()
    bearer: str | None = None
    at: int = 0
    since: int | None = None
    goes_on: bool = False


class Answer(NamedTuple):
    """200, or a refusal with its condition, the voice and rule that decided, the modes allowed, or seconds to wait."""

    status: int = 200
    condition: str = ""
    voice: str = ""
    rule: str = ""
    modes: frozenset[str] = frozenset()
    wait: int = 0


class Member(NamedTuple):
    """A member of a store, at its path."""

    path: Path
    is_folder: bool = False
    kind: str = "media"
    size: int = 0
    date: int = 0
    keywords: frozenset[str] = frozenset()


def fitting(rules: list[Spoken], who: Spoken) -> list[Spoken]:
    """Return the rules that are about a device: the provider's, the user's, the device's; in each the most specific one
    first, and of two alike the later."""
    found: list[Spoken] = []
    for voice in VOICES:
        about = [rule for rule in rules if rule["voice"] == voice]
        about = [rule for rule in about if all(rule[key] in who[key] for key in SELECTORS if key in rule)]
        about.reverse()
        found += sorted(about, key=lambda rule: [key not in rule for key in SELECTORS])
    return found


def heard(rules: list[Spoken], key: str) -> list[Spoken]:
    """Return the rules whose value of a key counts: a provider's default ends where a preference has a value."""
    speaking = [rule for rule in rules if key in rule]
    if speaking and speaking[-1]["voice"] != "provider":
        return [rule for rule in speaking if rule["voice"] != "provider" or not rule.get("default")]
    return speaking


def answer(rules: list[Spoken], asked: Asked) -> Answer:
    """Return the answer to a device that only `fitting` rules are about: deny first, and last what time mends."""
    for decide in (_denied, _mode, _scope, _window, _interval):
        refusal = decide(rules, asked)
        if refusal:
            return refusal
    return Answer()


def _denied(rules: list[Spoken], asked: Asked) -> Answer | None:
    for rule in rules:
        if not rule.get("allowed", True):
            return Answer(403, "sync-allowed", rule["voice"], rule["name"])
    return None


def _mode(rules: list[Spoken], asked: Asked) -> Answer | None:
    by_mode = [rule for rule in heard(rules, "modes") if asked.mode not in rule["modes"]]
    by_bearer = [rule for rule in heard(rules, "bearers_not") if asked.bearer in rule["bearers_not"]]
    objections = by_mode + (by_bearer if asked.mode == "automatic" else [])
    for voice in VOICES:
        for rule in objections:
            if rule["voice"] == voice:
                status, condition = REFUSALS[voice]
                return Answer(status, condition, voice, rule["name"], allowed_modes(rules, asked.bearer))
    return None


def allowed_modes(rules: list[Spoken], bearer: str | None) -> frozenset[str]:
    """Return the modes in which nobody objects, over this bearer."""
    modes = set(BOTH)
    for rule in heard(rules, "modes"):
        modes &= rule["modes"]
    for rule in heard(rules, "bearers_not"):
        if bearer in rule["bearers_not"]:
            modes.discard("automatic")
    return frozenset(modes)


def _scope(rules: list[Spoken], asked: Asked) -> Answer | None:
    excluding = [rule for rule in rules if _is_excluded(rule, asked.path)]
    missing = [rule for rule in heard(rules, "include") if not _may_ask(rule["include"], asked.path)]
    for rule in excluding + missing:
        return Answer(403, "sync-scope-allowed", rule["voice"], rule["name"])
    return None


def binding_interval(rules: list[Spoken]) -> Spoken | None:
    """Return the rule of the longest interval of the three voices."""
    longest = None
    for voice in VOICES:
        most_specific = next((rule for rule in rules if rule["voice"] == voice and "interval" in rule), None)
        if most_specific not in heard(rules, "interval"):
            continue
        if longest is None or most_specific["interval"] > longest["interval"]:
            longest = most_specific
    return longest


def _interval(rules: list[Spoken], asked: Asked) -> Answer | None:
    rule = binding_interval(rules)
    if rule is None or asked.since is None or asked.goes_on or asked.since >= rule["interval"]:
        return None
    wait = rule["interval"] - asked.since
    return Answer(429, "sync-interval-respected", rule["voice"], rule["name"], wait=wait)


def _window(rules: list[Spoken], asked: Asked) -> Answer | None:
    windows = heard(rules, "window")
    for rule in windows:
        if asked.at // 60 % 1440 not in open_minutes(rule["window"]):
            wait = _wait(frozenset(one["window"] for one in windows), asked.at % DAY)
            return Answer(503, "sync-window-open", rule["voice"], rule["name"], wait=wait)
    return None


@cache
def open_minutes(window: tuple[int, int, int]) -> frozenset[int]:
    """Return the minutes of the day, in UTC, at which a window is open."""
    start, end, ahead = window
    minutes = {(start - ahead) % 1440}
    minute = (start + 1) % 1440
    while minute != end and minute != start:
        minutes.add((minute - ahead) % 1440)
        minute = (minute + 1) % 1440
    return frozenset(minutes)


@cache
def _wait(windows: frozenset[tuple[int, int, int]], second: int) -> int:
    wait = 60 - second % 60
    while wait < DAY:
        if all((second + wait) // 60 % 1440 in open_minutes(window) for window in windows):
            return wait
        wait += 60
    return DAY


def matches(pattern: Path, path: Path) -> bool:
    """Tell whether a path is one of a pattern."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and matches(pattern[1:], path[1:])


@cache
def covers(pattern: Path, path: Path) -> bool:
    """Tell whether a path or one above it is one of a pattern."""
    return any(matches(pattern, path[:length]) for length in range(len(path) + 1))


def _is_excluded(rule: Spoken, path: Path) -> bool:
    return any(covers(pattern, path) for pattern in rule.get("exclude", ()))


def _leads(path: Path, pattern: Path) -> bool:
    """Tell whether a path beneath this one may be one of a pattern."""
    if not pattern or pattern[0] == "**":
        return bool(pattern)
    return not path or (fnmatchcase(path[0], pattern[0]) and _leads(path[1:], pattern[1:]))


def _may_ask(include: list[tuple[Path, bool]], path: Path) -> bool:
    for pattern, is_deep in include:
        if (covers(pattern, path) if is_deep else matches(pattern, path)) or _leads(path, pattern):
            return True
    return False


def _is_in(include: list[tuple[Path, bool]], member: Member) -> bool:
    above = member.path[:-1]
    for pattern, is_deep in include:
        if covers(pattern, above) if is_deep else bool(member.path) and matches(pattern, above):
            return True
        if member.is_folder and (matches(pattern, member.path) or _leads(member.path, pattern)):
            return True
    return False


def is_member(rules: list[Spoken], member: Member, at: int) -> bool:
    """Tell whether a member is in the view at a time, in seconds."""
    if any(_is_excluded(rule, member.path) for rule in rules):
        return False
    for rule in heard(rules, "include"):
        if not _is_in(rule["include"], member):
            return False
    return member.is_folder or _holds(rules, member, at)


def _holds(rules: list[Spoken], member: Member, at: int) -> bool:
    for rule in heard(rules, "kinds"):
        if member.kind not in rule["kinds"]:
            return False
    for rule in heard(rules, "size"):
        if member.size > rule["size"]:
            return False
    for rule in heard(rules, "age"):
        if at - member.date > rule["age"]:
            return False
    keywords = frozenset() if "keywords" in withheld(rules) else member.keywords
    for rule in heard(rules, "keyword"):
        word = rule["keyword"]
        if (word.lstrip("-") in keywords) == word.startswith("-"):
            return False
    return True


def is_list_only(rules: list[Spoken]) -> bool:
    """Tell whether bodies stay."""
    return any(rule["list_only"] for rule in heard(rules, "list_only"))


def withheld(rules: list[Spoken]) -> frozenset[str]:
    """Return the states that are not told."""
    states: set[str] = set()
    for rule in heard(rules, "withheld"):
        states |= rule["withheld"]
    return frozenset(states)
