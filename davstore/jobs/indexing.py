"""The job that reads the facts of messages that an earlier version stored, and then binds them into threads."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from davstore.blobs import Blobs
from davstore.jobs.runner import Effect
from davstore.metadata import jobs
from davstore.metadata.database import Database
from davstore.model.jobs import Job
from davstore.store.indexing import Place, read_some, thread_some

READ_MESSAGES: Final = "read messages"
ID: Final = 2
"""Of the whole server's jobs; the migrations to tables 0008 and 0011 leave it."""
_THREADS: Final = "threads "
"""The beginning of the payload when all bodies are read."""
STEPS: Final = 20
"""Steps of one job, so that it ends well within its lease, and others have their turn."""

log = logging.getLogger("davstore.jobs")


def read_messages(held: Job, database: Database, blobs: Blobs, *, now_us: int) -> Effect | None:
    """Go on behind the body or the message that the payload names, and leave a job for the rest."""
    is_read = held.payload.startswith(_THREADS)
    at = Place(*map(int, held.payload.removeprefix(_THREADS).split())) if held.payload else Place(0, 0)
    step = partial(thread_some, database) if is_read else partial(read_some, database, blobs)
    for _ in range(STEPS):
        following = step(at, now_us=now_us)
        if following is None and is_read:
            log.info("all messages that an earlier version stored are in threads")
            return None
        if following is None:
            is_read, at, step = True, Place(0, 0), partial(thread_some, database)
        else:
            at = following
    payload = f"{_THREADS if is_read else ''}{at.store_id} {at.number}"
    return partial(jobs.leave, id_=ID, kind=READ_MESSAGES, payload=payload, due_us=now_us)
