"""Dates of mail: those of RFC 5322 §3.3 and §4.3, and what senders write in their place."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence
from email.utils import parsedate_tz
from typing import Any, Final

_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            *("jan gen ene janv", "feb fev febr fevr", "mar mrz mrt maer marz", "apr abr avr"),
            *("may mai mag mei maj maio mayo", "jun giu juin juni", "jul lug juil juli", "aug ago aou aout"),
            *("sep set sept", "oct okt ott out", "nov", "dec dez dic des"),
        ),
        1,
    )
    for name in names.split()
}
_USUAL: Final = re.compile(
    r"\s*(?:[A-Za-z]{3},)?\s{0,9}(\d{1,2})\s{1,9}([A-Za-z]{3})\s{1,9}(\d{4})\s{1,9}(\d\d?):(\d\d)(?::(\d\d))?"
    r"\s{1,9}([+-])(\d\d)(\d\d)(?:\s|$)",
    re.ASCII,
)
_TIME: Final = r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?:[.,]\d{1,9})?\s{0,9}(?:([+-])(\d\d):?(\d\d))?"
_LOCAL: Final = re.compile(
    rf"(?<!\d)(\d{{1,2}})[ .]\s?(\d{{1,2}}|[^\W\d_]{{3,10}})[ .]{{1,3}}(\d{{4}})\D{{1,9}}{_TIME}"
)
_LATE_ZONE: Final = re.compile(r":\d\d(?:\.\d{1,9})?\s{0,9}(?:GMT|UTC)?([+-])(\d\d):?(\d\d)(?!\d)", re.IGNORECASE)
_ISO: Final = re.compile(rf"\s{{0,9}}(\d{{4}})-(\d\d)-(\d\d)[Tt ]{_TIME}")
_HALF: Final = re.compile(r"(?<!\d)(0?[1-9]|1[0-2])([:.]\d\d(?:[:.]\d\d)?)\s{0,3}([AaPp])\.?[Mm](?:\.|\b)")
"""A time of the clock of twelve hours."""


def parse_date(text: str) -> int | None:
    """Return the microseconds since the epoch, or None for what cannot be read or is not from 1970 to 2100.

    Beside the grammar: missing parts and zones (UTC), asctime, the names of months in some more languages, numeric
    months in the order of day, month and year, and RFC 3339. Two numbers with a slash between are not guessed at.
    """
    text = text[:256]
    if usual := _USUAL.match(text):
        day, name, year, hour, minute, second, sign, zone_hours, zone_minutes = usual.groups()
        if month := _MONTHS.get(name.lower()):
            return _moment((year, month, day), (hour, minute, second), _offset(sign, zone_hours, zone_minutes))
    if iso := _ISO.match(text):
        found = iso.groups()
        return _moment(found[:3], found[3:6], _offset(*found[6:]))
    return _loosely(text)


def _loosely(text: str) -> int | None:
    if half := _HALF.search(text):
        hour = int(half[1]) % 12 + (12 if half[3] in "Pp" else 0)
        return parse_date(f"{text[: half.start()]}{hour:02}{half[2]}{text[half.end() :]}")
    try:
        parsed = parsedate_tz(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        parsed = None
    if parsed is not None:
        zone = parsed[9] or 0  # of a name that is not known nothing is known (RFC 5322 §4.3)
        if not zone and (late := _LATE_ZONE.search(text)):  # `+02:00`, `GMT+0200`: the library takes them for names
            zone = _offset(*late.groups())
        return _moment(parsed[:3], parsed[3:6], zone)
    if (local := _LOCAL.search(text)) and (month := _month(local[2])):
        found = local.groups()
        return _moment((local[3], month, local[1]), found[3:6], _offset(*found[6:]))
    return None


def _month(word: str) -> int | None:
    if word.isdigit():
        return int(word)
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower()
    return _MONTHS.get(plain[:4]) or _MONTHS.get(plain[:3])


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> int:
    """Return a zone in seconds."""
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60) * (-1 if sign == "-" else 1)


def _moment(date: Sequence[Any], time: Sequence[Any], offset: int) -> int | None:
    """Return the microseconds of a date and a time of day, in numbers or as they were written."""
    year, month, day = (int(one) for one in date)
    year += 1900 if year < 1000 else 0  # §4.3: of three digits, and so of `0102`, which clocks of 2002 wrote
    hour, minute, second = (int(one or 0) for one in time)
    if not (1970 <= year < 2100 and 1 <= month <= 12 and hour <= 24 and minute < 60 and second <= 60):
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH
    except ValueError:  # 31 February is no day, and not one of March
        return None
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000 if seconds >= 0 else None
