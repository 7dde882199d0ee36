"""The preview of a message: the beginning of its text in one line."""

from __future__ import annotations

from typing import Any, Final

from davstore.model.messages import PREVIEW_CHARACTERS
from davstore.protocol.message.html_text import HIDDEN, gather_text
from davstore.protocol.message.words import decode_bytes, one_line

_SPACED: Final = frozenset(
    {"p", "div", "br", "td", "th", "tr", "table", "li", "ul", "ol", "dt", "dd", "hr", "pre", "blockquote"}
    | {f"h{level}" for level in range(1, 7)}
)
_ENOUGH: Final = 2 * PREVIEW_CHARACTERS
"""Characters of a text that are looked at first: some of them are blanks."""


def make_preview(content: bytes, charset: str | None, *, is_html: bool, is_cut: bool) -> str | None:
    """Return the first characters of a text, or of its beginning (is_cut); None: it has none."""
    text = decode_bytes(content, charset, is_cut=is_cut)
    if is_html:
        text = gather_text(text, _Shown(), _ENOUGH)
    line = one_line(" ".join(text[:_ENOUGH].split()))
    if line is None or len(line) < PREVIEW_CHARACTERS:
        line = one_line(" ".join(text.split()))
    return line[:PREVIEW_CHARACTERS].rstrip() if line else None


class _Shown:
    """The target of a parser: gathers the text that a reader sees."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self._hidden = 0

    def start(self, tag: str, _attributes: Any) -> None:
        if tag in HIDDEN:
            self._hidden += 1
        elif tag in _SPACED:
            self.pieces.append(" ")

    def end(self, tag: str) -> None:
        if tag in HIDDEN:
            self._hidden -= 1
        elif tag in _SPACED:
            self.pieces.append(" ")

    def data(self, text: str) -> None:
        if self._hidden > 0:
            return
        if text.isspace():  # a character reference, or blanks between two elements, that still part two words
            self.pieces.append(" ")
        else:
            self.pieces.append(text)
            self.length += len(text)

    def close(self) -> str:
        return "".join(self.pieces)
