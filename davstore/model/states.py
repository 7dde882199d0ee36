"""The states of a resource that a person gave it: flags, and keywords. They belong to the node, not to its bytes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Final, NamedTuple

MOST_KEYWORDS: Final = 100
"""Keywords of one resource: nothing is charged for them, and an answer holds those of many resources."""


class Flag(IntFlag):
    """The flags, as bits of `node.flags`."""

    SEEN = 1
    ANSWERED = 2
    FORWARDED = 4
    DRAFT = 8
    FLAGGED = 16
    DELETED = 32
    READ_REPORT_SENT = 64


class StateChange(NamedTuple):
    """Flags to set and to clear, and keywords to add and to drop: changes of different ones commute."""

    set: int = 0
    clear: int = 0
    added: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


NO_CHANGE: Final = StateChange()


def together(changes: Iterable[StateChange]) -> StateChange:
    """Return changes of different states as one."""
    whole = NO_CHANGE
    for one in changes:
        whole = StateChange(
            whole.set | one.set, whole.clear | one.clear, whole.added | one.added, whole.dropped | one.dropped
        )
    return whole
