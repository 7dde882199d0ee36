"""The content of one message for its reader: texts, attachments, and parts by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from davstore.model.limits import BLOCK_BYTES
from davstore.model.messages import MessageFacts, Part
from davstore.protocol.message.html_text import text_of_html
from davstore.protocol.message.transfer import decode
from davstore.protocol.message.words import decode_bytes

_PLAIN: Final = "text/plain"
_HTML: Final = "text/html"
_MESSAGE: Final = "message/"
_DESCRIPTION: Final = "application/x-cpm-file-transfer"
"""The part that describes the file of a transfer: the file is another one, or is not there."""


class Contents:
    """The parts of a message whose bytes and facts are known."""

    def __init__(self, content: bytes, facts: MessageFacts) -> None:
        self._content = memoryview(content)
        self._parts = facts.parts

    def find(self, number: str) -> Part | None:
        """Return the part with this number, or None."""
        return next((part for part in self._parts if part.number == number), None)

    def read(self, part: Part) -> Iterator[bytes]:
        """Yield the content of a part without its transfer encoding."""
        places = range(part.start, part.stop, BLOCK_BYTES)
        blocks = (bytes(self._content[place : min(place + BLOCK_BYTES, part.stop)]) for place in places)
        return decode(blocks, part.encoding)

    def text(self, part: Part) -> str:
        """Return a part of type `text` in lines; HTML as its reader sees it."""
        text = decode_bytes(b"".join(self.read(part)), part.charset)
        return text_of_html(text) if part.media_type == _HTML else text

    def body(self) -> str:
        """Return what the sender wrote: all plain texts, or where there is none the HTML."""
        inline = [part for part in self._list_own() if not is_attachment(part)]
        for kind in (_PLAIN, _HTML):
            texts = [self.text(part).strip("\r\n") for part in inline if part.media_type == kind]
            if any(map(str.strip, texts)):
                return "\n\n".join(filter(None, texts))
        return ""

    def list_attachments(self) -> list[Part]:
        """Return the attachments; a message within is one, and neither what it holds is nor what describes a file."""
        return [part for part in self._list_own() if is_attachment(part) and part.media_type != _DESCRIPTION]

    def _list_own(self) -> Iterator[Part]:
        """Yield the parts that have no parts, but for messages, which have theirs to themselves."""
        above = ""
        for part, following in zip_longest(self._parts, self._parts[1:]):
            if above and part.number.startswith(above):
                continue
            holds = following is not None and following.number.startswith(f"{part.number}.")
            if holds and part.media_type.startswith(_MESSAGE):
                above = f"{part.number}."
            if not holds or above == f"{part.number}.":
                yield part


def is_attachment(part: Part) -> bool:
    """Tell whether a part is for saving: it has a name, says so, or is no text."""
    is_text = part.media_type in (_PLAIN, _HTML)
    return part.disposition == "attachment" or part.filename is not None or not is_text
