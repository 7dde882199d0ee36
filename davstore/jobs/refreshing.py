"""The policy of a URL, asked for again and again while a process does the jobs.

It has a thread of its own: a slow server holds up no job, and a long job lets no policy grow old.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Final

FIRST_PAUSE_SECONDS: Final = 1.0
SPREAD: Final = 0.2
"""The part of a pause that is left to chance, so that servers that were started together do not ask together."""


log = logging.getLogger("davstore.policy")


def keep_fresh(refresh: Callable[[], bool], every_seconds: float, ended: threading.Event) -> None:
    """Refresh at once and then every so often until ended is set.

    refresh returns whether it got an answer. Without one the next pause is a second, and each further one is twice as
    long, up to the usual one. No error of it ends this.
    """
    failures = 0
    while True:
        try:
            failures = 0 if refresh() else failures + 1
        except Exception:  # the thread must go on: the next look may succeed
            log.exception("the policy was not refreshed")
            failures += 1
        if ended.wait(find_pause(failures, every_seconds, random.random())):  # noqa: S311  no secret
            return


def find_pause(failures: int, every_seconds: float, chance: float) -> float:
    """Return the seconds until the next attempt, after so many in a row that failed; chance is from 0 to 1."""
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 30), every_seconds) if failures else every_seconds
    return pause * (1 - SPREAD * chance)
