"""Lines of a message that look like a postmark: mboxrd puts a `>` in front of them, and takes one off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from davstore.errors import Malformed
from davstore.interchange.items import Stream

MOST_LINE_BYTES: Final = 1 << 22
"""The most `>` at the beginning of a line that are counted: they wait in memory."""

_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_LIKE: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_BEGIN: Final = re.compile(rb"(?:^|\n)(>*(?:F(?:r(?:om?)?)?)?)\Z")
"""The beginning of a line at the end of a block that may become one of those."""


def unquote(content: bytes) -> bytes:
    """Return a whole message without the quotes."""
    return _QUOTED.sub(rb"\1", content) if b">From " in content else content


def each_quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a message with quotes."""
    yield from _each(pieces, _LIKE, rb">\1")


def _each(pieces: Iterable[bytes], pattern: re.Pattern[bytes], by: bytes) -> Iterator[bytes]:
    """Yield pieces with a pattern replaced that stands at the beginning of lines, also where it lies in two pieces."""
    kept, at_line = b"", True
    for piece in pieces:
        block = kept + piece
        begin = _BEGIN.search(block, max(block.rfind(b"\n"), 0))
        cut = len(block) if begin is None or (begin.start(1) == 0 and not at_line) else begin.start(1)
        kept, block = block[cut:], block[:cut]
        if len(kept) > MOST_LINE_BYTES:
            raise Malformed("a line with too many quotes")
        if block:
            yield _replaced(block, pattern, by, at_line=at_line)
            at_line = block.endswith(b"\n")
    if kept:
        yield _replaced(kept, pattern, by, at_line=at_line)


def _replaced(block: bytes, pattern: re.Pattern[bytes], by: bytes, *, at_line: bool) -> bytes:
    if b"From " not in block:
        return block
    if at_line:
        return pattern.sub(by, block)
    first = block.find(b"\n") + 1
    return block[:first] + pattern.sub(by, block[first:]) if first else block


class Unquoted:
    """A stream without the quotes of another."""

    def __init__(self, stream: Stream, block_bytes: int) -> None:
        pieces = iter(lambda: stream.read(block_bytes), b"")
        self._pieces = _each(pieces, _QUOTED, rb"\1")
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
