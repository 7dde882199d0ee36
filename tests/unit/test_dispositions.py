"""What counts of several notifications: the same in every order of arrival, however often each comes."""

from __future__ import annotations

import itertools
import random
from functools import reduce

from davstore.model.dispositions import Disposition, DispositionType, Status
from davstore.policy.dispositions import find_better

WORDS = ("error", "failed", "forbidden", "stored", "processed", "delivered", "displayed")
LEVELS = (0, 0, 0, 1, 1, 2, 3)


def told(word: str, at_us: int = 5) -> Disposition:
    return Disposition("tel:+1", DispositionType.DELIVERY, Status[word.upper()], at_us)


def test_a_lower_status_never_replaces_a_higher() -> None:
    for low, high in itertools.permutations(range(7), 2):
        for first, later in ((1, 9), (9, 1)) if LEVELS[low] < LEVELS[high] else ():
            kept = told(WORDS[high], first)
            assert find_better(kept, told(WORDS[low], later)) == find_better(told(WORDS[low], later), kept) == kept


def test_of_one_status_the_earliest_time_stays() -> None:
    assert find_better(told("displayed", 7), told("displayed", 6)).at_us == 6


def test_the_order_of_arrival_and_repeats_do_not_matter() -> None:
    chance = random.Random(12)
    for _ in range(200):
        some = [told(chance.choice(WORDS), chance.randrange(4)) for _ in range(chance.randrange(1, 6))]
        found = {reduce(find_better, chance.choices(some, k=3) + chance.sample(some, len(some))) for _ in range(20)}
        assert len(found) == 1
