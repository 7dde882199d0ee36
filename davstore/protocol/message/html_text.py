"""HTML as the text that a reader sees, in lines."""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

_HIDDEN: Final = frozenset({"head", "style", "script", "title", "template", "noscript"})
_APART: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "pre", "hr"})
"""Elements with an empty line around them."""
_LINES: Final = frozenset({"br", "div", "tr", "li", "dt", "dd"})
_CELLS: Final = frozenset({"td", "th"})
_BLANKS: Final = re.compile(r"[ \t\r\n\f\xa0]+")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")
_PIECE: Final = 16 * 1024


class _Lines:
    """The target of a parser: gathers text and the breaks in it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._hidden = 0
        self._preformatted = 0

    def start(self, tag: str, _attributes: Any) -> None:
        self._hidden += tag in _HIDDEN
        self._preformatted += tag == "pre"
        self._break(tag)
        if tag == "li":
            self._pieces.append("- ")

    def end(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN
        self._preformatted -= tag == "pre"
        if tag != "br":
            self._break(tag)

    def data(self, text: str) -> None:
        if self._hidden <= 0:
            self._pieces.append(text if self._preformatted else _BLANKS.sub(" ", text))

    def _break(self, tag: str) -> None:
        if self._hidden <= 0:
            self._pieces.append("\n\n" if tag in _APART else "\n" if tag in _LINES else " " if tag in _CELLS else "")

    def close(self) -> str:
        lines = "".join(self._pieces).split("\n")
        return _EMPTY_LINES.sub("\n\n", "\n".join(line.strip() for line in lines)).strip("\n")


def text_of_html(html: str) -> str:
    """Return the text of an HTML document, without what is hidden; nothing is fetched."""
    target: Any = _Lines()
    parser: Any = etree.HTMLParser(target=target, no_network=True, huge_tree=False)
    html = html.replace("\0", " ")
    try:
        for start in range(0, len(html), _PIECE):
            parser.feed(html[start : start + _PIECE])
        parser.close()
    except etree.LxmlError:
        pass  # what was gathered is text all the same
    return str(target.close())
