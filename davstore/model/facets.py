"""Facets: facts of a resource beside its row, which are looked up only where a question needs them.

A facet is one type, loaded for many nodes by one statement (`metadata.facets`). The table of live properties names the
facet that a property needs; a question then asks for a set of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from davstore.model.acl import KnownAce
from davstore.model.dispositions import Disposition
from davstore.model.locks import Lock
from davstore.model.messages import MessageFacts, MessageSummary
from davstore.model.threads import Participant, Thread

T = TypeVar("T")


class Facet(Generic[T]):
    """One kind of facts of nodes; its values are of type T."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<the facet {self._name}>"


Facets = Set[Facet[Any]]

PROPERTIES: Final = Facet[Mapping[str, bytes]]("dead properties")
"""The dead properties of a resource: Clark name to element."""
CHECKSUMS: Final = Facet[str]("checksums")
"""The checksums of a body, as `oc:checksums` has them, where they are kept."""
LOCKS: Final = Facet[Sequence[Lock]]("locks")
"""The locks that are held in the store, by the nodes they were taken on: one reaches what lies beneath its root."""
MESSAGE: Final = Facet[MessageFacts]("message")
"""The facts of a body that is a message or another object of a message store."""
SUMMARY: Final = Facet[MessageSummary]("summary")
"""The few facts of a message that a list for people shows: of a thousand messages they fit into memory."""
KEYWORDS: Final = Facet[Sequence[str]]("keywords")
"""The keywords of a resource, in order."""
ANSWERS: Final = Facet[Sequence[tuple[str, ...]]]("answers")
"""The answers to a message, oldest first: the names that lead to each from the root of the store."""
THREAD: Final = Facet[Thread]("thread")
"""The counts of a thread, and its conversation."""
PARTICIPANTS: Final = Facet[Sequence[Participant]]("participants")
"""The participants of a thread."""
CONVERSATION: Final = Facet[str]("conversation")
"""The name of the thread that a message is in."""
ORIGINAL: Final = Facet[tuple[str, ...]]("original")
"""Of a message that the store has twice: the names that lead to the oldest of the same identity from the root."""
DISPOSITIONS: Final = Facet[Sequence[Disposition]]("dispositions")
"""What became of a message at its recipients, by recipient and type."""

GROUP_STATE: Final = Facet[str]("group state")
"""The name of the group state that counts in a session history."""
SESSIONS: Final = Facet[Sequence[tuple[str, ...]]]("sessions")
"""The session histories of a thread: the names that lead to each from the root of the store."""

ACL: Final = Facet[Sequence[KnownAce]]("access control list")
"""The entries that hold for a resource, its own before those that it inherits."""

_NONE: Final[Mapping[int, Any]] = MappingProxyType({})


class Facts(NamedTuple):
    """The values of the facets that were asked for, of a page of resources, by node id."""

    values: Mapping[Facet[Any], Mapping[int, Any]] = MappingProxyType({})

    def of(self, facet: Facet[T]) -> Mapping[int, T]:
        """Return the values of a facet; nodes without one are left out, and all are if it was not asked for."""
        return self.values.get(facet, _NONE)


NO_FACTS: Final = Facts()
