"""The time before which the server asked this device not to come again: a run by itself keeps to it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from davstore.client.exit_status import REFUSED, Stop
from davstore.client.refusals import tell_time
from davstore.client.state import State

NOT_BEFORE: Final = "not-before"
"""The fact that holds it, in seconds since the epoch."""
LONGEST_SECONDS: Final = 24 * 60 * 60
"""No policy asks for more. A time farther away is one of a clock that was wrong."""


def require_patience(state: State, now: datetime) -> None:
    """Raise Stop when it is too early: nothing is asked then."""
    left = float(state.find_fact(NOT_BEFORE) or 0) - now.timestamp()
    if 0 < left <= LONGEST_SECONDS:
        raise Stop(
            REFUSED,
            f"the server asked not to be asked again yet: the next run asks {tell_time(now, left)}, "
            "and with --manual at once",
            retry_after_seconds=left,
        )


def note_wait(state: State, stop: Stop, now: datetime) -> None:
    """Remember the time that a refusal names, if it names one and a change of the profile does not move it."""
    if stop.status == REFUSED and stop.retry_after_seconds and not stop.is_own:
        state.set_fact(NOT_BEFORE, str(now.timestamp() + stop.retry_after_seconds))
