"""The two date formats of DAV: HTTP-date (RFC 9110 §5.6.7) and RFC 3339 for creationdate (RFC 4918 §15.1)."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY: Final = 86_400
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_FIRST_DAY: Final = datetime.date.min.toordinal() - _EPOCH
_LAST_DAY: Final = datetime.date.max.toordinal() - _EPOCH
_TWO: Final = tuple([f"{number:02}" for number in range(60)])

_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
_FORMATS: Final = (
    re.compile(rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{1,2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    re.compile(rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def parse_http_date(value: str | None) -> int | None:
    """Return whole seconds since the epoch, or None for a text that is no date: such a condition is ignored (§13.1.3).

    A two-digit year is of 1970 to 2069: the rule of §5.6.7 (at most 50 years ahead) needs a clock. WinSCP writes the
    first nine days of a month with one digit.
    """
    if value is None:
        return None
    match = next((found for form in _FORMATS if (found := form.fullmatch(value))), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        day = datetime.date(year, _MONTHS.index(match["month"]) + 1, int(match["day"])).toordinal() - _EPOCH
    except ValueError:
        return None
    return day * _DAY + int(match["hour"]) * 3600 + int(match["minute"]) * 60 + int(match["second"])


def render_http_date(seconds: int) -> str:
    """Return the IMF-fixdate of whole seconds since the epoch; beyond the years 1 to 9999, their ends."""
    day, time = divmod(seconds, _DAY)
    return f"{_imf_day(day)}{_time(time)} GMT"


def render_iso_date(seconds: int) -> str:
    """Return the RFC 3339 form in UTC of whole seconds since the epoch; beyond the years 1 to 9999, their ends."""
    day, time = divmod(seconds, _DAY)
    return f"{_iso_day(day)}{_time(time)}Z"


def _time(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{_TWO[hours]}:{_TWO[minutes]}:{_TWO[seconds]}"


def _date(day: int) -> datetime.date:
    return datetime.date.fromordinal(min(max(day, _FIRST_DAY), _LAST_DAY) + _EPOCH)


@lru_cache(maxsize=4096)  # the days of eleven years: dates are most of the cost of a listing
def _imf_day(day: int) -> str:
    date = _date(day)
    return f"{_DAYS[date.weekday()]}, {_TWO[date.day]} {_MONTHS[date.month - 1]} {date.year:04} "


@lru_cache(maxsize=4096)
def _iso_day(day: int) -> str:
    return f"{_date(day).isoformat()}T"
