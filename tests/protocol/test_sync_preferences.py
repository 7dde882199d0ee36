"""`C:sync-preferences` and `C:effective-sync-policy`: the XML of a preference (docs/protocol.md#preferences)."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from davstore.errors import ProtectedProperty, UnsupportedFilter, WrongPreference
from davstore.model.rules import BOTH, DEVICE, KINDS, STATES, USER, Mode, Reach, Rule, names_of, pattern_of
from davstore.model.states import Flag
from davstore.model.where import And, Compare, Comparison, Fact, Form, IsCollection, IsDefined, Like, Not, Or, Source
from davstore.model.windows import Window
from davstore.policy.preferences import parse_json, to_json
from davstore.protocol.dav import preferences
from davstore.protocol.dav.durations import parse_duration, render_duration
from davstore.protocol.dav.hrefs import parse_target, render_href
from davstore.protocol.dav.preferences import Effect
from davstore.protocol.dav.where import FACTS

HOME = ("dav", "store", "alice")
C = "urn:davstore:cpm"
FLAGGED = Fact(Source.FLAG, str(int(Flag.FLAGGED)))


def find_names(href: str) -> tuple[str, ...] | None:
    """Return the names below alice's root."""
    segments = parse_target(href).segments if href.startswith("/") else ()
    return segments[3:] if segments[:3] == HOME else None


def hrefs(names: tuple[str, ...]) -> bytes:
    return f"<D:href>{render_href((*HOME, *names), slash=True).replace('&', '&amp;')}</D:href>".encode()


def property_of(content: str) -> bytes:
    spaces = f'xmlns:D="DAV:" xmlns:C="{C}" xmlns:K="{C}:keyword" xmlns:x="urn:x"'
    return f"<C:sync-preferences {spaces}>{content}</C:sync-preferences>".encode()


def parse(content: str) -> Rule | None:
    return preferences.parse(property_of(content), DEVICE, find_names)


def rule(**values: Any) -> Rule:
    return Rule("sync-preferences", DEVICE, **values)


READ: list[tuple[str, dict[str, Any]]] = [
    ("<C:automatic>T</C:automatic>", {"modes": BOTH}),
    ("<C:automatic> F\n</C:automatic>", {"modes": frozenset({Mode.MANUAL})}),
    ("<C:min-interval>PT15M</C:min-interval>", {"min_interval_seconds": 900}),
    ("<C:min-interval>P1DT2H3M4S</C:min-interval>", {"min_interval_seconds": 93_784}),
    ("<C:min-interval>PT0S</C:min-interval>", {"min_interval_seconds": 0}),
    ("<C:min-interval>P366D</C:min-interval>", {"min_interval_seconds": 366 * 86_400}),
    ("<C:bearer-not>wifi</C:bearer-not>", {"bearers_not": frozenset({"wifi"})}),
    (
        "<C:bearer-not>cellular-roaming</C:bearer-not><C:bearer-not>cellular</C:bearer-not>",
        {"bearers_not": frozenset({"cellular-roaming", "cellular"})},
    ),
    ("<C:bearer-not/>", {"bearers_not": frozenset()}),
    ("<C:window>22:00-06:00</C:window>", {"window": Window(1320, 360, UTC)}),
    ("<C:window>00:00-24:00</C:window>", {"window": Window(0, 1440, UTC)}),
    (
        '<C:window zone="Europe/Berlin">09:30-17:00</C:window>',
        {"window": Window(570, 1020, ZoneInfo("Europe/Berlin"))},
    ),
    ("<C:include><D:href>/dav/store/alice/</D:href></C:include>", {"include": (Reach(()),)}),
    (
        "<C:include><D:href>/dav/store/alice/a%20b/</D:href><D:href>/dav/store/alice/c/d</D:href></C:include>",
        {"include": (Reach(("a b",)), Reach(("c", "d")))},
    ),
    (
        (
            "<C:include><D:href>/dav/store/alice/a/</D:href><C:level>1</C:level></C:include>"
            "<C:include><C:level>infinite</C:level><D:href>/dav/store/alice/b/</D:href></C:include>"
        ),
        {"include": (Reach(("a",), is_deep=False), Reach(("b",)))},
    ),
    (  # names stand for themselves, whatever they look like
        "<C:exclude><D:href>/dav/store/alice/**/a%5B1%5D*/%3F</D:href></C:exclude>",
        {"exclude": (("[*][*]", "a[[]1][*]", "[?]"),)},
    ),
    (
        (
            "<C:include><D:href>/dav/store/alice/a/</D:href></C:include>"
            "<C:exclude><D:href>/dav/store/alice/a/b/</D:href></C:exclude>"
        ),
        {"include": (Reach(("a",)),), "exclude": (("a", "b"),)},
    ),
    ("<C:kind>media</C:kind><C:kind>message</C:kind>", {"kinds": frozenset({"media", "message"})}),
    ("<C:max-body-size>1048576</C:max-body-size>", {"max_body_bytes": 1_048_576}),
    ("<C:max-body-size>0</C:max-body-size>", {"max_body_bytes": 0}),
    ("<C:max-age>P30D</C:max-age>", {"max_age_seconds": 30 * 86_400}),
    ("<C:max-age>P2W</C:max-age>", {"max_age_seconds": 14 * 86_400}),
    (
        "<D:where><D:not><D:is-defined><D:prop><C:flagged/></D:prop></D:is-defined></D:not></D:where>",
        {"where": Not(IsDefined(FLAGGED))},
    ),
    ("<C:list-only>T</C:list-only>", {"list_only": True}),
    ("<C:list-only>F</C:list-only>", {"list_only": False}),
    ("<C:withhold-states>T</C:withhold-states>", {"withhold_states": STATES}),
    ("<C:withhold-states>F</C:withhold-states>", {"withhold_states": frozenset()}),
    (
        "<C:withhold-states><C:read-report-sent/> <C:keywords/></C:withhold-states>",
        {"withhold_states": frozenset({"read-report-sent", "keywords"})},
    ),
    ("<x:other>1</x:other><C:list-only>T</C:list-only>", {"list_only": True}),  # RFC 4918 §17
]


@pytest.mark.parametrize(("content", "values"), READ)
def test_an_element_is_a_key_of_a_rule(content: str, values: dict[str, Any]) -> None:
    assert parse(content) == rule(**values)


def test_what_says_nothing_is_no_preference() -> None:
    assert parse("") is None
    assert parse(" \n ") is None
    assert parse("<x:other/>") is None


A = "/dav/store/alice/a/"
WRONG = [
    ("text", "sync-preferences"),
    ("<C:list-only>T</C:list-only>text", "sync-preferences"),
    (f"<C:list-only>T</C:list-only><!-- {'x' * 20_000} -->", "sync-preferences"),
    ("<C:nothing/>", "nothing"),
    ("<C:sync-preferences/>", "sync-preferences"),
    ("<C:pattern>*</C:pattern>", "pattern"),
    ("<D:href>/dav/store/alice/</D:href>", "{DAV:}href"),
    ("<C:automatic/>", "automatic"),
    ("<C:automatic>true</C:automatic>", "automatic"),
    ("<C:automatic>T<C:x/></C:automatic>", "automatic"),
    ("<C:automatic>T</C:automatic><C:automatic>T</C:automatic>", "automatic"),
    *(
        (f"<C:min-interval>{text}</C:min-interval>", "min-interval")
        for text in ("", "900", "P", "PT", "P1DT", "P1M", "P1Y", "PT1.5H", "-PT1M", "PT1S1M", "P1W1D", "P367D", "pt1m")
    ),
    ("<C:min-interval>PT1M</C:min-interval><C:min-interval>PT2M</C:min-interval>", "min-interval"),
    ("<C:min-interval>PT9999999999999999M</C:min-interval>", "min-interval"),
    ("<C:bearer-not>two words</C:bearer-not>", "bearer-not"),
    ("<C:bearer-not/><C:bearer-not>wifi</C:bearer-not>", "bearer-not"),
    ("".join(f"<C:bearer-not>b{i}</C:bearer-not>" for i in range(65)), "bearer-not"),
    *(
        (f"<C:window>{text}</C:window>", "window")
        for text in ("", "22-06", "22:00", "22:00-22:00", "24:00-06:00", "22:60-06:00", "22:00-25:00", "2:00-3:00")
    ),
    *(
        (f'<C:window zone="{zone}">22:00-06:00</C:window>', "window")
        for zone in ("", "Nowhere", "Europe", "../../etc/passwd", "/etc/passwd", "x" * 5_000, "+01:00")
    ),
    ("<C:include/>", "include"),
    ("<C:include><C:level>1</C:level></C:include>", "include"),
    (f"<C:include>{A}</C:include>", "include"),
    (f"<C:include><D:href>{A}</D:href><C:level>2</C:level></C:include>", "include"),
    (f"<C:include><D:href>{A}</D:href><C:level>1</C:level><C:level>1</C:level></C:include>", "include"),
    (f"<C:include><D:href>{A}</D:href><C:x/></C:include>", "include"),
    ("<C:include><D:href>/dav/store/bob/</D:href></C:include>", "include"),
    ("<C:include><D:href>/dav/store/</D:href></C:include>", "include"),
    ("<C:include><D:href/></C:include>", "include"),
    (f"<C:include><D:href>{A}{'a/' * 100}</D:href></C:include>", "include"),
    (f"<C:include><D:href>{A}{'a' * 256}</D:href></C:include>", "include"),
    (
        f"<C:include><D:href>{A}</D:href></C:include><C:include><D:href>{A}</D:href><C:level>1</C:level></C:include>",
        "include",
    ),
    (f"<C:include><D:href>{A}</D:href></C:include><C:exclude><D:href>{A}</D:href></C:exclude>", "include"),
    (f"<C:exclude><D:href>{A}</D:href></C:exclude><C:include><D:href>{A}b/c</D:href></C:include>", "include"),
    ("".join(f"<C:include><D:href>{A}{i}</D:href></C:include>" for i in range(101)), "include"),
    ("<C:exclude/>", "exclude"),
    (f"<C:exclude><D:href>{A}</D:href><C:level>1</C:level></C:exclude>", "exclude"),
    ("<C:exclude><D:href>/dav/store/alice/</D:href></C:exclude>", "exclude"),
    ("".join(f"<C:exclude><D:href>{A}{i}</D:href></C:exclude>" for i in range(101)), "exclude"),
    ("<C:kind/>", "kind"),
    ("<C:kind>letter</C:kind>", "kind"),
    ("<C:kind>collection</C:kind>", "kind"),
    *(
        (f"<C:max-body-size>{text}</C:max-body-size>", "max-body-size")
        for text in ("", "1k", "-1", "1.5", str(2**53 + 1), "9" * 5_000, "\u0661")
    ),
    ("<C:max-age>P36601D</C:max-age>", "max-age"),
    ("<C:max-age>30</C:max-age>", "max-age"),
    ("<C:list-only>yes</C:list-only>", "list-only"),
    ("<C:withhold-states/>", "withhold-states"),
    ("<C:withhold-states>seen</C:withhold-states>", "withhold-states"),
    ("<C:withhold-states>T<C:seen/></C:withhold-states>", "withhold-states"),
    ("<C:withhold-states><C:seen>T</C:seen></C:withhold-states>", "withhold-states"),
    ("<C:withhold-states><C:unheard-of/></C:withhold-states>", "withhold-states"),
    ("<C:withhold-states><x:seen/></C:withhold-states>", "withhold-states"),
]


@pytest.mark.parametrize(("content", "element"), WRONG)
def test_a_wrong_element_is_named(content: str, element: str) -> None:
    with pytest.raises(WrongPreference) as refused:
        parse(content)
    assert refused.value.element == (element if element.startswith("{") else f"{{{C}}}{element}")


@pytest.mark.parametrize(
    "local", ["allowed", "allowed-modes", "default", "rule", "decided-by", "user", "device", "class"]
)
def test_elements_of_the_provider_are_protected(local: str) -> None:
    with pytest.raises(ProtectedProperty):
        parse(f"<C:{local}>T</C:{local}><C:nothing/>")


@pytest.mark.parametrize(
    "content",
    [
        "<D:where/>",
        "<D:where><D:contains>x</D:contains></D:where>",
        "<D:where><D:is-defined><D:prop><C:unheard-of/></D:prop></D:is-defined></D:where>",
    ],
)
def test_a_condition_that_is_not_known_is_not_supported(content: str) -> None:
    with pytest.raises(UnsupportedFilter):
        parse(content)


def test_two_conditions_are_wrong() -> None:
    one = "<D:where><D:is-collection/></D:where>"
    with pytest.raises(WrongPreference):
        parse(one * 2)


def test_a_preference_is_told_in_one_order_and_spelling() -> None:
    told = parse(
        "<C:withhold-states><C:seen/></C:withhold-states><C:max-age>PT48H</C:max-age><C:automatic>F</C:automatic>"
        "<C:bearer-not>z</C:bearer-not><C:bearer-not>a</C:bearer-not>"
        f"<C:include><D:href>{A}%C3%A9&amp;</D:href><D:href>{A}*</D:href><C:level>1</C:level></C:include>"
    )
    assert told is not None
    assert preferences.render(told, hrefs).decode() == (
        "<C:sync-preferences><C:automatic>F</C:automatic><C:bearer-not>a</C:bearer-not><C:bearer-not>z</C:bearer-not>"
        "<C:include><D:href>/dav/store/alice/a/%C3%A9&amp;/</D:href><D:href>/dav/store/alice/a/*/</D:href>"
        "<C:level>1</C:level></C:include>"
        "<C:max-age>P2D</C:max-age><C:withhold-states><C:seen/></C:withhold-states></C:sync-preferences>"
    )


def test_an_effective_policy_names_voices_and_rules() -> None:
    night = Rule("night", window=Window(1320, 360, ZoneInfo("Europe/Berlin")), exclude=(("Media", "*", "raw"), ("a",)))
    mine = rule(modes=frozenset({Mode.MANUAL}), min_interval_seconds=60)
    effect = Effect(
        None,
        ("manual",),
        mine,
        [("modes", mine), ("min_interval_seconds", mine), ("window", night), ("exclude", night)],
    )
    by_me, by_night = ('decided-by="device" rule="sync-preferences"', 'decided-by="provider" rule="night"')
    assert preferences.render_effect(effect, hrefs).decode() == (
        "<C:effective-sync-policy><C:allowed>T</C:allowed>"
        f"<C:allowed-modes {by_me}><C:mode>manual</C:mode></C:allowed-modes>"
        f"<C:automatic {by_me}>F</C:automatic><C:min-interval {by_me}>PT1M</C:min-interval>"
        f'<C:window zone="Europe/Berlin" {by_night}>22:00-06:00</C:window>'
        f"<C:exclude {by_night}><C:pattern>Media/*/raw</C:pattern><D:href>/dav/store/alice/a/</D:href></C:exclude>"
        "</C:effective-sync-policy>"
    )
    closed = Effect(Rule("suspended", allowed=False), (), None, [])
    assert preferences.render_effect(closed, hrefs).decode() == (
        '<C:effective-sync-policy><C:allowed decided-by="provider" rule="suspended">F</C:allowed>'
        "<C:allowed-modes/></C:effective-sync-policy>"
    )


NAME = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
FOLDER = st.lists(NAME, max_size=3).map(tuple)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=10)
TIME = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
FACTS_OF = {form: st.sampled_from([fact for fact in FACTS.values() if fact.form is form]) for form in Form}
KEYWORD = st.builds(
    Fact,
    st.just(Source.KEYWORD),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9.-]{0,9}", fullmatch=True),
    form=st.just(Form.TEXT),
)
LITERALS = {Form.TEXT: TEXT, Form.NUMBER: st.integers(-(10**17), 10**17), Form.TIME: TIME}


def compare(form: Form) -> st.SearchStrategy[Any]:
    caseless = st.booleans() if form is Form.TEXT else st.just(value=False)
    return st.builds(Compare, st.sampled_from(Comparison), FACTS_OF[form], LITERALS[form], caseless)


WHERE = st.recursive(
    st.one_of(
        st.builds(IsCollection),
        st.builds(IsDefined, st.one_of(KEYWORD, *FACTS_OF.values())),
        st.builds(Like, FACTS_OF[Form.TEXT], TEXT.map(lambda text: text.replace("\\", "")), st.booleans()),
        *map(compare, Form),
    ),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        *(st.lists(inner, min_size=1, max_size=3).map(tuple).map(several) for several in (And, Or)),
    ),
    max_leaves=5,
)
ZONES = st.sampled_from([UTC, *map(ZoneInfo, ("Europe/Berlin", "Asia/Kathmandu", "America/New_York"))])
WINDOW = st.tuples(st.integers(0, 1439), st.integers(0, 1440), ZONES).filter(lambda one: one[0] != one[1])
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "modes": st.sampled_from([BOTH, frozenset({Mode.MANUAL})]),
    "min_interval_seconds": st.integers(0, 366 * 86_400),
    "bearers_not": st.frozensets(st.from_regex(r"[a-z*][a-z0-9:/~-]{0,9}", fullmatch=True)),
    "window": WINDOW.map(lambda one: Window(*one)),
    "kinds": st.frozensets(st.sampled_from(sorted(KINDS)), min_size=1),
    "where": WHERE,
    "max_body_bytes": st.integers(0, 2**53),
    "max_age_seconds": st.integers(0, 36_600 * 86_400),
    "list_only": st.booleans(),
    "withhold_states": st.frozensets(st.sampled_from(sorted(STATES))),
}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Return a preference of some keys, which does not contradict itself."""
    values = {key: draw(values) for key, values in KEYS.items() if draw(st.booleans())}
    excluded = draw(st.lists(FOLDER.filter(bool), max_size=3, unique=True))
    included = draw(st.dictionaries(FOLDER, st.booleans(), max_size=3))
    for folder in list(included):
        if any(folder[: len(out)] == out for out in excluded):
            del included[folder]
    if included:
        values["include"] = tuple(Reach(pattern_of(folder), deep) for folder, deep in included.items())
    return Rule("sync-preferences", USER, exclude=tuple(map(pattern_of, excluded)), **values)


@given(rules())
def test_a_preference_is_the_same_as_xml_as_text_and_as_xml_again(wanted: Rule) -> None:
    nothing = Rule("sync-preferences", USER)
    document = f'<r xmlns:D="DAV:" xmlns:C="{C}">'.encode() + preferences.render(wanted, hrefs) + b"</r>"
    told = etree.tostring(etree.fromstring(document)[0], encoding="UTF-8")
    read = preferences.parse(told, USER, find_names)
    assert read == (None if wanted == nothing else wanted)
    again = nothing if read is None else parse_json(to_json(read), USER)
    assert again == wanted
    assert preferences.render(again, hrefs) == preferences.render(wanted, hrefs)


@given(FOLDER)
def test_a_pattern_of_names_is_of_these_names(names: tuple[str, ...]) -> None:
    assert names_of(pattern_of(names)) == names


@pytest.mark.parametrize("pattern", [("*",), ("a", "**"), ("[ab]",), ("a?",), ("[", "b")])
def test_a_pattern_with_a_glob_has_no_names(pattern: tuple[str, ...]) -> None:
    assert names_of(pattern) is None


@given(st.integers(0, 10**9))
def test_a_duration_is_read_as_it_was_written(seconds: int) -> None:
    assert parse_duration(render_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "PT0S"), (900, "PT15M"), (3_661, "PT1H1M1S"), (86_400, "P1D"), (90_000, "P1DT1H")]
)
def test_a_duration_is_written_in_days_and_hours(seconds: int, text: str) -> None:
    assert render_duration(seconds) == text
