"""policy.toml: what it means, and what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from zoneinfo import ZoneInfo

import pytest

from davstore.errors import BadSettings
from davstore.model.paths import Area, Path
from davstore.model.principals import DeviceClass
from davstore.model.rules import STATES, Mode, Reach, Rule, names_at, path_to, text_of
from davstore.model.windows import Window
from davstore.policy.patterns import covers
from davstore.policy.provider import list_unknown, parse_rules

EXAMPLE = FilePath(__file__).parents[2] / "config" / "policy.toml"


def test_a_rule_with_everything() -> None:
    text = """
        [[rule]]
        name = "everything"
        user = "alice"
        device = "phone"
        class = "phone"
        allowed = false
        modes = "manual"
        min_interval_seconds = 900
        exclude = ["/Archive/", "Media/*/raw"]
        bearer_not = ["cellular", "wifi-guest"]
        window = "22:30-06:00"
        zone = "Europe/Berlin"
        [[rule]]
        name = "nothing"
    """
    assert parse_rules(text, source="policy.toml") == (
        Rule(
            "everything",
            user="alice",
            device="phone",
            device_class=DeviceClass.PHONE,
            allowed=False,
            modes=frozenset({Mode.MANUAL}),
            min_interval_seconds=900,
            exclude=(("Archive",), ("Media", "*", "raw")),
            bearers_not=frozenset({"cellular", "wifi-guest"}),
            window=Window(22 * 60 + 30, 6 * 60, ZoneInfo("Europe/Berlin")),
        ),
        Rule("nothing", voice="provider", allowed=True),
    )


def test_folders_and_threads_are_told_apart() -> None:
    paths = ["/dav/threads/{user}", "/dav/threads/{user}/a/", "threads/a", "dav/threads/{user}/a", "**"]
    [rule] = parse_rules(f"[[rule]]\nname = 'a'\nexclude = {paths}\n", source="policy.toml")
    threads, one, *folders = rule.exclude
    assert [text_of(pattern) for pattern in rule.exclude] == [*paths[:1], paths[1].rstrip("/"), *paths[2:]]
    assert [names_at(Path("me", names, Area.THREADS)) for names in ((), ("a",))] == [threads, one]
    assert [path_to("me", pattern) for pattern in folders] == [Path("me", pattern) for pattern in folders]
    places = [Path("me", names, area) for area in Area for names in ((), ("a",), ("a", "b"))]
    shown = {pattern: [covers(pattern, names_at(place)) for place in places] for pattern in rule.exclude}
    assert shown[threads] == [False] * 3 + [True] * 3
    assert shown[one] == [False] * 4 + [True] * 2
    assert shown[("**",)] == [True] * 3 + [False] * 3


def test_a_rule_about_the_view() -> None:
    text = """
        [[rule]]
        name = "month"
        group = "staff"
        default = true
        include = ["Mail", "Media/20*"]
        kinds = ["message", "media"]
        max_body_bytes = 1000
        max_age_days = 30
        list_only = false
        withhold_states = ["seen", "keywords"]
        [[rule]]
        name = "no-states"
        withhold_states = true
    """
    assert parse_rules(text, source="policy.toml") == (
        Rule(
            "month",
            group="staff",
            is_default=True,
            include=(Reach(("Mail",)), Reach(("Media", "20*"))),
            kinds=frozenset({"message", "media"}),
            max_body_bytes=1000,
            max_age_seconds=30 * 86_400,
            list_only=False,
            withhold_states=frozenset({"seen", "keywords"}),
        ),
        Rule("no-states", withhold_states=STATES),
    )


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        *(
            (f"[[rule]]\nname = 'a'\n{key} = {value}\n", 3, f"rule.{key}")
            for key, value in (
                ("kinds", "'message'"),
                ("kinds", "['letter']"),
                ("max_body_bytes", "-1"),
                ("max_body_bytes", "true"),
                ("max_age_days", "1.5"),
                ("list_only", "'yes'"),
                ("withhold_states", "['read']"),
                ("withhold_states", "'seen'"),
                ("default", "1"),
                ("include", "['../a']"),
                ("include", "'Mail'"),
                ("group", "''"),
                ("where", "'x'"),
            )
        ),
        ("a = ", 1, ""),
        ("[[rule]]\nname = 'a'\n\n[[rule]\n", 4, ""),
        ("[[rule]]\nname = 'a'\nuser = 'unclosed", 3, ""),
        ("# hello\nrules = 3\n", 2, "rules"),
        ("\n[default]\nallowed = false\n", 2, "default"),
        ("rule = 3\n", 1, "rule"),
        ("rule = [1]\n", 1, "rule"),
        ("[rule]\nname = 'a'\n", 1, "rule"),
        ("[[rule]]\nuser = 'a'\n", 1, "rule.name"),
        ("[[rule]]\nname = ''\n", 2, "rule.name"),
        ("[[rule]]\nname = 'a b'\n", 2, "rule.name"),
        ("[[rule]]\nname = 'a'\n[[rule]]\nallowed = false\nname = 'a'\n", 5, "rule.name"),
        ("[[rule]]\nname = 'a'\nalowed = false\n", 3, "rule.alowed"),
        ("[[rule]]\nname = 'a'\nallowed = 'no'\n", 3, "rule.allowed"),
        ("[[rule]]\nname = 'a'\nallowed = 0\n", 3, "rule.allowed"),
        ("[[rule]]\nname = 'a'\nuser = ''\n", 3, "rule.user"),
        ("[[rule]]\nname = 'a'\ndevice = 7\n", 3, "rule.device"),
        ("[[rule]]\nname = 'a'\nclass = 'fridge'\n", 3, "rule.class"),
        ("[[rule]]\nname = 'a'\nmodes = 'never'\n", 3, "rule.modes"),
        ("[[rule]]\nname = 'a'\nmodes = ['manual']\n", 3, "rule.modes"),
        ("[[rule]]\nname = 'a'\nmin_interval_seconds = -1\n", 3, "rule.min_interval_seconds"),
        ("[[rule]]\nname = 'a'\nmin_interval_seconds = true\n", 3, "rule.min_interval_seconds"),
        ("[[rule]]\nname = 'a'\nmin_interval_seconds = 1.5\n", 3, "rule.min_interval_seconds"),
        ("[[rule]]\nname = 'a'\nmin_interval_seconds = 99999999999\n", 3, "rule.min_interval_seconds"),
        ("[[rule]]\nname = 'a'\nexclude = 'Archive'\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = ['/']\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = ['a//b']\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = ['../b']\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = [7]\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = ['/dav/threads/alice/1']\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nexclude = ['/dav/threads/{user}/a//b']\n", 3, "rule.exclude"),
        ("[[rule]]\nname = 'a'\nbearer_not = 'wifi'\n", 3, "rule.bearer_not"),
        ("[[rule]]\nname = 'a'\nbearer_not = ['wifi guest']\n", 3, "rule.bearer_not"),
        ("[[rule]]\nname = 'a'\nbearer_not = [7]\n", 3, "rule.bearer_not"),
        ("[[rule]]\nname = 'a'\nwindow = 'night'\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = '24:00-06:00'\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = '22:60-06:00'\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-24:01'\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-22:00'\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = 22\n", 3, "rule.window"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-06:00'\nzone = 'Mars/Olympus'\n", 4, "rule.zone"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-06:00'\nzone = '../../etc/passwd'\n", 4, "rule.zone"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-06:00'\nzone = ''\n", 4, "rule.zone"),
        ("[[rule]]\nname = 'a'\nwindow = '22:00-06:00'\nzone = 1\n", 4, "rule.zone"),
        ("[[rule]]\nname = 'a'\nzone = 'UTC'\n", 3, "rule.zone"),
        (f"[[rule]]\nname = 'a'\nexclude = ['{'/'.join(['**', 'a'] * 51)}']\n", 3, "rule.exclude"),
        (f"[[rule]]\nname = 'a'\nexclude = ['{'*a' * 128}']\n", 3, "rule.exclude"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_key(text: str, line: int, key: str) -> None:
    with pytest.raises(BadSettings, match=rf"^policy\.toml:{line}: {re.escape(key)}"):
        parse_rules(text, source="policy.toml")


def test_the_file_as_delivered_allows_everything() -> None:
    assert parse_rules(EXAMPLE.read_text(), source="policy.toml") == ()


def test_its_examples_are_valid_rules() -> None:
    text = re.sub(r"^# (?=\[\[rule|\w+ = (?!.*  ))", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    assert [rule.name for rule in parse_rules(text, source="policy.toml")] == [
        "phones-every-quarter-hour",
        "alice-phone-at-once",
        "no-roaming",
        "phones-a-month",
        "cameras-at-night",
        "hall-tablet-by-hand",
        "no-archives-on-devices",
        "mallory-suspended",
    ]


def test_users_and_devices_that_are_not_there_are_told() -> None:
    rules = (
        Rule("all"),
        Rule("alice", user="alice"),
        Rule("alices-phone", user="alice", device="phone"),
        Rule("tablets", device="tablet"),
        Rule("mallory", user="mallory", device="phone"),
        Rule("lost", user="alice", device="tablet"),
        Rule("fridge", device="fridge"),
        Rule("class", user="alice", device="phone", device_class=DeviceClass.PHONE),
        Rule("class-of-any", device="tablet", device_class=DeviceClass.OTHER),
        Rule("other-class", user="alice", device="phone", device_class=DeviceClass.TABLET),
        Rule("other-class-of-any", device="tablet", device_class=DeviceClass.TABLET),
    )
    names = {"alice": {"phone": DeviceClass.PHONE}, "bob": {"tablet": DeviceClass.OTHER}}
    assert list_unknown(rules, names) == [
        "rule mallory: there is no user mallory",
        "rule lost: alice has no device tablet",
        "rule fridge: no user has a device named fridge",
        "rule other-class: alice has no device phone of class tablet",
        "rule other-class-of-any: no user has a device named tablet of class tablet",
    ]
