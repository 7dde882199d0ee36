"""Reads a body as it comes, and tells at its end what it says of itself."""

from __future__ import annotations

from davstore.model.messages import MessageFacts


class MessageReader:
    """Takes a body block by block."""

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""

    def close(self) -> MessageFacts | None:
        """Return the facts of the body; None: it is no message."""
        return None


def read_message(_content: bytes) -> MessageFacts | None:
    """Return the facts of a whole body; None: it is no message."""
    return None
