"""Multipart bodies (RFC 2046 §5.1), taken apart as they come: little of them is in memory, however long they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from davstore.errors import Malformed, TooLarge

BLOCK_BYTES: Final = 1 << 16
MOST_PARTS: Final = 1_000
MOST_HEAD_BYTES: Final = 16 * 1024
"""Bytes of the header block of one part."""
_MOST_HEADS_BYTES: Final = 1 << 20
"""Bytes of the header blocks of all parts."""
_MOST_PADDING_BYTES: Final = 1_024
"""Blanks behind a boundary on its line."""
_SET: Final = re.compile(r"multipart/(?:related|mixed)[ \t]*(?:;|\Z)", re.IGNORECASE)
_BOUNDARY: Final = re.compile(r';[ \t]*boundary[ \t]*=[ \t]*(?:"([^"\\]*)"|([^\s;"]*))', re.IGNORECASE)
_LEGAL: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_END_OF_HEAD: Final = re.compile(rb"(?:\A|\n)\r?\n")
_FOLD: Final = re.compile(r"\r?\n(?=[ \t])")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*\r?", re.DOTALL)


class Source(Protocol):
    """A body that comes. read returns b'' at its end, and raises Malformed when it is cut short."""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""


class Part(NamedTuple):
    """One part: its header fields by name in lower case, the first of a name, and its content as it was sent.

    The content must be taken before the next part is: what is left of it then is passed over.
    """

    fields: Mapping[str, str]
    content: Iterator[bytes]


def is_set(content_type: str | None) -> bool:
    """Tell whether a Content-Type is that of a body of parts."""
    return content_type is not None and _SET.match(content_type) is not None


def each_part(source: Source, content_type: str) -> Iterator[Part]:
    """Yield the parts of a body, whose text before the first and behind the last boundary is passed over.

    Raises:
        Malformed: no boundary parameter, a header that cannot be read, or no closing boundary.
        TooLarge: more than 1,000 parts, a header block of more than 16 KiB, or more than 1 MiB of them together.
    """
    found = _BOUNDARY.search(content_type)
    boundary = (found[1] if found[1] is not None else found[2]) if found else ""
    if not _LEGAL.fullmatch(boundary):
        raise Malformed("a multipart without a boundary")
    return _Reader(source, boundary.encode()).each()


def render_head(boundary: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the boundary in front of a part, and its header block."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
    return f"\r\n--{boundary}\r\n{lines}\r\n".encode("latin-1")


def render_end(boundary: str) -> bytes:
    """Return the closing boundary."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


class _Reader:
    """The bytes that were read and not given: `_skipped` at their beginning are a line end of before."""

    def __init__(self, source: Source, boundary: bytes) -> None:
        self._source = source
        self._mark = b"\n--" + boundary
        self._buffer = b"\n"
        self._skipped = 1
        self._heads_bytes = 0
        self._is_over = False
        self._error: Malformed | None = None

    def each(self) -> Iterator[Part]:
        _pass_over(self._content())
        for _ in range(MOST_PARTS):
            if self._is_over:
                break
            part = Part(self._read_head(), self._content())
            yield part
            _pass_over(part.content)
            if self._error is not None:  # its taker may go on to the next part
                raise self._error
        if not self._is_over:
            raise TooLarge("more than 1,000 parts")
        while self._source.read(BLOCK_BYTES):  # the epilogue
            pass

    def _fill(self) -> bool:
        try:
            piece = self._source.read(BLOCK_BYTES)
        except Malformed as error:
            self._error = error
            raise
        self._buffer += piece
        return bool(piece)

    def _require_more(self) -> None:
        if not self._fill():
            self._error = Malformed("no closing boundary")
            raise self._error

    def _read_head(self) -> dict[str, str]:
        """Return the fields of a part, and leave the line end of the blank line, which may begin a boundary."""
        while (end := _END_OF_HEAD.search(self._buffer, 0, MOST_HEAD_BYTES)) is None:
            if len(self._buffer) > MOST_HEAD_BYTES:
                raise TooLarge("a header block of more than 16 KiB")
            self._require_more()
        head, self._buffer = self._buffer[: end.start()], b"\n" + self._buffer[end.end() :]
        self._skipped = 1
        self._heads_bytes += len(head)
        if self._heads_bytes > _MOST_HEADS_BYTES:
            raise TooLarge("header blocks of more than 1 MiB together")
        fields: dict[str, str] = {}
        for line in filter(None, _FOLD.sub("", head.decode("latin-1")).split("\n")):
            field = _FIELD.fullmatch(line)
            if field is None:
                raise Malformed("a line of a part's header that is no field")
            fields.setdefault(field[1].lower(), field[2])
        return fields

    def _content(self) -> Iterator[bytes]:
        """Yield bytes up to the next boundary, and take it away."""
        start = 0
        while True:
            at = self._buffer.find(self._mark, start)
            if at < 0:
                start = max(len(self._buffer) - len(self._mark) - 1, self._skipped)
                if start > self._skipped:
                    yield self._take(start)
                start = 0
                self._require_more()
                continue
            behind = at + len(self._mark)
            stop = self._buffer.find(b"\n", behind, behind + _MOST_PADDING_BYTES)
            is_whole = stop >= 0 or len(self._buffer) >= behind + _MOST_PADDING_BYTES or not self._fill()
            if not is_whole:
                start = at
                continue
            rest = self._buffer[behind : stop if stop >= 0 else behind + _MOST_PADDING_BYTES].strip(b" \t\r")
            if rest not in (b"", b"--") or (stop < 0 and rest != b"--"):
                start = behind
                continue
            self._is_over = rest == b"--"
            last = at - 1 if at > self._skipped and self._buffer[at - 1 : at] == b"\r" else at
            content = self._buffer[self._skipped : last]
            self._buffer = self._buffer[stop + 1 :] if stop >= 0 else b""
            if content:
                yield content
            return

    def _take(self, stop: int) -> bytes:
        taken, self._buffer = self._buffer[self._skipped : stop], self._buffer[stop:]
        self._skipped = 0
        return taken


def _pass_over(content: Iterator[bytes]) -> None:
    for _ in content:
        pass
