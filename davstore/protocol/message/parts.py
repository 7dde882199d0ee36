"""The structure of a message (RFC 2046): a scanner that takes it block by block and keeps next to nothing of it.

Boundaries are searched for, not lines read: each open multipart knows where its next boundary stands, and looks for it
only up to the next one of the multiparts around it. So each byte is passed over once for each level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from davstore.model.messages import MOST_DEPTH, MOST_HEADER_BYTES, MOST_HEADERS_BYTES, MOST_PARTS, Part
from davstore.protocol.message.entities import boundary_of, describe
from davstore.protocol.message.head import Head, find_blank, read_head, skip_postmark
from davstore.protocol.message.sampling import Sampler

_GATHERED_BYTES: Final = 64 * 1024
"""Smaller blocks are joined before they are searched."""
_MESSAGES: Final = ("message/rfc822", "message/global")
_IDENTITIES: Final = ("7bit", "8bit", "binary")


@dataclass(slots=True, eq=False)
class _Entity:
    """An entity that is not over: a leaf, a message, or a multipart, which has a delimiter until its last boundary.

    index is its place in the list of parts; None: a multipart that is the body of a message has no number of its own.
    prefix is that of the numbers of its parts. found is where its next delimiter stands; None: not before searched.
    """

    part: Part
    index: int | None
    prefix: str
    delimiter: bytes = b""
    children: int = 0
    found: int | None = None
    searched: int = 0


class Structure:
    """Takes the bytes of a message from the body of its first header block on; `close` returns its parts."""

    def __init__(self, data: bytes, head: Head, sampler: Sampler) -> None:
        """Take the first bytes of the body, and the header block of the entity whose parts are looked for."""
        self._data = data
        self._base = 0
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._step: Callable[[bool], bool] = self._in_body
        self._position = 0
        self._left_bytes = MOST_HEADERS_BYTES
        self._open: list[_Entity] = []
        self._parts: list[Part] = []
        self._sampler = sampler
        self._enter(head)

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""
        self._gathered.append(block)
        self._gathered_bytes += len(block)
        if self._gathered_bytes >= _GATHERED_BYTES:
            self._scan(is_last=False)

    def close(self) -> tuple[Part, ...]:
        """Return the parts: there are no more bytes."""
        self._scan(is_last=True)
        self._leave(0, self._end)
        self._data = b""  # `_step` refers to this object: the bytes would stay until cycles are collected
        return tuple(self._parts)

    @property
    def _end(self) -> int:
        return self._base + len(self._data)

    def _scan(self, *, is_last: bool) -> None:
        """Go on as far as the bytes allow."""
        if self._gathered:
            passed = self._needed() - self._base
            self._data = b"".join((self._data[passed:], *self._gathered))
            self._base += passed
            self._gathered = []
            self._gathered_bytes = 0
        while self._step(is_last):
            pass
        self._sampler.look(self._data, self._base)

    def _needed(self) -> int:
        """Return where the bytes begin that are still needed; two before a boundary are its line break."""
        places = [one.searched if one.found is None else one.found for one in self._open if one.delimiter]
        return max(self._base, self._sampler.needed(min((self._position, *places))) - 2)

    def _in_body(self, is_last: bool) -> bool:
        """Look for the next boundary."""
        level = self._next_boundary()
        if level is None:
            self._position = self._end
            return False
        multipart = self._open[level]
        start = multipart.found or 0
        longest = max(len(one.delimiter) for one in self._open)
        if not is_last and start + longest + 2 > self._end:
            return False
        self._leave(level + 1, start)
        for one in self._open:  # an outer one may be the beginning of this
            if one.found == start:
                one.found, one.searched = None, start + 1
        self._position = start + len(multipart.delimiter)
        if self._data.startswith(b"--", self._position - self._base) or len(self._parts) >= MOST_PARTS:
            multipart.delimiter = b""
        else:
            self._step = self._in_line
        return True

    def _in_line(self, is_last: bool) -> bool:
        """Pass over the rest of the line of a boundary, behind which a part begins."""
        end = self._data.find(b"\n", self._position - self._base)
        if end < 0 and not is_last:
            self._position = self._end
            return False
        self._position = self._end if end < 0 else self._base + end + 1
        self._step = self._at_head
        return True

    def _at_head(self, is_last: bool) -> bool:
        """Read the header block of an entity, which a boundary may end."""
        level = self._next_boundary()
        start = self._position - self._base
        limit = start + min(MOST_HEADER_BYTES, self._left_bytes)
        stop = len(self._data)
        if level is not None:
            stop = max(start, (self._open[level].found or 0) + 1 - self._base)
        blank = find_blank(self._data, start, min(limit, stop))
        if blank is None and level is None and stop < limit and not is_last:
            return False
        if not self._open[-1].delimiter:
            start = min(skip_postmark(self._data, start), stop)
        end, body = blank or (min(limit, stop),) * 2
        head = read_head(self._data, start, end, body)
        self._left_bytes -= end - start
        self._step = self._in_body
        self._enter(head._replace(body=self._base + head.body))
        return True

    def _next_boundary(self) -> int | None:
        """Return the index of the multipart whose boundary comes next; of several there the one with the longest."""
        best: int | None = None
        limit, longest = self._end, 0
        for index, one in enumerate(self._open):
            if not one.delimiter:
                continue
            if one.found is None:
                self._search(one, limit if best is None else limit + len(one.delimiter))
            if one.found is None or (best is not None and one.found > limit):
                continue
            if best is None or one.found < limit or len(one.delimiter) >= longest:
                best, limit, longest = index, one.found, len(one.delimiter)
        return best

    def _search(self, one: _Entity, stop: int) -> None:
        stop = min(stop, self._end)
        place = self._data.find(one.delimiter, one.searched - self._base, stop - self._base)
        if place >= 0:
            one.found = self._base + place
        else:
            one.searched = max(one.searched, stop - len(one.delimiter) + 1)

    def _enter(self, head: Head) -> None:
        """Open an entity: the body of a message, or a part of the multipart that is open."""
        parent = self._open[-1] if self._open else None
        is_root = parent is None or not parent.delimiter
        prefix = parent.prefix if parent else ""
        if parent is not None:
            parent.children += 1
        number = f"{prefix}{1 if parent is None else parent.children}"
        in_digest = parent is not None and not is_root and parent.part.media_type == "multipart/digest"
        part = describe(head, number, "message/rfc822" if in_digest else "text/plain")
        entity = _Entity(part, None, f"{number}.", searched=head.body - 1)
        may_nest = len(self._open) < MOST_DEPTH and len(self._parts) < MOST_PARTS - 1
        if may_nest and part.media_type.startswith("multipart/"):
            entity.delimiter = boundary_of(head.fields)
        if entity.delimiter and is_root:
            entity.prefix = prefix
        else:
            entity.index = len(self._parts)
            self._parts.append(part)
        self._open.append(entity)
        if may_nest and part.media_type in _MESSAGES and part.encoding in _IDENTITIES:
            self._step, self._position = self._at_head, head.body
        elif not entity.delimiter:
            self._sampler.enter(part)

    def _leave(self, level: int, stop: int) -> None:
        """End all that is open from a level on; the line break before a boundary belongs to it (RFC 2046 §5.1.1)."""
        if stop < self._end and self._data[stop - 1 - self._base : stop - self._base] == b"\r":
            stop -= 1
        while len(self._open) > level:
            entity = self._open.pop()
            part = entity.part._replace(start=min(entity.part.start, stop), stop=stop)
            if entity.children and part.encoding not in _IDENTITIES:  # RFC 2045 §6.4 allows no other
                part = part._replace(encoding="7bit")
            if entity.index is not None:
                self._parts[entity.index] = part
            elif not entity.children:  # a multipart without parts is a leaf
                self._parts.append(part)
            self._sampler.leave(part, self._data, self._base)
