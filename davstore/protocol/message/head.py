"""Header blocks (RFC 5322 §2.2): their fields as they stand, and where the body begins."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

Fields = dict[bytes, list[bytes]]
"""Names in lower case to raw values, with their folds, in the order of the block."""

_FIELD: Final = re.compile(rb"^(?:([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*+)|(?!\r?$)[^\n]+)", re.MULTILINE)
"""A field, or a line that is none, which has no name."""
_JUNK: Final = re.compile(rb"^(?![ \t]|\r?$|[!-9;-~]+[ \t]*:)", re.MULTILINE)
_KNOWN: Final = re.compile(
    rb"^(?:content-[a-z-]+|mime-version|from|to|cc|subject|date|message-id|received|references|in-reply-to|reply-to|"
    rb"return-path|sender|conversation-id|contribution-id)[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)
_POSTMARK: Final = re.compile(rb"(?:>?From (?![ \t]*:)[^\n]{0,998}\n){0,2}")


class Head(NamedTuple):
    """The fields of a block, and where the body begins."""

    fields: Fields
    body: int


def skip_postmark(data: bytes, start: int) -> int:
    """Return where the block at start begins behind the postmarks that an mbox or a relay has put there."""
    found = _POSTMARK.match(data, start)
    return found.end() if found else start


def find_blank(data: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """Return the ends of the fields and of the blank line behind them, of the block at start; None: there is none."""
    for blank in (b"\n", b"\r\n"):
        if data.startswith(blank, start, stop):
            return start, start + len(blank)
    first = data.find(b"\n", start, stop)
    if first < 0:
        return None
    usual, other = (b"\n\r\n", b"\n\n") if data[first - 1 : first] == b"\r" else (b"\n\n", b"\n\r\n")
    found = data.find(usual, first, stop)
    earlier = data.find(other, first, stop if found < 0 else min(stop, found + len(other)))
    if earlier >= 0:
        found, usual = earlier, other
    return (found + 1, found + len(usual)) if found >= 0 else None


def read_head(data: bytes, start: int, stop: int, body: int) -> Head:
    """Read the fields between start and stop, behind which the body begins.

    A line that is no field is passed over where fields that mail has still follow, as relays and filters leave such
    lines; else the blank line is missing, and the body begins with that line.
    """
    block = data[start:stop]
    fields = _read_fields(block)
    if b"" in fields:
        last = max((it.end() for it in _KNOWN.finditer(block)), default=0)
        if junk := _JUNK.search(block, last):
            end = junk.start() if last else 0
            body = start + end
            fields = _read_fields(block[:end])
        fields.pop(b"", None)
    return Head(fields, body)


def _read_fields(block: bytes) -> Fields:
    fields: Fields = {}
    for name, value in _FIELD.findall(block):
        key = name.lower()
        if key in fields:
            fields[key].append(value)
        else:
            fields[key] = [value]
    return fields
