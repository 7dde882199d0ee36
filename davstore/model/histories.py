"""The history of a conversation, a page at a time, from its newest message back."""

from __future__ import annotations

from typing import NamedTuple

from davstore.model.changes import SyncToken


class Before(NamedTuple):
    """The end of a page, which is not on it: a time in microseconds since the epoch.

    tie is there where messages of that time are on the page too: those whose node is less.
    """

    time_us: int
    tie: int | None = None


class ContentAsked(NamedTuple):
    """The wish for the bytes of messages beside their properties.

    most_bytes: longer ones are left out. encoding is `utf-8`, `base64`, or `auto`: the first where it is possible.
    """

    most_bytes: int
    encoding: str = "auto"


class HistoryAsked(NamedTuple):
    """The wish for a page: the conversation, None for that of a thread; its end, its length, and what is on it.

    begun is the token that the first page gave: what came to the thread later is on no page.
    """

    conversation_id: str | None = None
    begun: SyncToken | None = None
    before: Before | None = None
    limit: int | None = None
    content: ContentAsked | None = None
