"""The phases of a connection, and the rules of each.

    HEAD ──► BODY ──► QUEUED ──► ANSWER ──► IDLE ──► HEAD …
      │        │         │          │         │
      └────────┴─────────┴──────────┴─────────┴──► LINGER ──► over

A phase is left out when nothing has to be waited for: a request that arrives whole is answered in one go.
What follows from the phase alone is a column of `RULES`; the steps from one to the next are in `connection`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, NamedTuple

from davstore.model.enums import QuickEnum
from davstore.server.limits import Limits

LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused request is read away: with unread bytes the kernel would send a reset, which can
overtake the answer."""
QUEUE_SECONDS: Final = 10.0
"""How long a large upload waits for its turn; together with a window of pace it bounds the time of a slow one."""


class Phase(QuickEnum):
    """The phases."""

    IDLE = "between requests"
    HEAD = "the first request, or a part of one, is owed"
    BODY = "a small body is not complete, or a large one has hardly begun"
    QUEUED = "a large body waits for a thread"
    ANSWER = "an answer is being sent"
    LINGER = "the answer was the last: what still comes is read away"


class LastWord(enum.Enum):
    """The answer to a client that is waited for no longer."""

    NONE = enum.auto()
    """It asked for nothing, or an answer has begun."""
    LATE = enum.auto()
    """408, for the request that it has begun."""
    BUSY = enum.auto()
    """503: the request waited for us."""


class Rule(NamedTuple):
    """The rules of a phase."""

    patience: Callable[[Limits], float]
    """Seconds that the phase may last, or a window of the pace."""
    precedence: int
    """When there is no room connections of the lowest are cut first: no client loses anything with those."""
    last_word: LastWord
    paced: bool = False
    """The client must move enough bytes in each window; elsewhere the time is fixed."""
    before_head: bool = False
    """No request has been taken yet."""
    owes: bool = False
    """The client owes the rest of a request that it has begun, or its first."""
    spared: bool = True
    """It is cut for a new connection only when it is late."""
    of_most: bool = False
    """When one must be cut for a new connection, it is one of the client that has most."""


RULES: Final = {
    Phase.LINGER: Rule(lambda _limits: LINGER_SECONDS, 0, LastWord.NONE, spared=False),
    Phase.IDLE: Rule(lambda limits: limits.idle_seconds, 1, LastWord.NONE, before_head=True, spared=False),
    Phase.HEAD: Rule(lambda limits: limits.head_seconds, 2, LastWord.LATE, before_head=True, owes=True),
    Phase.BODY: Rule(lambda limits: limits.body_seconds, 3, LastWord.LATE, paced=True, owes=True),
    Phase.QUEUED: Rule(lambda _limits: QUEUE_SECONDS, 4, LastWord.BUSY),
    Phase.ANSWER: Rule(lambda limits: limits.body_seconds, 5, LastWord.NONE, paced=True, of_most=True),
}
