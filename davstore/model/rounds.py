"""The rounds in which a device synchronises, as the gate remembers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """The last accepted round of one device in one collection.

    To ask with one of tokens is to repeat or to continue it: the token it began with, the one last asked with, and the
    one that a truncated page gave. A listing has none.
    """

    started_us: int
    tokens: tuple[str, ...] = ()
