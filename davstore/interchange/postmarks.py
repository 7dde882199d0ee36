"""The postmark of mbox: the line that begins a message, `From `, a sender and a date (RFC 4155, app. A)."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

MOST_BYTES: Final = 1_000
"""The longest line that is looked at."""
SENDER: Final = b"davstore-export"
"""The sender in the postmarks of an export: states lie in front of its messages, which `mbox` takes off again."""

_ENGLISH: Final = [b"", b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"]
_DAYS: Final = b"Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_NAMED: Final = b"|".join(_ENGLISH[1:])
_ZONE: Final = rb"(?:[+-]\d{4}|[A-Z]{2,5}(?: DST)?)"
_TIME: Final = rb"(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?"
_UNIX: Final = re.compile(
    rb"From (?:[^\r\n]* )?(?:" + _DAYS + rb") +(?P<mon>" + _NAMED + rb") +(?P<day>\d{1,2}) +" + _TIME
    + rb"(?: +(?P<z1>" + _ZONE + rb"))? +(?P<y>\d{4})(?: +(?P<z2>" + _ZONE + rb"))?(?: remote from [^\r\n]*)?\s*"
)  # fmt: skip
_MAIL: Final = re.compile(
    rb"From (?:[^\r\n]* )?(?:(?:" + _DAYS + rb"),? +)?(?P<day>\d{1,2})[ -](?P<mon>" + _NAMED
    + rb")[ -](?P<y>\d{4}) +" + _TIME + rb"(?: +(?P<z1>" + _ZONE + rb"))?(?P<z2>)\s*"
)  # fmt: skip
_CUT: Final = re.compile(rb"From (?:\S*|\S+ +(?:[MTWFS][a-z]{0,2}|(?:" + _DAYS + rb"),? [^\r\n]*)?)")
"""A sender without blanks or some of it, and some of a date behind it."""


def _match(line: bytes) -> re.Match[bytes] | None:
    if len(line) > MOST_BYTES or not line.startswith(b"From "):
        return None
    return _UNIX.fullmatch(line) or _MAIL.fullmatch(line)


def is_postmark(line: bytes) -> bool:
    """Tell whether a line begins a message: without a date it is a sentence of one."""
    return _match(line) is not None


def may_be_cut(line: bytes) -> bool:
    """Tell whether a line may be the beginning of a postmark whose end is missing."""
    return _CUT.fullmatch(line) is not None


def is_ours(line: bytes) -> bool:
    """Tell whether a postmark was written by an export of davstore."""
    return line.startswith(b"From " + SENDER + b" ")


def find_time(line: bytes) -> int | None:
    """Return the time of a postmark in microseconds since the epoch; UTC, where it has no zone in numbers."""
    match = _match(line)
    if match is None:
        return None
    year, day, hour, minute = (int(match[name]) for name in ("y", "day", "h", "m"))
    month, second = _ENGLISH.index(match["mon"]), min(int(match["s"] or 0), 59)
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    zone = match["z2"] or match["z1"] or b""
    if zone[:1] in (b"+", b"-"):
        seconds = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
        at -= -seconds if zone.startswith(b"-") else seconds
    return int(at) * 1_000_000


def render_postmark(modified_us: int) -> bytes:
    """Return the postmark of an exported message."""
    at = time.gmtime(modified_us // 1_000_000)
    days = _DAYS.split(b"|")
    return b"From %s %s %s %2d %02d:%02d:%02d %04d\n" % (
        SENDER, days[at.tm_wday], _ENGLISH[at.tm_mon], at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, at.tm_year,
    )  # fmt: skip
