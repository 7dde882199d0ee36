"""The elements of a conversation-history report beside properties: bodies, and where the conversation goes on.

`C:content` holds the bytes of a message, as text where XML can hold them, else in base64.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from davstore.model.histories import Before
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, escape, href, marked
from davstore.protocol.http.timestamps import render_timestamp

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 cannot hold (§2.2)."""


def render_content(body: bytes, encoding: str) -> bytes:
    """Return the element of the bytes of a body; encoding is the one that is wanted (`ContentAsked`)."""
    text = None if encoding == "base64" else _as_text(body)
    if text is None:
        return marked(names.CONTENT, {"encoding": "base64"}, base64.b64encode(body))
    return marked(names.CONTENT, {"encoding": "utf-8"}, escape(text))


def render_left_out(length_bytes: int) -> bytes:
    """Return the element of a body that is longer than was asked for."""
    return marked(names.CONTENT, {"truncated": "T", "size": str(length_bytes)})


def render_before(earlier: Before) -> bytes:
    """Return where the page before begins: the element with which a client asks for that."""
    marks = {} if earlier.tie is None else {"tie": str(earlier.tie)}
    return marked(names.BEFORE, marks, escape(render_timestamp(earlier.time_us)))


def render_thread(thread: str, group_state: str | None) -> bytes:
    """Return the paths of the thread, and of the group state that counts if there is one."""
    state = b"" if group_state is None else element(names.CURRENT_GROUP_STATE, href(group_state))
    return element(names.THREAD, href(thread)) + state


def _as_text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if _ILLEGAL.search(text) else text
