"""Samples of a message while it goes by: the beginning of its text, and the object that it carries."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from davstore.model.messages import Part
from davstore.protocol.message.preview import make_preview
from davstore.protocol.message.transfer import decode

_TEXT_BYTES: Final = 16 * 1024
_OBJECT_BYTES: Final = 64 * 1024
_MARGIN_BYTES: Final = 1024
"""More than the line of a boundary that may end the part within the sample."""
_MOST_TRIES: Final = 8
_TEXTS: Final = ("text/plain", "text/html")


class Sampler:
    """Keeps the preview, and the part that is an object, decoded and cut."""

    def __init__(self, objects: Container[str], root: str | None = None) -> None:
        """Take the media types of objects: the first part is kept when it is of one of them.

        root is the type of the object that the message declares. Then the first part that is of it is kept, at whatever
        place (RFC 2387 §3.2), else the first of all.
        """
        self.preview: str | None = None
        self.object: tuple[Part, bytes] | None = None
        self._objects = objects
        self._root = root
        self._wanted: Part | None = None
        self._bytes = 0
        self._tries = 0

    def enter(self, part: Part) -> None:
        """Look whether a leaf that begins is wanted."""
        if self._is_object(part):
            self._wanted, self._bytes = part, _OBJECT_BYTES
        elif self.preview is None and self._tries < _MOST_TRIES and _may_be_shown(part):
            self._wanted, self._bytes = part, _TEXT_BYTES
            self._tries += 1

    def _is_object(self, part: Part) -> bool:
        if self._root is None:
            return part.number == "1" and part.media_type in self._objects
        if part.number == "1":
            return True
        is_found = self.object is not None and self.object[0].media_type == self._root
        return part.media_type == self._root and "." not in part.number and not is_found

    def needed(self, position: int) -> int:
        """Return where the bytes begin that are still needed, position or before it."""
        return position if self._wanted is None else min(position, self._wanted.start)

    def look(self, data: bytes, base: int) -> None:
        """Take the sample as soon as it is there."""
        wanted = self._wanted
        if wanted is not None and base + len(data) >= wanted.start + self._bytes + _MARGIN_BYTES:
            self._take(wanted, data[wanted.start - base : wanted.start - base + self._bytes])

    def leave(self, part: Part, data: bytes, base: int) -> None:
        """Take the sample of a part that is over."""
        if self._wanted is not None and self._wanted.number == part.number:
            self._take(part, data[part.start - base : min(part.stop, part.start + self._bytes) - base])

    def _take(self, part: Part, raw: bytes) -> None:
        self._wanted = None
        content = b"".join(decode((raw,), part.encoding))
        if self._bytes == _OBJECT_BYTES:
            self.object = part, content
        else:
            is_html, is_cut = part.media_type == "text/html", len(raw) == _TEXT_BYTES
            self.preview = make_preview(content, part.charset, is_html=is_html, is_cut=is_cut)


def _may_be_shown(part: Part) -> bool:
    return part.media_type in _TEXTS and part.disposition != "attachment"
