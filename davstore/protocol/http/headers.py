"""Small request headers: Depth, Overwrite, Content-Length, entity tags (RFC 4918 §10, RFC 9110).

Header text is Latin-1, as WSGI has it. Ranges, dates, If, Authorization and Sync-Context have modules of their own.
"""

from __future__ import annotations

import re
from typing import Final

from davstore.errors import Malformed, TooLarge
from davstore.model.conditions import ETagList

_MEMBER: Final = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|\Z)|[^,]*(?:,|\Z))')
"""An entity tag, or another member in the place of one."""
_STRONG: Final = re.compile(r'"([\x21\x23-\x7e\x80-\xff]*)"')
_DIGITS: Final = re.compile(r"[0-9]+")
_MAX_NUMBER: Final = 2**63 - 1


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
    length = number(value)
    if length >= _MAX_NUMBER:
        raise TooLarge("Content-Length beyond all stores")
    return length


def parse_etags(value: str | None) -> ETagList | None:
    """Return the value of If-Match or If-None-Match, None without the header (RFC 9110 §8.8.3, §13.1.1, §13.1.2).

    A member of the list that is no entity tag equals none, and so does a header without any: there
    are clients that send a name of their own without quotes, and were refused each write.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if text == "*":
        return ETagList(any=True)
    only = _STRONG.fullmatch(text)
    if only is not None:  # as nearly all are
        return ETagList(any=False, strong=frozenset((only[1],)))
    tags: tuple[set[str], set[str]] = (set(), set())
    for member in _MEMBER.finditer(text):
        if member[2] is not None:
            tags[member[1] is not None].add(member[2])
    return ETagList(any=False, strong=frozenset(tags[0]), weak=frozenset(tags[1]))


def number(digits: str) -> int:
    """Return the number, at most 2**63 - 1: `int` refuses thousands of digits."""
    significant = digits.lstrip("0")
    return min(int(significant or "0"), _MAX_NUMBER) if len(significant) <= 19 else _MAX_NUMBER
