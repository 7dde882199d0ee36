"""The rounds in which a device synchronises, as the gate remembers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """The last accepted round of one device in one collection.

    free are the sync tokens of the round, each with how often it may still be asked with before the interval is over:
    the token it began with, the one last asked with, and the one that a truncated page gave. That one has None: it is
    never early. A listing has no tokens.
    """

    started_us: int
    free: tuple[tuple[str, int | None], ...] = ()

    def left(self, token: str | None) -> int | None:
        """Return how often a token is free; 0 for one that is not of the round."""
        return next((left for known, left in self.free if known == token), 0)
