"""The groups of principals.toml, and what a wrong file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from davstore.errors import BadSettings
from davstore.model.groups import Groups
from davstore.model.rules import Rule
from davstore.policy.groups import list_unknown_groups, list_unknown_members, parse_groups

EXAMPLE = Path(__file__).parents[2] / "config" / "principals.toml"


def test_a_user_is_in_all_groups_that_name_it() -> None:
    groups = parse_groups(
        "[[group]]\nname = 'staff'\nmembers = ['alice', 'bob']\n\n[[group]]\nname = 'night'\nmembers = ['alice']\n"
        "[[group]]\nname = 'empty'\nmembers = []\n",
        source="principals.toml",
    )
    assert len(groups) == 3
    assert groups.of("alice") == {"staff", "night"}
    assert groups.of("bob") == {"staff"}
    assert groups.of("carol") == frozenset()


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("groups = 1\n", 1, "groups: unknown key"),
        ("\ngroup = 1\n", 2, "group: each group begins"),
        ("[group]\nname = 'a'\n", 1, "group: each group begins"),
        ("[[group]]\nmembers = []\n", 1, "group.name"),
        ("[[group]]\nname = 'a b'\nmembers = []\n", 2, "group.name"),
        ("[[group]]\nname = 3\nmembers = []\n", 2, "group.name"),
        ("[[group]]\nname = 'a'\n", 1, "group.members"),
        ("[[group]]\nname = 'a'\nmembers = 'alice'\n", 3, "group.members"),
        ("[[group]]\nname = 'a'\nmembers = ['']\n", 3, "group.members"),
        ("[[group]]\nname = 'a'\nmembers = [7]\n", 3, "group.members"),
        ("[[group]]\nname = 'a'\nmembers = []\nmember = 'x'\n", 4, "group.member: unknown key"),
        ("[[group]]\nname = 'a'\nmembers = []\n[[group]]\nname = 'a'\nmembers = []\n", 5, "group.name: 'a' is"),
        ("[[group]\n", 1, ""),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_key(text: str, line: int, key: str) -> None:
    with pytest.raises(BadSettings, match=rf"^principals\.toml:{line}: {re.escape(key)}"):
        parse_groups(text, source="principals.toml")


def test_the_file_as_delivered_has_no_group_and_a_valid_example() -> None:
    assert len(parse_groups(EXAMPLE.read_text(), source="principals.toml")) == 0
    text = re.sub(r"^# (\[\[group|\w+ = (?:\"\w+\"|\[.*?\])).*", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = text.replace("[[group\n", "[[group]]\n")
    assert parse_groups(text, source="principals.toml").of("bob") == {"staff"}


def test_groups_and_members_that_are_not_there_are_told() -> None:
    groups = Groups({"staff": frozenset({"alice", "zoe", "mallory"}), "empty": frozenset()})
    rules = (Rule("all"), Rule("a", group="staff"), Rule("b", group="stuff"), Rule("c", group="empty"))
    assert list_unknown_groups(rules, groups) == ["rule b: there is no group stuff"]
    never = (Rule("d", user="bob", group="staff"), Rule("e", user="alice", group="staff"))
    assert list_unknown_groups(never, groups) == ["rule d: bob is not in the group staff"]
    assert list_unknown_members(groups, {"alice": set()}) == [
        "group staff: there is no user mallory",
        "group staff: there is no user zoe",
    ]
