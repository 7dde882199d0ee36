"""The timestamps of RFC 3339, as the objects of message stores have them."""

from __future__ import annotations

import datetime
import re
from typing import Final

from davstore.protocol.http.dates import render_iso_date

_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,30}))?\s*(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


def render_timestamp(time_us: int) -> str:
    """Return the RFC 3339 form in UTC of microseconds since the epoch, to six digits where these are needed."""
    seconds, rest_us = divmod(time_us, 1_000_000)
    text = render_iso_date(seconds)
    return f"{text[:-1]}.{rest_us:06}Z" if rest_us else text


def parse_timestamp(text: str) -> int | None:
    """Return the microseconds since the epoch, or None for what is no timestamp (RFC 3339 §5.6).

    Second 60 is the second after it. Leniently, a blank may stand in the place of `T`, the colon of the zone may be
    missing, and without a zone the time is UTC.
    """
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        return None
    day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = found.groups()
    if max(int(hour), int(zone_hours or 0)) > 23 or max(int(minute), int(zone_minutes or 0)) > 59 or int(second) > 60:
        return None
    offset = datetime.timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
    time = datetime.timedelta(hours=int(hour), minutes=int(minute), seconds=int(second))
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00") + (time + offset * (1 if sign == "-" else -1))
    except (ValueError, OverflowError):
        return None
    return (moment - _EPOCH) // _MICROSECOND + int((fraction or "")[:6].ljust(6, "0"))
