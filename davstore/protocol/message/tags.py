"""Text between tags, for bodies that look like XML and are not: several roots, SDP with a bare `&` in it."""

from __future__ import annotations

import re
from typing import Final

from davstore.protocol.message.words import decode_bytes, one_line

_LOOK_BYTES: Final = 256 * 1024
_REFERENCE: Final = re.compile(r"&(amp|lt|gt|quot|apos);")
_REFERENCES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BETWEEN_ADDRESSES: Final = re.compile(r";(?!\s*[\w-]+=)")
"""A semicolon also begins a parameter of a URI (RFC 3966 §3)."""


def text_within(content: bytes, tag: bytes) -> str | None:
    """Return the text of the first element of that name without attributes; None: there is none."""
    content = content[:_LOOK_BYTES]
    start = content.find(b"<%b>" % tag)
    stop = content.find(b"</%b>" % tag, start)
    if start < 0 or stop < 0:
        return None
    return _REFERENCE.sub(lambda it: _REFERENCES[it[1]], decode_bytes(content[start + len(tag) + 2 : stop]))


def invited_participants(content: bytes) -> str | None:
    """Return the addresses of `invited-participants` as facts have them, with commas between."""
    addresses = _BETWEEN_ADDRESSES.split(text_within(content, b"invited-participants") or "")
    return one_line(", ".join(one.strip() for one in addresses if one.strip()))
