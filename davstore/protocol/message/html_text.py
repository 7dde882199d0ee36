"""HTML as the text that a reader sees."""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

HIDDEN: Final = frozenset({"head", "style", "script", "title", "template", "noscript"})
"""Elements whose text no reader sees."""
_APART: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "pre", "hr"})
"""Elements with an empty line around them."""
_LINES: Final = frozenset({"div", "tr", "li", "dt", "dd"})
_CELLS: Final = frozenset({"td", "th"})
_BLANKS: Final = re.compile(r"[ \t\r\n\f\xa0]+")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")
_PIECE: Final = 1024
"""Characters of HTML between two looks at the text so far."""


class _Lines:
    """The target of a parser: gathers text, and writes the breaks in front of it when it comes."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._hidden = 0
        self._preformatted = 0
        self._breaks = 0
        self._bullet = ""

    def start(self, tag: str, _attributes: Any) -> None:
        self._hidden += tag in HIDDEN
        self._preformatted += tag == "pre"
        self._breaks += tag == "br"
        self._break(tag)
        if tag == "li":
            self._bullet = "- "

    def end(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        self._preformatted -= tag == "pre"
        self._break(tag)

    def _break(self, tag: str) -> None:
        if tag in _CELLS:
            self.data(" ")
        self._breaks = max(self._breaks, 2 if tag in _APART else 1 if tag in _LINES else 0)

    def data(self, text: str) -> None:
        if self._hidden > 0:
            return
        if not self._preformatted:
            text = _BLANKS.sub(" ", text)
        if text.strip():
            self._pieces.append("\n" * self._breaks + self._bullet)
            self._breaks, self._bullet = 0, ""
        if not self._breaks:
            self._pieces.append(text)

    def close(self) -> str:
        lines = "".join(self._pieces).split("\n")
        return _EMPTY_LINES.sub("\n\n", "\n".join(map(str.strip, lines))).strip("\n")


def text_of_html(html: str) -> str:
    """Return the text of an HTML document in lines, without what is hidden; nothing is fetched."""
    return gather_text(html, _Lines())


def gather_text(html: str, target: Any, enough: int | None = None) -> str:
    """Return what the target of a parser makes of an HTML document, or of its beginning.

    The rest is not read once the `length` of the target is more than enough.
    """
    parser: Any = etree.HTMLParser(target=target, no_network=True, huge_tree=False)
    html = html.replace("\0", " ")
    try:
        for start in range(0, len(html), _PIECE):
            parser.feed(html[start : start + _PIECE])
            if enough is not None and target.length > enough:
                break
        parser.close()
    except etree.LxmlError:
        pass  # what was gathered is text all the same
    return str(target.close())
