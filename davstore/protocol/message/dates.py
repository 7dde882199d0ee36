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
            "marr meit dubh",  # not March, May and April, but other months in Finnish, Irish and Gaelic
            "jan gen ene janv sty led sij oca янв яну јан січ сту ιαν",
            "feb fev febr fevr lut uno vel sub фев феб лют φεβ",
            "mar mrz mrt maer marz bre ozu мар бер сак μαρ",
            "apr abr avr kwi dub tra nis апр кві кра απρ",
            "may mai mag mei maj maio mayo kve svi маи мая мај тра μαι",
            "jun giu juin juni cze cvn cerven cervna lipan lipnj haz июн юни јун чер чэр ιουν",
            "jul lug juil juli cvc cervenec cervence lipie lipc srpan srpnj tem июл юли јул лип ліп ιουλ",
            "aug ago aou aout avg sie srpen srpna kol agu авг сер жні αυγ",
            "sep set sept wrz zar ruj eyl сен сеп вер σεπ",
            "oct okt ott out paz rij eki окт жов кас οκτ",
            "nov listopadu stu kas ноя ное нов лис ліс νοε",
            "dec dez dic des gru pro ara дек дец гру сне δεκ",
        )
    )
    for name in names.split()
}
"""The numbers of months by the beginnings of their names, in small letters without marks; the longest one counts.

`lip`, `lis` and `srp` are not here: they are of one month in Polish or Czech and of another in Croatian.
"""
_ZONES: Final = {
    name: hours
    for hours, names in (
        *((0, "WET"), (1, "WEST BST CET MET MEZ"), (2, "CEST MEST MESZ EET SAST"), (3, "EEST"), (4, "MSD")),
        *((8, "AWST HKT"), (9, "JST"), (10, "AEST"), (11, "AEDT"), (12, "NZST"), (13, "NZDT")),
        *((-10, "HST"), (-9, "AKST"), (-8, "AKDT")),
    )
    for name in names.split()
}
"""The hours of zones that RFC 5322 does not name, as long as they meant the same wherever and whenever mail was sent.

`IST` is of India, Ireland and Israel, `KST` of two Koreas, and `MSK` was another hour from 2011 to 2014.
"""
_USUAL: Final = re.compile(
    r"\s*(?:[A-Za-z]{3},)?\s{0,9}(\d{1,2})\s{1,9}([A-Za-z]{3})\s{1,9}(\d{4})\s{1,9}(\d\d?):(\d\d)(?::(\d\d))?"
    r"\s{1,9}([+-])(\d\d)(\d\d)(?:\s|$)",
    re.ASCII,
)
_TIME: Final = r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?:[.,]\d{1,9})?\s{0,9}(?:([+-])(\d\d):?(\d\d))?"
_LOCAL: Final = re.compile(
    rf"(?<!\d)(\d{{1,2}})[ .]\s?(\d{{1,2}}|[^\W\d_]{{3,12}})[ .]{{1,3}}(\d{{4}})\D{{1,12}}{_TIME}"
)
_LATE_ZONE: Final = re.compile(r":\d\d(?:\.\d{1,9})?\s{0,9}(?:GMT|UTC)?([+-])(\d\d):?(\d\d)(?!\d)", re.IGNORECASE)
_NAMED_ZONE: Final = re.compile(rf":\d\d(?:\.\d{{1,9}})?\s{{0,9}}({'|'.join(_ZONES)})( DST)?\b")
_ISO: Final = re.compile(rf"\s{{0,9}}(\d{{4}})-(\d\d)-(\d\d)[Tt ]{_TIME}")
_HALF: Final = re.compile(
    r"(?<!\d)(0?[1-9]|1[0-2])([:.]\d\d(?:[:.]\d\d)?)\s{0,3}([AaPp]\.?[Mm]|[ΠπΜμ]\.?\s?[Μμ])(?:\.|\b)"
)
"""A time of the clock of twelve hours, in English or Greek."""


def parse_date(text: str) -> int | None:
    """Return the microseconds since the epoch, or None for what cannot be read or is not from 1970 to 2100.

    Beside the grammar: missing parts and zones (UTC), asctime, the names of months in many languages and of some more
    zones, numeric months in the order of day, month and year, and RFC 3339. Two numbers with a slash between are not
    guessed at, nor is a name that is of two months.
    """
    text = text[:256]
    if usual := _USUAL.match(text):
        day, name, year, hour, minute, second, sign, zone_hours, zone_minutes = usual.groups()
        if month := _MONTHS.get(name.lower()):
            return _moment((year, month, day), (hour, minute, second), _offset(sign, zone_hours, zone_minutes))
    if iso := _ISO.match(text):
        found = iso.groups()
        return _moment(found[:3], found[3:6], _offset(*found[6:]) or _late_zone(text))
    return _loosely(text)


def _loosely(text: str) -> int | None:
    if half := _HALF.search(text):
        hour = int(half[1]) % 12 + (12 if half[3][0] in "PpΜμ" else 0)
        return parse_date(f"{text[: half.start()]}{hour:02}{half[2]}{text[half.end() :]}")
    try:
        parsed = parsedate_tz(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        parsed = None
    if parsed is not None:
        return _moment(parsed[:3], parsed[3:6], parsed[9] or _late_zone(text))
    if (local := _LOCAL.search(text)) and (month := _month(local[2])):
        found = local.groups()
        return _moment((local[3], month, local[1]), found[3:6], _offset(*found[6:]) or _late_zone(text))
    return None


def _month(word: str) -> int | None:
    if word.isdigit():
        return int(word)
    marked = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(letter for letter in marked if not unicodedata.combining(letter))
    beginnings = (plain[:length] for length in range(len(plain), 2, -1))
    return next((_MONTHS[one] for one in beginnings if one in _MONTHS), None)


def _late_zone(text: str) -> int:
    """Return a zone that the library takes for an unknown name: `+02:00`, `GMT+0200`, `CET`.

    Of a name that is not known nothing is known (RFC 5322 §4.3): it is UTC.
    """
    if late := _LATE_ZONE.search(text):
        return _offset(*late.groups())
    if named := _NAMED_ZONE.search(text):
        return (_ZONES[named[1]] + bool(named[2])) * 3600
    return 0


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
