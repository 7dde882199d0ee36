"""The provider's groups, as written in principals.toml (`config/principals.toml` explains the file to its author)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from davstore import toml_lines
from davstore.errors import BadSettings
from davstore.model.groups import Groups
from davstore.model.rules import Rule
from davstore.toml_lines import find_line

_KEYS = ("name", "members")


def parse_groups(text: str, *, source: str) -> Groups:
    """Return the groups of a file; source is its name, for messages.

    Raises:
        BadSettings: names source, line and key.
    """
    document = toml_lines.parse(text, source)
    for key in document:
        if key != "group":
            raise BadSettings(f"{source}:{find_line(text, key)}: {key}: unknown key")
    tables = document.get("group", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadSettings(f"{source}:{find_line(text, 'group')}: group: each group begins with [[group]]")
    groups: dict[str, frozenset[str]] = {}
    for index, table in enumerate(tables):
        wrong = _find_wrong(table, groups)
        if wrong is not None:
            key, message = wrong
            line = find_line(text, "group", key, index=index)
            raise BadSettings(f"{source}:{line}: group.{key}: {message}")
        groups[table["name"]] = frozenset(table["members"])
    return Groups(groups)


def _find_wrong(table: dict[str, Any], taken: Collection[str]) -> tuple[str, str] | None:
    """Return the key that is wrong in a table, and why."""
    unknown = next((key for key in table if key not in _KEYS), None)
    if unknown is not None:
        return unknown, "unknown key"
    name, members = table.get("name"), table.get("members")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        return "name", "each group needs a name of 1 to 64 letters, digits, '.', '_' and '-'"
    if name in taken:
        return "name", f"{name!r} is the name of an earlier group"
    if not isinstance(members, list) or not all(isinstance(member, str) and member for member in members):
        return "members", f"must be a list of names of users, not {members!r}"
    return None


def list_unknown_groups(rules: Iterable[Rule], groups: Groups) -> list[str]:
    """Return a line for each rule that selects a group that does not exist, or that its user is not in."""
    found = []
    for rule in rules:
        if rule.group is not None and rule.group not in groups.members:
            found.append(f"rule {rule.name}: there is no group {rule.group}")
        elif rule.group is not None and rule.user is not None and rule.user not in groups.members[rule.group]:
            found.append(f"rule {rule.name}: {rule.user} is not in the group {rule.group}")
    return found


def list_unknown_members(groups: Groups, users: Collection[str]) -> list[str]:
    """Return a line for each member of a group that does not exist."""
    return [
        f"group {name}: there is no user {member}"
        for name, members in groups.members.items()
        for member in sorted(members.difference(users))
    ]
