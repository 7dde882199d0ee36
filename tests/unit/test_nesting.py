"""Lists that hold lists, against a check of every path (docs/sharing.md#lists)."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from davstore.errors.lists import ListCycle, TooManyLists
from davstore.policy.nesting import check_nesting

Pairs = set[tuple[int, int]]


def walks(held: Pairs, lists: int) -> bool:
    """Tell whether so many lists lie in each other, one of them perhaps again."""
    numbers = {number for pair in held for number in pair}
    ways = itertools.product(numbers, repeat=lists)
    return any(all(pair in held for pair in itertools.pairwise(way)) for way in ways)


@given(st.sets(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=6))
@example({(1, 2), (2, 3)})
@example({(1, 2), (2, 3), (3, 4)})
@example({(1, 2), (1, 3), (2, 4), (3, 4)})
@example({(1, 1)})
def test_three_levels_and_no_cycle(held: Pairs) -> None:
    """Of four lists a way of five passes one twice."""
    wanted = ListCycle if walks(held, 5) else TooManyLists if walks(held, 4) else None
    found = None
    try:
        check_nesting(held)
    except (ListCycle, TooManyLists) as error:
        found = type(error)
    assert found is wanted
