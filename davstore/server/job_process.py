"""The process that does the jobs (`davstore.jobs`): one beside the workers, on whatever core is free."""

from __future__ import annotations

import logging
import os
import time

from davstore import wiring
from davstore.errors import DavstoreError
from davstore.jobs.bell import Bell
from davstore.server.child import Control
from davstore.settings import Settings

log = logging.getLogger("davstore.jobs")

LEAVE_SECONDS = 3.0
"""Time to finish a job that was begun. One that takes longer is cut, and done again by the next process."""


def work(settings: Settings, bell: Bell, control: Control) -> None:
    """Do jobs until told to leave."""

    def leave() -> None:
        bell.ring()
        time.sleep(LEAVE_SECONDS)
        os._exit(0)

    control.obey(leave)
    try:
        with wiring.open_jobs(settings, bell) as runner:
            runner.run(control.leaving)
    except (DavstoreError, OSError) as error:
        log.error("the jobs process ends: %s", error)  # noqa: TRY400  the line says what to do, a trace would not
        os._exit(1)
