"""The groups of users that rules may select."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


class Groups:
    """The names of users by the name of their group."""

    def __init__(self, members: Mapping[str, frozenset[str]]) -> None:
        self.members = members
        self._of = defaultdict[str, set[str]](set)
        for group, users in members.items():
            for user in users:
                self._of[user].add(group)

    def __len__(self) -> int:
        return len(self.members)

    def of(self, user: str) -> frozenset[str]:
        """Return the groups that a user is in."""
        return frozenset(self._of.get(user, ()))
