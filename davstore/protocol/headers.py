"""Small request headers: Depth, Overwrite, Content-Length, entity tags, Range (RFC 4918 §10, RFC 9110).

Header text is Latin-1, as WSGI has it. Dates, If, Authorization and Sync-Context have modules of their own.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from davstore.errors import Malformed, RangeNotSatisfiable, TooLarge
from davstore.model.conditions import ETagList

_ETAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST_END: Final = re.compile(r"[ \t]*(?:,[ \t,]*|\Z)")
_DIGITS: Final = re.compile(r"[0-9]+")
_RANGE: Final = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.IGNORECASE)
_MAX_NUMBER: Final = 2**63 - 1


class ByteRange(NamedTuple):
    """The bytes from start up to, not including, stop: never empty."""

    start: int
    stop: int


def parse_depth(value: str | None, *, default: int | None) -> int | None:
    """Return 0, 1, or None for infinity (RFC 4918 §10.2); default without the header. Raises Malformed."""
    if value is None:
        return default
    depths = {"0": 0, "1": 1, "infinity": None}
    try:
        return depths[value.strip(" \t").lower()]
    except KeyError as cause:
        raise Malformed("Depth is not 0, 1 or infinity") from cause


def parse_overwrite(value: str | None) -> bool:
    """Tell whether an existing destination may be replaced: yes without the header (RFC 4918 §10.6).

    Raises:
        Malformed: neither T nor F.
    """
    word = "T" if value is None else value.strip(" \t").upper()
    if word not in ("T", "F"):
        raise Malformed("Overwrite is not T or F")
    return word == "T"


def parse_content_length(value: str | None) -> int | None:
    """Return the announced length in bytes, None without the header (RFC 9110 §8.6).

    Raises:
        Malformed: anything but digits.
        TooLarge: more than any store can hold.
    """
    if value is None:
        return None
    if _DIGITS.fullmatch(value) is None:
        raise Malformed("Content-Length is not a number")
    length = _number(value)
    if length >= _MAX_NUMBER:
        raise TooLarge("Content-Length beyond all stores")
    return length


def parse_etags(value: str | None) -> ETagList | None:
    """Return the value of If-Match or If-None-Match, None without the header (RFC 9110 §8.8.3, §13.1.1, §13.1.2).

    Raises:
        Malformed: not `*` and not a list of quoted entity tags.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if text == "*":
        return ETagList(any=True)
    text = text.lstrip(" \t,")
    tags: tuple[set[str], set[str]] = (set(), set())
    position = 0
    while position < len(text):
        tag = _ETAG.match(text, position)
        end = _LIST_END.match(text, tag.end()) if tag else None
        if tag is None or end is None:
            raise Malformed("not a list of entity tags")
        tags[tag[1] is not None].add(tag[2])
        position = end.end()
    if not position:
        raise Malformed("an empty list of entity tags")
    return ETagList(any=False, strong=frozenset(tags[0]), weak=frozenset(tags[1]))


def parse_range(value: str | None, *, length: int) -> ByteRange | None:
    """Return the one range of a resource of length bytes, or None to answer with all of it (RFC 9110 §14.1.2, §14.2).

    None too for what the RFC lets a server ignore: other units, broken ranges, more than one range, and any range of
    nothing, which no Content-Range could name.

    Raises:
        RangeNotSatisfiable: no byte lies in the range.
    """
    match = None if value is None or length == 0 else _RANGE.fullmatch(value.strip(" \t"))
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(length - _number(suffix), 0), length
    else:
        start, stop = _number(first), _number(last) + 1 if last else length
        if last and start >= stop:
            return None
        stop = min(stop, length)
    if start >= length:
        raise RangeNotSatisfiable(length)
    return ByteRange(start, stop)


def range_applies(if_range: str | None, *, etag: str | None) -> bool:
    """Tell whether the Range header counts, by If-Range (RFC 9110 §13.1.5): its tag must be etag, strongly.

    A date never counts: it is a strong validator only for one who knows when the answer was made (§8.8.2.2).
    """
    return if_range is None or (etag is not None and if_range.strip(" \t") == f'"{etag}"')


def _number(digits: str) -> int:
    """Return the number, at most 2**63 - 1: `int` refuses thousands of digits."""
    significant = digits.lstrip("0")
    return min(int(significant or "0"), _MAX_NUMBER) if len(significant) <= 19 else _MAX_NUMBER
