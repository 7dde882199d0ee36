"""Mail and CPM messages of invented people, as bytes and as the model sees them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from email import utils

from tests.threads.model import Message

BEGIN = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC).timestamp()


def write(message: Message, *, people: Sequence[str] = ("ann@example.org", "ben@example.org"), text: str = "") -> bytes:
    """Return the bytes of a message from the first of some people to the others."""
    fields = [
        ("From", people[0]),
        ("To", ", ".join(people[1:])),
        ("Date", utils.formatdate(BEGIN + message.date)),
        ("Message-ID", message.message_id and f"<{message.message_id}>"),
        ("References", "\r\n ".join(f"<{one}>" for one in message.references)),
        ("In-Reply-To", " ".join(f"<{one}>" for one in message.in_reply_to)),
        ("Conversation-ID", message.conversation_id),
        ("Message-Direction", "sent" if message.sent else "received"),
    ]
    block = "".join(f"{name}: {value}\r\n" for name, value in fields if value)
    return f"{block}\r\n{text or message.identity}\r\n".encode()
