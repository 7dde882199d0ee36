"""The job that reads the facts of messages that an earlier version stored."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from davstore.blobs import Blobs
from davstore.jobs.runner import Effect
from davstore.metadata import jobs
from davstore.metadata.database import Database
from davstore.model.jobs import Job
from davstore.store.indexing import Place, read_some

READ_MESSAGES: Final = "read messages"
ID: Final = 2
"""Of the whole server's jobs; the migration to tables 0008 leaves it."""
STEPS: Final = 20
"""Steps of one job, so that it ends well within its lease, and others have their turn."""

log = logging.getLogger("davstore.jobs")


def read_messages(held: Job, database: Database, blobs: Blobs, *, now_us: int) -> Effect | None:
    """Read some bodies behind those that the payload names, and leave a job for the rest."""
    at = Place(*map(int, held.payload.split())) if held.payload else Place(0, 0)
    for _ in range(STEPS):
        following = read_some(database, blobs, at, now_us=now_us)
        if following is None:
            log.info("all bodies that an earlier version stored were read")
            return None
        at = following
    return partial(jobs.leave, id_=ID, kind=READ_MESSAGES, payload=f"{at.store_id} {at.body_id}", due_us=now_us)
