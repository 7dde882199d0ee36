"""Durations of ISO 8601: weeks, days, hours, minutes and seconds. Months and years have no fixed length."""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W|(?:([0-9]{1,9})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?)"
)
_SECONDS: Final = (7 * 86_400, 86_400, 3_600, 60, 1)


def find_seconds(text: str) -> int | None:
    """Return the seconds of a duration such as `PT15M` or `P30D`, None for any other text."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    return sum(int(count or 0) * seconds for count, seconds in zip(found.groups(), _SECONDS, strict=True))


def render(seconds: int) -> str:
    """Return seconds as a duration of days, hours, minutes and seconds."""
    if not seconds:
        return "PT0S"
    day, rest = divmod(seconds, 86_400)
    minute, second = divmod(rest, 60)
    clock = "".join(
        f"{count}{letter}" for count, letter in ((minute // 60, "H"), (minute % 60, "M"), (second, "S")) if count
    )
    return f"P{f'{day}D' if day else ''}{f'T{clock}' if clock else ''}"
