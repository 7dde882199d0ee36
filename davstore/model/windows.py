"""The hours of a day at which a rule lets devices synchronise."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

MINUTES_OF_DAY: Final = 24 * 60
_HOURS: Final = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_LONGEST_WAIT_SECONDS: Final = 86_400
_OPENINGS: Final = 64
"""Times at which some window opens that are looked at for one at which all are open, some days of them."""


@dataclass(frozen=True, slots=True)
class Window:
    """From one minute of the local day up to another, which is on the next day if it is not later."""

    start: int
    end: int
    zone: tzinfo

    def __str__(self) -> str:
        """Return it as the policy file has it."""
        minutes = (self.start, self.end)
        return f"{'-'.join(f'{one // 60:02}:{one % 60:02}' for one in minutes)} {self.zone}"

    def is_open(self, now_us: int) -> bool:
        """Tell whether a time lies in the window."""
        local = self._local(now_us)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def opens_us(self, now_us: int) -> int:
        """Return the time at which it opens next, later than the one given."""
        today = self._local(now_us).date()
        at = time(self.start // 60, self.start % 60, tzinfo=self.zone)
        times = [self._opening_us(datetime.combine(today + timedelta(days), at)) for days in range(3)]
        return next(time_us for time_us in times if time_us > now_us)

    def _opening_us(self, day: datetime) -> int:
        """Return the time of an opening; one that the clock leaves out, in spring, is when it has gone forward."""
        first, last = sorted(int(day.replace(fold=fold).timestamp()) * _SECOND_US for fold in (0, 1))
        if not first < last or self.is_open(first):
            return first
        return next((time_us for time_us in range(first, last, _MINUTE_US) if self.is_open(time_us)), last)

    def _local(self, now_us: int) -> datetime:
        return datetime.fromtimestamp(now_us // _SECOND_US, UTC).astimezone(self.zone)


def parse_hours(text: str) -> tuple[int, int]:
    """Return the minutes of the day that `22:00-06:00` begins and ends at. Raises ValueError: it is no such text."""
    found = _HOURS.fullmatch(text)
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (-1, -1)
    if not 0 <= start < MINUTES_OF_DAY or not 0 <= end <= MINUTES_OF_DAY or start == end:
        raise ValueError(text)
    return start, end


def parse_zone(name: str) -> tzinfo:
    """Return the time zone of a name (IANA). Raises ValueError: there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (TypeError, KeyError, OSError) as error:
        raise ValueError(name) from error


def wait_seconds(windows: Collection[Window], now_us: int) -> int:
    """Return the whole seconds until all windows are open, at most a day: then they may never be open together."""
    time_us = now_us
    for _ in range(_OPENINGS):
        closed = [window for window in windows if not window.is_open(time_us)]
        if not closed:
            break
        time_us = max(window.opens_us(time_us) for window in closed)
    else:
        return _LONGEST_WAIT_SECONDS
    return min(math.ceil((time_us - now_us) / _SECOND_US), _LONGEST_WAIT_SECONDS)
