"""Range and If-Range (RFC 9110 §13.1.5, §14)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from davstore.errors import RangeNotSatisfiable
from davstore.protocol.http.dates import parse_http_date
from davstore.protocol.http.headers import number

MAX_RANGES: Final = 16
"""Players and resumed downloads ask for one or two ranges; hundreds were an attack (CVE-2011-3192)."""

_UNIT: Final = re.compile(r"bytes=", re.IGNORECASE)
_SPEC: Final = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))")


class ByteRange(NamedTuple):
    """The bytes from start up to, not including, stop: never empty."""

    start: int
    stop: int


def parse_ranges(value: str | None, *, length: int) -> list[ByteRange] | None:
    """Return the ranges of a resource of length bytes, or None to answer with all of it (RFC 9110 §14.1.2, §14.2).

    Those that overlap or touch are one; the order is that of the request (§15.3.7.2). None is for headers that the RFC
    lets a server ignore: other units, broken ranges, more than 16, and any range of nothing, which no Content-Range
    could name.

    Raises:
        RangeNotSatisfiable: no byte lies in any of the ranges.
    """
    unit = None if value is None or length == 0 else _UNIT.match(value.strip(" \t"))
    if unit is None or value is None:
        return None
    specs = [spec for part in value.strip(" \t")[unit.end() :].split(",") if (spec := part.strip(" \t"))]
    if not 0 < len(specs) <= MAX_RANGES:
        return None
    asked: list[ByteRange] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or (match[2] and number(match[1]) > number(match[2])):
            return None
        found = _range(match, length)
        if found.start < found.stop:
            asked.append(found)
    if not asked:
        raise RangeNotSatisfiable(length)
    return _merged(asked)


def _range(match: re.Match[str], length: int) -> ByteRange:
    first, last, suffix = match.groups()
    if suffix is not None:
        return ByteRange(max(length - number(suffix), 0), length)
    return ByteRange(number(first), min(number(last) + 1, length) if last else length)


def _merged(asked: list[ByteRange]) -> list[ByteRange]:
    """Join ranges that overlap or touch; each stands where the first of its parts was asked for."""
    merged: list[tuple[int, ByteRange]] = []
    for place, one in sorted(enumerate(asked), key=lambda item: item[1]):
        if merged and one.start <= merged[-1][1].stop:
            first, before = merged.pop()
            merged.append((min(first, place), ByteRange(before.start, max(before.stop, one.stop))))
        else:
            merged.append((place, one))
    return [one for _, one in sorted(merged)]


def range_applies(if_range: str | None, *, etag: str | None, modified: int | None = None) -> bool:
    """Tell whether the Range header counts, by If-Range: its tag or its date must be the resource's (RFC 9110 §13.1.5).

    Only strong validators count. So modified, in whole seconds, is None where that second may be another
    representation's too.
    """
    if if_range is None:
        return True
    wanted = if_range.strip(" \t")
    if etag is not None and wanted == f'"{etag}"':
        return True
    return modified is not None and parse_http_date(wanted) == modified
