"""Durations (ISO 8601, as xsd:dayTimeDuration spells them): `P30D`, `PT15M`."""

from __future__ import annotations

import re
from typing import Final

MAX_SECONDS: Final = 100 * 366 * 86_400
_N: Final = "([0-9]{1,10})"
_DURATION: Final = re.compile(f"P(?:{_N}W|(?:{_N}D)?(?:T(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?)")
_UNITS: Final = (7 * 86_400, 86_400, 3_600, 60, 1)


def parse_duration(text: str) -> int | None:
    """Return the seconds of a duration in whole weeks, days, hours, minutes and seconds; None: it is none.

    Years and months have no length. One of more than a hundred years is none.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or text.strip().endswith("T") or not any(match.groups()):
        return None
    seconds = sum(unit * int(count or 0) for unit, count in zip(_UNITS, match.groups(), strict=True))
    return seconds if seconds <= MAX_SECONDS else None


def render_duration(seconds: int) -> str:
    """Return a duration as text, in the largest units."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    time = "".join([f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if count])
    if not days and not time:
        return "PT0S"
    return f"P{f'{days}D' if days else ''}{f'T{time}' if time else ''}"
