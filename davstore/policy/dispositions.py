"""Which of two states of a message at one recipient counts: the same for every order of arrival, however often."""

from __future__ import annotations

from typing import Final

from davstore.model.dispositions import Disposition, Status

_RANKS: Final = {
    **dict.fromkeys((Status.ERROR, Status.FAILED, Status.FORBIDDEN), 0),
    **dict.fromkeys((Status.STORED, Status.PROCESSED), 1),
    Status.DELIVERED: 2,
    Status.DISPLAYED: 3,
}


def find_better(one: Disposition, other: Disposition) -> Disposition:
    """Return the one that counts: the higher, of equally high ones the earlier, of two of one time the first by word.

    A failure is lower than what was stored or processed, that than delivered, and that than displayed.
    """
    return min(one, other, key=_precedence)


def _precedence(one: Disposition) -> tuple[int, int, str]:
    return -_RANKS[one.status], one.at_us, one.status.word
