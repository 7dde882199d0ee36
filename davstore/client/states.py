"""States of files on the device: what the server last reported, and changes that it has not got yet.

A change is a mask, not a list: of two devices that change different flags at once neither undoes the other's. Masks
need no condition either: `If` with a modseq would only refuse changes that commute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from davstore.model.states import Flag, StateChange
from davstore.protocol.dav import names

FLAG_WORDS: Final[Mapping[Flag, str]] = {flag: str(flag.name).lower().replace("_", "-") for flag in Flag}
"""The local names of the properties of flags, which are also the words for a person."""
FLAG_OF: Final[Mapping[str, Flag]] = {names.clark(names.CPM, word): flag for flag, word in FLAG_WORDS.items()}
"""The flag of each property, by its Clark name."""
SET: Final = "T"
"""The value of a state that is set; one that is not set has no property."""

_NAME: Final = re.compile(f"[{names.FIRST_OF_NAME}][{names.REST_OF_NAME}]*")


class States(NamedTuple):
    """The states of one file: a sum of `Flag`, and keywords."""

    flags: int = 0
    keywords: frozenset[str] = frozenset()


NO_STATES: Final = States()


def apply(states: States, change: StateChange) -> States:
    """Return states after a change."""
    return States((states.flags & ~change.clear) | change.set, (states.keywords - change.dropped) | change.added)


def narrow(change: StateChange, states: States) -> StateChange:
    """Return what of a change is not so yet."""
    return StateChange(
        change.set & ~states.flags,
        change.clear & states.flags,
        change.added - states.keywords,
        change.dropped & states.keywords,
    )


def combine(earlier: StateChange, later: StateChange) -> StateChange:
    """Return two changes as one: the later word on a state counts."""
    return StateChange(
        (earlier.set & ~later.clear) | later.set,
        (earlier.clear & ~later.set) | later.clear,
        (earlier.added - later.dropped) | later.added,
        (earlier.dropped - later.added) | later.dropped,
    )


def mark(wish: StateChange, change: StateChange, states: States) -> StateChange:
    """Return a wish after a person's change of a file that has these states on the server.

    What is so already is no change, or it would undo another device's; unless the wish says the opposite, which may be
    on its way to the server.
    """
    opposite = StateChange(
        change.set & wish.clear, change.clear & wish.set, change.added & wish.dropped, change.dropped & wish.added
    )
    return combine(wish, combine(narrow(change, states), opposite))


def as_change(states: States) -> StateChange:
    """Return the change that gives a file these states, and takes none from it."""
    return StateChange(set=states.flags, added=states.keywords)


def list_words(flags: int, keywords: Iterable[str] = ()) -> list[str]:
    """Return the words for states, flags first."""
    return [*(name for flag, name in FLAG_WORDS.items() if flags & flag), *sorted(keywords)]


def describe(change: StateChange) -> str:
    """Return the words for a change."""
    removed = [f"not {word}" for word in list_words(change.clear, change.dropped)]
    return ", ".join([*list_words(change.set, change.added), *removed])


def is_keyword(word: str) -> bool:
    """Tell whether a keyword can have this name, which is that of a property."""
    return _NAME.fullmatch(word) is not None and len(word.encode()) <= names.MAX_PROPERTY_NAME_BYTES


def write_words(words: Iterable[str]) -> str:
    """Return keywords as a column holds them."""
    return " ".join(sorted(words))


def read_words(text: str) -> frozenset[str]:
    """Return the keywords of a column: no name holds a blank."""
    return frozenset(text.split(" ")) if text else frozenset()
