"""The errors of lists, which are principals that hold others (docs/sharing.md)."""

from __future__ import annotations

from davstore.errors import ConflictingValue, NoRoom


class UnknownMembers(ConflictingValue):
    """A list would hold principals that this server does not know (`recognized-principal`). hrefs are as sent."""

    def __init__(self, hrefs: tuple[str, ...]) -> None:
        super().__init__(f"{len(hrefs)} unknown members")
        self.hrefs = hrefs


class ListCycle(ConflictingValue):
    """A list would hold itself, if only through others (`no-list-cycle`)."""


class TooManyLists(NoRoom):
    """A user has too many lists, a list too many members, or lists would be too deep (`lists-within-limits`)."""
