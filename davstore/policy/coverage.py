"""Comparisons of what rules say: whether one pattern covers another, whether windows lie within another or never meet.

They err to one side: whatever they say of patterns and windows is so, and what they cannot tell they deny.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from functools import cache, reduce
from itertools import product
from operator import and_
from typing import Final

from davstore.model.windows import MINUTES_OF_DAY, Window
from davstore.policy.patterns import share_area

_WHOLE_DAY: Final = (1 << MINUTES_OF_DAY) - 1
_MOST_ZONES: Final = 4
"""Zones of windows that are compared: each further one doubles the ways in which their days lie to each other."""
_START: Final = datetime(2020, 1, 1, tzinfo=UTC)
_WEEKS: Final = 25 * 52
"""From the start on, a look at each week finds all offsets of a zone: none is in force for a shorter time."""


def pattern_covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Tell whether a pattern of names covers everything that another one does; False where it may or may not."""

    @cache
    def covers(at: int, of: int) -> bool:
        if at == len(wide):
            return True
        if of == len(narrow):
            return all(name == "**" for name in wide[at:])
        mine, other = wide[at], narrow[of]
        if mine == "**":
            return covers(at + 1, of) or covers(at, of + 1)
        if other == "**":  # stands for no name, and for any names before the rest
            return mine == "*" and covers(at, of + 1) and covers(at + 1, of)
        return _name_covers(mine, other) and covers(at + 1, of + 1)

    return share_area(wide, narrow) and covers(0, 0)


def _name_covers(wide: str, narrow: str) -> bool:
    """Tell whether a glob matches all names that another one matches."""
    is_literal = not any(sign in narrow for sign in "*?[")
    return wide in ("*", narrow) or (is_literal and fnmatchcase(narrow, wide))


def lie_within(windows: Collection[Window], wide: Window) -> bool:
    """Tell whether a window is open whenever all of some others are; False where that cannot be told."""
    return _hold([*windows, wide], lambda masks: reduce(and_, masks[:-1], _WHOLE_DAY) & ~masks[-1] == 0)


def never_meet(windows: Collection[Window]) -> bool:
    """Tell whether there is no time at which all windows are open; False where that cannot be told."""
    return _hold([*windows], lambda masks: reduce(and_, masks, _WHOLE_DAY) == 0)


def _hold(windows: Collection[Window], is_so: Callable[[list[int]], bool]) -> bool:
    """Tell whether something is so of the minutes at which windows are open, however their zones lie to each other."""
    zones = {window.zone for window in windows}
    if len(zones) > _MOST_ZONES:
        return False
    return all(is_so([_mask(one, offsets[one.zone]) for one in windows]) for offsets in _offsets(zones))


def _offsets(zones: Collection[tzinfo]) -> Iterator[dict[tzinfo, int]]:
    """Yield the ways in which the days of zones may lie to each other, as minutes by which each is before UTC."""
    of_each = [[0]] if len(zones) == 1 else [_offsets_of(zone) for zone in zones]
    for offsets in product(*of_each):
        yield dict(zip(zones, offsets, strict=True))


@cache
def _offsets_of(zone: tzinfo) -> list[int]:
    times = [(_START + timedelta(weeks=number)).astimezone(zone) for number in range(_WEEKS)]
    return sorted({(time.utcoffset() or timedelta()) // timedelta(minutes=1) for time in times})


def _mask(window: Window, offset: int) -> int:
    """Return the minutes of a day of UTC at which a window is open, a bit for each."""
    length = (window.end - window.start) % MINUTES_OF_DAY or MINUTES_OF_DAY
    shifted = ((1 << length) - 1) << (window.start - offset) % MINUTES_OF_DAY
    return (shifted | shifted >> MINUTES_OF_DAY) & _WHOLE_DAY
