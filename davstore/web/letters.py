"""A message in a list: from whom, about what, and whether somebody has read it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from davstore.model.messages import MessageSummary
from davstore.model.nodes import Resource, ResourceType
from davstore.model.states import Flag
from davstore.web.words import render_name

_LETTERS: Final = frozenset({ResourceType.MESSAGE, ResourceType.FILE_TRANSFER})
"""The kinds that people write; the others are listed as files."""
_NAMED: Final = re.compile(r'\s*"?([^"<]*[^"<\s])"?\s*<')
NO_SUBJECT: Final = "(no subject)"


class Letter(NamedTuple):
    """A message as a list shows it."""

    who: str
    subject: str
    is_unread: bool
    is_flagged: bool
    has_attachment: bool


def letter_of(member: Resource, message: MessageSummary) -> Letter | None:
    """Return how a list shows a member that is a message; None: as the file that it is."""
    if message.kind not in _LETTERS:
        return None
    is_sent = message.direction == "sent"
    who = _name(message.to if is_sent and message.to else message.from_)
    return Letter(
        who=f"To {who}" if is_sent and message.to else who,
        subject=render_name(message.subject or message.filename or NO_SUBJECT),
        is_unread=is_unread(member, message),
        is_flagged=bool(member.flags & Flag.FLAGGED),
        has_attachment=message.has_attachment or message.kind is ResourceType.FILE_TRANSFER,
    )


def is_unread(member: Resource, message: MessageSummary) -> bool:
    """Tell whether a message has not been read. What was sent is read."""
    return not (message.direction == "sent" or member.flags & Flag.SEEN)


def _name(addresses: str | None) -> str:
    """Return the name that comes first in addresses, or them where there is none."""
    if not addresses:
        return ""
    named = _NAMED.match(addresses)
    return render_name(named[1] if named else addresses)
