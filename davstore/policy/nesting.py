"""Lists that hold lists: how deep, and no list itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from davstore.errors.lists import ListCycle, TooManyLists

MOST_LEVELS: Final = 3
"""A list that holds a list that holds a list: what an entry for the first means can still be seen by a person."""


def check_nesting(nestings: Iterable[tuple[int, int]]) -> None:
    """Check the lists of a user, each pair a list and a list that it holds.

    Raises:
        ListCycle: a list would hold itself. TooManyLists: more than three lists deep.
    """
    held = defaultdict[int, list[int]](list)
    for list_id, member_id in nestings:
        held[list_id].append(member_id)
    known: dict[int, int] = {}
    if max([_levels(held, list_id, (), known) for list_id in list(held)], default=0) > MOST_LEVELS:
        raise TooManyLists(f"lists would lie more than {MOST_LEVELS} levels deep")


def _levels(held: Mapping[int, Sequence[int]], list_id: int, above: tuple[int, ...], known: dict[int, int]) -> int:
    """Return how many levels of lists a list is. Raises ListCycle."""
    if list_id in above:
        raise ListCycle("a list would hold itself")
    if list_id not in known:
        beneath = [_levels(held, one, (*above, list_id), known) for one in held.get(list_id, ())]
        known[list_id] = 1 + max(beneath, default=0)
    return known[list_id]
