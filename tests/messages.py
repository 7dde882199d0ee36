"""Session info and group state objects, as the message stores of CPM keep them."""

from __future__ import annotations

_INFO = """\
From: tel:+33643209850
Date: Thu, 11 Feb 2016 14:00:49 +0100
Conversation-ID: {conversation}
Contribution-ID: {contribution}
Content-Type: Application/X-CPM-Session

<session><session-type>Group</session-type><invited-participants>tel:+1;tel:+2</invited-participants></session>
"""


def session_info(contribution: str, conversation: str = "conversation") -> bytes:
    """Return a session info object."""
    text = _INFO.format(conversation=conversation, contribution=contribution)
    return text.replace("\n", "\r\n").encode()


def group_state(timestamp: str, focus: str = "focus") -> bytes:
    """Return a group state object of a time."""
    return (
        f'<groupstate timestamp="{timestamp}" lastfocussessionid="{focus}" group-type="Closed">'
        '<participant name="bob" comm-addr="tel:+16135551212"/></groupstate>'
    ).encode()
