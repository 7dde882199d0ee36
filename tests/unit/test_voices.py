"""The sync policy against the second opinion of `voices_model`, cell by cell.

Exhaustive, each for a provider's rule that is a ceiling and one that is a default:

- `test_each_cell`: of each voice, whether it speaks of bearers, hours, folders and kinds, for both modes, bearers and
  times within and without, and folders and members within and without.
- One key, or the few that meet, with all their values in all voices: modes and bearers (with `allowed`), windows,
  intervals and rounds, include and exclude, kinds and size, age and conditions, conditions and withheld states, list
  only; and two rules of the provider of each specificity with their intervals.
- Several refusals at once, each by any one voice.

The product of everything is a sample: 20,000 questions with fixed seeds, with up to three rules of the provider, some
about others. Compared are the answer (condition, voice, rule, modes allowed, seconds to wait), what the terms tell, and
the members of the view of an accepted attempt.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import timedelta, timezone
from functools import cache
from random import Random
from typing import Any

import pytest

from davstore.model.nodes import Resource, ResourceType
from davstore.model.principals import DeviceClass
from davstore.model.rounds import Round
from davstore.model.rules import Mode, Reach, Rule
from davstore.model.where import Fact, IsDefined, Not, Source
from davstore.model.windows import Window
from davstore.policy.sync_rules import Accept, Attempt, Decision, Defer, Reject, decide
from davstore.policy.terms import Subject, Terms, merge
from davstore.policy.where import Judged
from davstore.sync.lenses import Lens
from tests.unit import voices_model as model
from tests.unit.voices_model import Answer, Asked, Member, Spoken

ALICE = Subject("alice", "phone", DeviceClass.PHONE, frozenset({"staff"}))
WHO = {"on_device": {"phone"}, "on_user": {"alice"}, "on_group": {"staff"}, "on_class": {"phone"}}
STATUS = {
    "sync-allowed": 403,
    "automatic-sync-enabled": 409,
    "sync-scope-allowed": 403,
    "sync-interval-respected": 429,
    "sync-window-open": 503,
}
DAY = 86_400
NOON = 20_000 * DAY + 12 * 3600


def rule_of(spoken: Spoken) -> Rule:
    """Return the rule of davstore that says the same."""
    plain = {
        "name": "name",
        "voice": "voice",
        "default": "is_default",
        "allowed": "allowed",
        "on_device": "device",
        "on_user": "user",
        "on_group": "group",
        "bearers_not": "bearers_not",
        "interval": "min_interval_seconds",
        "kinds": "kinds",
        "size": "max_body_bytes",
        "age": "max_age_seconds",
        "list_only": "list_only",
        "withheld": "withhold_states",
    }
    made: dict[str, Any] = {name: spoken[key] for key, name in plain.items() if key in spoken}
    made["exclude"] = tuple(spoken.get("exclude", ()))
    if "on_class" in spoken:
        made["device_class"] = DeviceClass(spoken["on_class"])
    if "modes" in spoken:
        made["modes"] = frozenset(map(Mode, spoken["modes"]))
    if "window" in spoken:
        start, end, east = spoken["window"]
        made["window"] = Window(start, end, timezone(timedelta(minutes=east)))
    if "include" in spoken:
        made["include"] = tuple(Reach(*one) for one in spoken["include"])
    if "keyword" in spoken:
        stands = IsDefined(Fact(Source.KEYWORD, spoken["keyword"].lstrip("-")))
        made["where"] = Not(stands) if spoken["keyword"].startswith("-") else stands
    return Rule(**made)


def terms_of(spoken: list[Spoken]) -> Terms:
    rules = [rule_of(one) for one in spoken]
    return merge([r for r in rules if r.voice == "provider"], [r for r in rules if r.voice != "provider"], ALICE)


def attempt_of(asked: Asked) -> Attempt:
    """Return the attempt of davstore that is the same question."""
    now_us = asked.at * 1_000_000
    last = None if asked.since is None else Round(now_us - asked.since * 1_000_000, (("next", None),))
    token = "next" if asked.goes_on else "other"
    return Attempt(Mode(asked.mode), asked.path, now_us, token, last, asked.bearer)


def answer_of(decision: Decision) -> Answer:
    """Return a decision of davstore as the model has it."""
    match decision:
        case Reject(condition, rule, modes):
            words = frozenset(mode.value for mode in modes)
            return Answer(STATUS[condition], condition, rule.voice, rule.name, words)
        case Defer(condition, rule, wait):
            return Answer(STATUS[condition], condition, rule.voice, rule.name, wait=wait)
    return Answer()


@cache
def judged(member: Member) -> Judged:
    """Return the facts of a member that is no folder."""
    kind = ResourceType[member.kind.upper().replace("-", "_")]
    us, path = member.date * 1_000_000, member.path
    row = Resource(path[:-1], path[-1], 1, 0, 1, "urn:uuid:1", "e", member.size, "a/b", us, us, 0, kind, 0, 1)
    return Judged(row, member.kind, {} if kind is ResourceType.MEDIA else {"date_us": us}, member.keywords)


def shows(lens: Lens, member: Member) -> bool:
    """Tell whether davstore has a member in a view."""
    is_reached = lens.reaches(member.path, is_collection=member.is_folder)
    return is_reached and (member.is_folder or lens.shows(judged(member)))


Some = dict[str, Any]
NOTHING: Some = {}
ROAMING = frozenset({"roaming"})
MANUAL = frozenset({"manual"})
AUTOMATIC = frozenset({"automatic"})


def said(key: str, *values: Any) -> list[Some]:
    """Return what a rule may say of a key: nothing, or one of the values."""
    return [NOTHING, *({key: value} for value in values)]


def both(*several: list[Some]) -> list[Some]:
    """Return what a rule may say of several keys."""
    return [dict(itertools.chain(*(one.items() for one in some))) for some in itertools.product(*several)]


def chorus(provider: list[Some], user: list[Some], device: list[Some]) -> Iterator[list[Spoken]]:
    """Yield each meeting of a provider's rule, once a ceiling and once a default, with the two preferences."""
    for default, first, second, third in itertools.product((False, True), provider, user, device):
        rules: list[Spoken] = [{"voice": "provider", "name": "rule", "default": default, **first}]
        for voice, some in (("user", second), ("device", third)):
            if some:
                rules.append({"voice": voice, "name": "sync-preferences", **some})
        yield rules


def hold(spoken: list[Spoken], questions: Iterable[Asked], members: Iterable[Member] = ()) -> int:
    """Compare the answers to questions, the terms, and the view that the first accepted one has; return the cells."""
    rules, terms, cells = model.fitting(spoken, WHO), terms_of(spoken), 0
    binding = model.binding_interval(rules)
    assert {mode.value for mode in terms.modes} == model.allowed_modes(rules, None), spoken
    assert terms.interval_seconds == (binding["interval"] if binding else 0), spoken
    assert terms.is_list_only == model.is_list_only(rules), spoken
    assert terms.view.withheld == model.withheld(rules), spoken
    for asked in questions:
        decision, expected = decide(terms, attempt_of(asked)), model.answer(rules, asked)
        cells += 1
        if (told := answer_of(decision)) != expected:
            pytest.fail(f"{spoken}\n{asked}\n{told}\n{expected}")
        if isinstance(decision, Accept) and members:
            lens = Lens(decision.view, asked.at)
            for member in members:
                assert shows(lens, member) == model.is_member(rules, member, asked.at), (spoken, asked, member)
            members = ()
    return cells


WORK, OLD = ("Work",), ("Work", "Old")
FOLDERS = [(), WORK, OLD, (*OLD, "deep"), ("Private",), ("Private", "Old")]
TREE = [Member(path, is_folder=True) for path in FOLDERS] + [Member((*path, "file")) for path in FOLDERS]
CELLS: dict[str, list[Some]] = {
    "provider": [
        {"bearers_not": ROAMING},
        {"window": (6 * 60, 20 * 60, 0)},
        {"include": [(("Work",), True)]},
        {"kinds": frozenset({"message", "media"})},
    ],
    "user": [
        {"bearers_not": frozenset({"roaming", "wifi"})},
        {"window": (8 * 60, 22 * 60, 0)},
        {"exclude": [("Work", "Old")]},
        {"kinds": frozenset({"message", "imdn"})},
    ],
    "device": [
        {"bearers_not": frozenset({"wifi"})},
        {"window": (10 * 60, 13 * 60, 0)},
        {"include": [(("*", "Old"), True), (("Private",), True)]},
        {"kinds": frozenset({"media", "imdn"})},
    ],
}
KINDS = [
    Member((*path, kind), kind=kind)
    for path, kinds in ((WORK, ("message", "file-transfer")), (OLD, ("message", "media")), (("Private",), ("imdn",)))
    for kind in kinds
]


@pytest.mark.parametrize("provider", both(*([NOTHING, one] for one in CELLS["provider"][:2])), ids=" and ".join)
def test_each_cell(provider: Some) -> None:
    says = {voice: both(*([NOTHING, one] for one in CELLS[voice])) for voice in model.VOICES}
    says["provider"] = both([provider], *([NOTHING, one] for one in CELLS["provider"][2:]))
    axes = itertools.product(sorted(model.BOTH), (WORK, ("Private",)), ("roaming", "wifi"), (NOON, NOON + 9 * 3600))
    questions = [Asked(*axis) for axis in axes]
    cells = sum(hold(rules, questions, KINDS) for rules in chorus(*says.values()))
    assert cells == 2 * 2**2 * (2**4) ** 2 * 16


def test_modes_and_bearers() -> None:
    modes, bearers = said("modes", model.BOTH, MANUAL), said("bearers_not", frozenset(), ROAMING)
    provider = both([{"allowed": True}, {"allowed": False}], [*modes, {"modes": AUTOMATIC}], bearers)
    preference = both(modes, bearers)
    questions = [Asked(mode, bearer=bearer) for mode in sorted(model.BOTH) for bearer in (None, "roaming", "wifi")]
    cells = sum(hold(rules, questions) for rules in chorus(provider, preference, preference))
    assert cells == 2 * (2 * 4 * 3) * 9 * 9 * 6


def test_windows() -> None:
    windows = said("window", (9 * 60, 18 * 60, 0), (22 * 60, 6 * 60, 60), (17 * 60 + 30, 23 * 60, -300), (60, 60, 0))
    times = [NOON + minutes * 60 + seconds for minutes, seconds in ((-720, 0), (-60, 59), (5 * 60, 31), (600, 1))]
    questions = [Asked(mode, at=at) for mode in sorted(model.BOTH) for at in times]
    cells = sum(hold(rules, questions) for rules in chorus(windows, windows, windows))
    assert cells == 2 * 5**3 * 8


def test_two_rules_of_a_provider_and_their_intervals() -> None:
    selectors = [NOTHING, {"on_class": "phone"}, {"on_group": "staff"}, {"on_user": "alice"}, {"on_device": "phone"}]
    values = both([{"interval": 60}, {"interval": 900}], [{"default": True}, {"default": False}])
    provider = [NOTHING, *both([*selectors, {"on_user": "bob"}], values)]
    cells = 0
    for one, two, user, device in itertools.product(
        provider, provider, said("interval", 0, 300), said("interval", 1800)
    ):
        rules: list[Spoken] = [{"voice": "provider", "name": "one", **one}, {"voice": "provider", "name": "two", **two}]
        rules += [{"voice": "user", "name": "sync-preferences", **user}]
        rules += [{"voice": "device", "name": "sync-preferences", **device}]
        cells += hold(rules, [Asked(since=59)])
    assert cells == 25 * 25 * 3 * 2


def test_rounds() -> None:
    intervals = said("interval", 0, 60, 900)
    questions = [
        Asked(mode, since=since, at=NOON) for mode in sorted(model.BOTH) for since in (None, 0, 59, 60, 899, 900)
    ]
    questions += [asked._replace(goes_on=True) for asked in questions if asked.since is not None]
    cells = sum(hold(rules, questions) for rules in chorus(intervals, intervals, intervals))
    assert cells == 2 * 4**3 * 22


def test_scopes() -> None:
    shallow_or_several = [(WORK, False)], [(OLD, True), (("Private",), True)]
    include = said("include", [(WORK, True)], *shallow_or_several, [(("*", "Old"), True)])
    scopes = both(include, said("exclude", [OLD]))
    excludes = said("exclude", [OLD], [("Private",), (*OLD, "deep")], [("**", "Old")])
    questions = [Asked(path=path) for path in FOLDERS]
    tables = itertools.chain(chorus(scopes, scopes, scopes), chorus(excludes, excludes, excludes))
    cells = sum(hold(rules, questions, TREE) for rules in tables)
    assert cells == 2 * (10**3 + 4**3) * 6


MEMBERS = [Member((), is_folder=True), Member(("folder",), is_folder=True)] + [
    Member(("file",), kind=kind, size=size, date=NOON - age, keywords=keywords)
    for kind, size, age, keywords in [
        ("message", 500, DAY, frozenset({"todo", "work"})),
        ("message", 501, 8 * DAY, frozenset({"todo"})),
        ("message", 1000, 7 * DAY, frozenset({"work"})),
        ("media", 1001, 31 * DAY, frozenset()),
        ("media", 500, 30 * DAY, frozenset({"todo", "work"})),
        ("imdn", 1, 7 * DAY + 1, frozenset({"todo", "work"})),
        ("file-transfer", 1000, DAY, frozenset({"other", "work"})),
    ]
]
CONTENTS = {
    "kinds": said("kinds", frozenset({"message"}), frozenset({"message", "media", "imdn"})),
    "size": said("size", 500, 1000),
    "age": said("age", 7 * DAY, 30 * DAY),
    "keyword": said("keyword", "todo", "-work"),
    "list_only": [NOTHING, {"list_only": False}, {"list_only": True}],
    "withheld": said("withheld", frozenset({"seen"}), frozenset({"seen", "keywords"})),
}


PAIRS = [("kinds", "size"), ("age", "keyword"), ("keyword", "withheld"), ("list_only",)]


@pytest.mark.parametrize("keys", PAIRS, ids=" and ".join)
def test_contents(keys: tuple[str, ...]) -> None:
    some = both(*(CONTENTS[key] for key in keys))
    cells = sum(hold(rules, [Asked(at=NOON)], MEMBERS) for rules in chorus(some, some, some))
    assert cells == 2 * len(some) ** 3


REFUSED: Some = {
    "modes": MANUAL,
    "bearers_not": ROAMING,
    "exclude": [WORK],
    "include": [(("Private",), True)],
    "interval": 900,
    "window": (0, 60, 0),
}


@pytest.mark.parametrize("left_out", ["bearers_not exclude", "interval window"])
def test_first_of_several_refusals(left_out: str) -> None:
    keys = [key for key in REFUSED if key not in left_out]
    questions = [Asked(mode, WORK, "roaming", NOON, 30) for mode in sorted(model.BOTH)]
    cells = 0
    for speakers in itertools.product((None, *model.VOICES), repeat=len(keys)):
        spoken = list(zip(speakers, keys, strict=True))
        says = [[{key: REFUSED[key] for speaker, key in spoken if speaker == voice}] for voice in model.VOICES]
        cells += sum(hold(rules, questions) for rules in chorus(*says))
    assert cells == 4 ** len(keys) * 2 * 2


def any_rule(random: Random, voice: str, name: str) -> Spoken:
    """Return a rule of a voice that says something of some keys."""
    domains = [
        said("modes", model.BOTH, MANUAL),
        said("bearers_not", frozenset(), ROAMING, frozenset({"wifi", "roaming"})),
        said("window", (9 * 60, 18 * 60, 0), (11 * 60, 13 * 60, 60), (22 * 60, 13 * 60, 0)),
        said("interval", 60, 900),
        said("include", [(WORK, True)], [((), False)], [(("**", "Old"), True)], [(("[WP]*",), True)]),
        said("exclude", [OLD], [("**", "deep")], [("P?ivate", "*")]),
        *CONTENTS.values(),
    ]
    rule: Spoken = {"voice": voice, "name": name}
    for domain in domains:
        if random.random() < 0.35:
            rule |= random.choice(domain)
    if voice == "provider":
        rule |= {"default": random.random() < 0.5, "allowed": random.random() < 0.95}
        chosen = [("on_device", "tablet"), ("on_user", "alice"), ("on_group", "staff"), ("on_class", "phone")]
        chosen += [("on_device", "phone"), ("on_group", "guests")]
        rule |= dict(random.sample(chosen, random.choice((0, 0, 1, 1, 2))))
    return rule


@pytest.mark.parametrize("seed", range(10))
def test_whole_table(seed: int) -> None:
    random, cells = Random(seed), 0
    tree = [*TREE, *(one._replace(path=(*WORK, *one.path)) for one in MEMBERS)]
    while cells < 2_000:
        rules = [any_rule(random, "provider", f"rule {number}") for number in range(random.randrange(4))]
        rules += [any_rule(random, voice, "sync-preferences") for voice in ("user", "device") if random.random() < 0.8]
        questions = [
            Asked(
                random.choice(("automatic", "manual")),
                random.choice(FOLDERS),
                random.choice((None, "roaming", "wifi")),
                NOON + random.randrange(-DAY, DAY),
                random.choice((None, 30, 60, 600, 1000)),
                random.random() < 0.2,
            )
            for _ in range(5)
        ]
        cells += hold(rules, questions, tree)
