"""Text of others on a person's terminal: nothing in it commands the terminal, and columns stand below each other."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import Final

_JOINERS: Final = "\u200c\u200d"
"""Characters of format without which some scripts and pictures are others; the rest of them is left out."""
_BREAKS: Final = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def as_line(text: str) -> str:
    """Return text in one line of printable characters."""
    return " ".join(as_text(text).split())


def as_text(text: str) -> str:
    """Return text with no other control characters than tabs and line feeds."""
    return "".join(map(_shown, text.replace("\r\n", "\n").replace("\r", "\n")))


def _shown(mark: str) -> str:
    if mark.isprintable() or mark in "\n\t" or mark in _JOINERS:
        return mark
    if mark in _BREAKS:
        return "\n"
    kind = unicodedata.category(mark)
    return {"Zs": " ", "Cf": ""}.get(kind, "\ufffd")


def measure(text: str) -> int:
    """Return how many columns a line takes: two for a wide character, none for one that joins others."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(mark: str) -> int:
    if unicodedata.east_asian_width(mark) in "WF":
        return 2
    return 0 if unicodedata.category(mark) in ("Mn", "Me", "Cf") else 1


def fit(text: str, columns: int) -> str:
    """Return a line that takes so many columns: padded, or cut with an ellipsis."""
    size = measure(text)
    if size <= columns:
        return text + " " * (columns - size)
    kept, used = [], 0
    for mark in text:
        used += _columns(mark)
        if used > columns - 1:
            used -= _columns(mark)
            break
        kept.append(mark)
    return "".join(kept) + "…" + " " * (columns - 1 - used)


def share(columns: int, wanted: Sequence[int], least: int) -> list[int]:
    """Return how many columns each of some texts gets: what it wants, or its share of what there is."""
    room, given = columns, list(wanted)
    for left, index in zip(range(len(wanted), 0, -1), sorted(range(len(wanted)), key=wanted.__getitem__), strict=True):
        given[index] = max(least, min(wanted[index], room // left))
        room -= given[index]
    return given


def is_terminal() -> bool:
    """Tell whether a person sees what is printed."""
    return sys.stdout.isatty()
