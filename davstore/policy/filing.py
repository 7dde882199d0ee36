"""The folder that a delivery is filed in, by what it says of itself."""

from __future__ import annotations

from typing import Final

from davstore.model.messages import MessageFacts

INBOX: Final = "Inbox"
SENT: Final = "Sent"
MEDIA: Final = "Media"


def find_folder(message: MessageFacts | None) -> str:
    """Return the name of the folder, beneath the root of a store, for a message, or for what is none (None).

    A message that does not say its direction was received: that is what a network delivers.
    """
    if message is None:
        return MEDIA
    return SENT if message.direction == "sent" else INBOX
