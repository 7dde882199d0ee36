"""Dispositions: what became of a message at each of its recipients, as notifications tell it (RFC 5438)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 255
"""Characters of the id of a message and of a recipient; a notification with a longer one is not counted."""
MOST_OF_MESSAGE: Final = 3_000
"""Dispositions of one message: of a thousand recipients, each of three types."""
MOST_COPIES: Final = 10_000
"""Messages of one id that change with their dispositions; of more the oldest."""
MOST_WAITING: Final = 10_000
"""Dispositions of a store whose messages are not there."""


class DispositionType(IntEnum):
    """The types of notifications (RFC 5438 §3); the values are those of a column."""

    DELIVERY = 0
    PROCESSING = 1
    DISPLAY = 2

    @property
    def word(self) -> str:
        """The type as `C:imdn` has it."""
        return self.name.lower()


class Status(IntEnum):
    """The states that notifications tell (RFC 5438 §7.2); the values are those of a column."""

    ERROR = 0
    FAILED = 1
    FORBIDDEN = 2
    STORED = 3
    PROCESSED = 4
    DELIVERED = 5
    DISPLAYED = 6

    @property
    def word(self) -> str:
        """The status as `C:imdn` has it."""
        return self.name.lower()


class Disposition(NamedTuple):
    """The state of a message at one recipient, of one type, since a time in microseconds since the epoch."""

    recipient: str
    type: DispositionType
    status: Status
    at_us: int


class Notification(NamedTuple):
    """A notification: the id of the message that it tells of, its recipient, its time, and the states that it tells.

    at_us is None where it says none.
    """

    imdn_id: str
    recipient: str
    at_us: int | None
    states: tuple[tuple[DispositionType, Status], ...]
