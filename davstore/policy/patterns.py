"""The folders and threads that rules name: what a pattern covers, and what leads to it.

A pattern and names of different areas have nothing to do with each other, whatever globs stand in the pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from davstore.model.rules import THREADS, Pattern, Reach


def covers(pattern: Pattern, names: Sequence[str]) -> bool:
    """Tell whether a pattern of names matches names or a collection above them.

    It takes time in proportion to the length of either: all places of the pattern that the names so far lead to are
    followed at once.
    """
    if not share_area(pattern, names):
        return False
    reached = _skip(pattern, {0})
    for name in names:
        if len(pattern) in reached:
            return True
        reached = _step(pattern, reached, name)
        if not reached:
            return False
    return len(pattern) in reached


def leads_to(pattern: Pattern, names: Sequence[str]) -> bool:
    """Tell whether a pattern matches these names, or may match some beneath them."""
    if not share_area(pattern, names):
        return False
    reached = _skip(pattern, {0})
    for name in names:
        reached = _step(pattern, reached, name)
    return bool(reached)


def includes(reach: Reach, names: Sequence[str]) -> bool:
    """Tell whether names are those of a folder that is reached, or of something in it, as deep as it is reached."""
    if reach.is_deep:
        return covers(reach.pattern, names)
    return any(covers_exactly(reach.pattern, some) for some in (names, names[:-1]))


def covers_exactly(pattern: Pattern, names: Sequence[str]) -> bool:
    """Tell whether a pattern matches just these names."""
    if not share_area(pattern, names):
        return False
    reached = _skip(pattern, {0})
    for name in names:
        reached = _step(pattern, reached, name)
    return len(pattern) in reached


def share_area(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether patterns or names are of one area."""
    return (one[:1] == (THREADS,)) == (other[:1] == (THREADS,))


def find_reaches(included: Sequence[Reach], names: Sequence[str]) -> Sequence[Reach] | None:
    """Return those of a rule's included places that are in the area of some names.

    None: it names places in the other area only, and says nothing about this one.
    """
    there = [reach for reach in included if share_area(reach.pattern, names)]
    return there if there or not included else None


def _step(pattern: Pattern, reached: set[int], name: str) -> set[int]:
    """Return the places of a pattern that one more name leads to."""
    inside = {place for place in reached if place < len(pattern)}
    stays = {place for place in inside if pattern[place] == "**"}
    goes_on = {place + 1 for place in inside - stays if fnmatchcase(name, pattern[place])}
    return _skip(pattern, stays | goes_on)


def _skip(pattern: Pattern, reached: set[int]) -> set[int]:
    """Return the places with those behind each `**`, which stands for no name too."""
    for place, name in enumerate(pattern):
        if name == "**" and place in reached:
            reached.add(place + 1)
    return reached
