"""Mbox files: messages one after the other, each behind a postmark (mboxo, mboxrd, mboxcl and mboxcl2).

A message is the bytes between its postmark and the blank line before the next one, without the quotes of mboxrd. A
`Content-Length` that leads to a postmark or to the end of the file counts, so that lines within may be like postmarks.
States come from the fields `Status`, `X-Status` and `X-Keywords`, which stay in the message; an export of davstore puts
them in front of it, and those lines go again.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from davstore.interchange import flags, postmarks
from davstore.interchange.files import open_file
from davstore.interchange.items import Item, LeftOut, Outgoing, Stream
from davstore.interchange.names import is_legal
from davstore.interchange.quoting import Unquoted, each_quoted, unquote
from davstore.interchange.windows import Slice, Window
from davstore.model.limits import BLOCK_BYTES
from davstore.model.states import NO_CHANGE, StateChange

MOST_HEADER_BYTES: Final = 1 << 18
"""Bytes of a header block that are looked at for the length and the states."""
MOST_WHOLE_BYTES: Final = 1 << 18
"""A longer message is read as a stream."""
OUR_FIELD: Final = b"X-Davstore-Export: "
"""The last of the lines that an export puts in front of a message: JSON with the name and the length of it."""
CUT: Final = "the file ends within it"
CUT_POSTMARK: Final = "the file ends within its postmark"
NO_POSTMARK: Final = "no postmark at its beginning"
STATUS_LETTERS: Final = {**flags.STATUS_LETTERS, **flags.X_STATUS_LETTERS}

_STATE: Final = re.compile(rb"^(status|x-status|x-keywords):[ \t]*([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)


class _Bounds(NamedTuple):
    """The place of one message in a file; is_quoted: lines within may have the quotes of mboxrd."""

    start: int
    stop: int
    next: int
    head: bytes
    is_quoted: bool
    is_cut: bool = False


def begins_as_mbox(begin: bytes) -> bool:
    """Tell whether a file that begins so is an mbox."""
    return postmarks.is_postmark(begin.partition(b"\n")[0])


def each_message(file: Path, folder: tuple[str, ...]) -> Iterator[Item | LeftOut]:
    """Yield the messages of an mbox in their order. A message or postmark that the end of the file cuts is left out."""
    with open_file(file) as opened:
        window = Window(opened)
        at, number = 0, 0
        while at < window.size:
            number += 1
            line_end = window.find(b"\n", at, at + postmarks.MOST_BYTES)
            postmark = window.read(at, line_end)
            where = f"{file}: message {number}"
            if line_end < 0 or not postmarks.is_postmark(postmark):
                reason = f"{CUT_POSTMARK}: {_line(window, at).decode(errors='replace')}" if at else NO_POSTMARK
                yield LeftOut(where, reason, source_bytes=window.size - at)
                return
            bounds = _find_bounds(window, line_end + 1, is_ours=postmarks.is_ours(postmark))
            source_bytes = bounds.next - at
            if bounds.is_cut:
                yield LeftOut(where, CUT, source_bytes=source_bytes)
            else:
                yield _item(window, opened, postmark, bounds, folder, where)._replace(source_bytes=source_bytes)
            at = bounds.next


def _find_bounds(window: Window, start: int, *, is_ours: bool) -> _Bounds:
    """Return where the message that begins at start ends, and where the next postmark is."""
    following = _find_postmark(window, start - 1)
    header_stop = _find_header_stop(window, start, min(following, start + MOST_HEADER_BYTES))
    head = window.read(start, header_stop)
    length = None if is_ours else _LENGTH.search(head)
    told = header_stop + int(length[1]) if length else None
    if told is not None and told <= window.size:
        after = _find_next(window, told)
        if after is not None:
            is_quoted = window.find(b"\nFrom ", start - 1, told) < 0
            return _Bounds(start, told, after, head, is_quoted=is_quoted)
    if following < max(header_stop + 1, told or 0) and _is_cut_postmark(window, following):
        following = window.size  # it is of the body
    stop = following - _blank_bytes(window.read(max(start, following - 3), following))
    is_cut = following == window.size and not is_ours and (_is_cut(window, told) or _lacks_blank_line(head))
    return _Bounds(start, max(start, stop), following, head, is_quoted=True, is_cut=is_cut)


def _find_postmark(window: Window, position: int) -> int:
    """Return where the next postmark begins behind a position, or where the file ends."""
    while (at := window.find(b"\nFrom ", position)) >= 0:
        if postmarks.is_postmark(_line(window, at + 1)) or _is_cut_postmark(window, at + 1):
            return at + 1
        position = at + 1
    return window.size


def _line(window: Window, at: int) -> bytes:
    return window.read(at, at + postmarks.MOST_BYTES).partition(b"\n")[0]


def _is_cut_postmark(window: Window, at: int) -> bool:
    """Tell whether the file ends in a line without its end that is like the beginning of a postmark.

    It has a blank line before it. In the text of a message mboxo and mboxrd quote such a line, so it is none of that.
    """
    line = _line(window, at)
    is_last = at + len(line) == window.size
    return is_last and postmarks.may_be_cut(line) and window.read(at - 3, at).endswith((b"\n\n", b"\n\r\n"))


def _find_header_stop(window: Window, start: int, stop: int) -> int:
    """Return where the body begins, as far as a header block is looked at."""
    found = [
        at + len(blank) for blank in (b"\n\n", b"\n\r\n") if (at := window.find(blank, max(start - 1, 0), stop)) >= 0
    ]
    return min(found, default=stop)


def _find_next(window: Window, at: int) -> int | None:
    """Return where the next postmark begins, or the file ends, if nothing but blank lines lies before it."""
    rest = window.read(at, at + postmarks.MOST_BYTES)
    begin = at + len(rest) - len(rest.lstrip(b"\r\n"))
    if begin == window.size or (begin > at and postmarks.is_postmark(_line(window, begin))):
        return begin
    return begin if _is_cut_postmark(window, begin) else None


def _blank_bytes(end: bytes) -> int:
    """Return the length of the blank line at the end of a message, which belongs to the postmark behind it."""
    if end.endswith(b"\n\r\n"):
        return 2
    return 1 if end.endswith(b"\n\n") else 0


def _is_cut(window: Window, told: int | None) -> bool:
    """Tell whether the last message lacks the end of its last line, or the blank line and bytes that were told."""
    end = window.read(window.size - 3, window.size)
    return not end.endswith(b"\n") or (told is not None and told > window.size and not _blank_bytes(end))


def _lacks_blank_line(head: bytes) -> bool:
    """Tell whether no blank line stands in a message that ends with the file: it ends within its header block."""
    return len(head) < MOST_HEADER_BYTES and not (b"\n" + head).endswith((b"\n\n", b"\n\r\n"))


def _item(
    window: Window, opened: BinaryIO, postmark: bytes, bounds: _Bounds, folder: tuple[str, ...], where: str
) -> Item | LeftOut:
    """Return a message; one of an export without what lies in front of it, and to the length that is told there."""
    item = Item(folder, None, where, io.BytesIO, None, 0, postmarks.find_time(postmark), _find_states(bounds.head))
    start, stop, length = bounds.start, bounds.stop, None
    if postmarks.is_ours(postmark):
        ours = _find_ours(bounds.head)
        is_end = bounds.next == window.size
        if is_end and (ours is None or window.read(bounds.next - 2, bounds.next) != b"\n\n"):
            return LeftOut(where, CUT)
        if ours is not None:
            start, stop, length = start + ours.front, bounds.next, ours.length
            states = _find_states(bounds.head[: ours.front])
            item = item._replace(name=ours.name, modified_us=ours.modified_us, states=states)
    if stop - start > MOST_WHOLE_BYTES:
        open_ = partial(_stream, opened.fileno(), start, stop, is_quoted=bounds.is_quoted)
        return item._replace(open=open_, length=length if bounds.is_quoted else stop - start)
    content = window.read(start, stop)
    content = (unquote(content) if bounds.is_quoted else content)[:length]
    if length not in (None, len(content)):
        return LeftOut(where, CUT)
    return item._replace(open=partial(io.BytesIO, content), length=len(content))


def _stream(descriptor: int, start: int, stop: int, *, is_quoted: bool) -> AbstractContextManager[Stream]:
    stream: Stream = Slice(descriptor, start, stop)
    if is_quoted:
        stream = Unquoted(stream, BLOCK_BYTES)
    return nullcontext(stream)


def _find_states(head: bytes) -> StateChange:
    found = _STATE.findall(head)
    if not found:
        return NO_CHANGE
    letters, keywords = "", list[str]()
    for name, value in found:
        text = value.decode(errors="replace")
        if name.lower() == b"x-keywords":
            keywords += text.split()
        elif name.lower() == b"status":
            letters += "".join(set(text) & set(flags.STATUS_LETTERS))
        else:
            letters += "".join(set(text) & set(flags.X_STATUS_LETTERS))
    return flags.find_states(letters, STATUS_LETTERS, keywords)


class _Ours(NamedTuple):
    """The facts in front of a message of an export, and the bytes that they take."""

    name: str | None
    length: int
    front: int
    modified_us: int


def _find_ours(head: bytes) -> _Ours | None:
    at = head.find(OUR_FIELD)
    end = head.find(b"\n", at)
    if at < 0 or end < 0 or (at > 0 and head[at - 1 : at] != b"\n"):
        return None
    try:
        facts = json.loads(head[at + len(OUR_FIELD) : end])
        name, length, modified_us = facts["name"], facts["length"], facts["modified_us"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(length) is not int or type(modified_us) is not int or not isinstance(name, str):
        return None
    return _Ours(name if is_legal(name) else None, max(length, 0), end + 1, modified_us)


def render_message(message: Outgoing) -> Iterator[bytes]:
    """Yield a message of an export: postmark, states, name and length, and its bytes with quotes."""
    keywords = flags.keywords_of(message.flags, message.keywords, STATUS_LETTERS)
    seen = flags.letters_of(message.flags, flags.STATUS_LETTERS)
    lines = [f"Status: {seen}O", f"X-Status: {flags.letters_of(message.flags, flags.X_STATUS_LETTERS)}"]
    if keywords:
        lines.append(f"X-Keywords: {' '.join(keywords)}")
    facts = {"name": message.name, "length": message.length, "modified_us": message.modified_us}
    yield postmarks.render_postmark(message.modified_us)
    yield "".join(f"{line}\n" for line in lines).encode()
    yield OUR_FIELD + json.dumps(facts).encode() + b"\n"
    end = b"\n"
    for piece in each_quoted(message.pieces()):
        yield piece
        end = piece[-1:] or end
    yield b"\n" if end == b"\n" else b"\n\n"
