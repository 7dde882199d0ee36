"""The asker, the time and the services of one request: the first argument of every use case."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from davstore.blobs import Blobs
from davstore.errors import NotFound
from davstore.metadata.database import Database
from davstore.model.functions import ALL, Functions
from davstore.model.limits import Limits
from davstore.model.principals import Asker, Principal, Service
from davstore.model.rules import Rule

Note = Callable[[int, int, int], None]
"""Notes store, epoch and change number outside the database (`Numbers.note`)."""


def now_us() -> int:
    """Return microseconds since the epoch."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Services:
    """The services that every request shares. clock returns microseconds since the epoch.

    drops_litter: the files that macOS writes beside a user's are not kept. wake: the process of the jobs looks at once.
    functions are those that are enabled; rules returns the provider's rules in force, groups those of a user,
    and members_of the users of a group.
    """

    database: Database
    blobs: Blobs
    limits: Limits = field(default_factory=Limits)
    drops_litter: bool = False
    clock: Callable[[], int] = now_us
    note: Note = lambda _store_id, _epoch, _seq: None
    wake: Callable[[], None] = lambda: None
    functions: Functions = ALL
    rules: Callable[[], Sequence[Rule]] = lambda: ()
    groups: Callable[[str], frozenset[str]] = lambda _user: frozenset()
    members_of: Callable[[str], frozenset[str]] = lambda _group: frozenset()

    def context(self, asker: Asker) -> Context:
        """Return the context of the store calls of one request."""
        return Context(asker, self.clock(), self)


@dataclass(frozen=True, slots=True)
class Context:
    """One request's asker, and its time in microseconds since the epoch."""

    asker: Asker
    now_us: int
    services: Services

    @property
    def principal(self) -> Principal:
        """The user that asks, through a device or not. Raises NotFound: it is a service, for which nothing is there."""
        if isinstance(self.asker, Service):
            raise NotFound("a service may know of nothing")
        return self.asker
