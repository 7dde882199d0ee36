"""The job that takes away old tombstones and the leftovers of crashes."""

from __future__ import annotations

import logging
from pathlib import Path

from davstore.blobs import Blobs
from davstore.metadata.database import Database
from davstore.store.sweeping import sweep_history, sweep_uploads

log = logging.getLogger("davstore.directory")


def sweep(
    database: Database, blobs: Blobs, directory: Path, *, now_us: int, keep_seconds: int, keep_changes: int
) -> None:
    """Delete history (see `sweep_history`) and the leftovers of dead uploads, and log what went to `lost+found`."""
    sweep_history(database, now_us=now_us, keep_seconds=keep_seconds, keep_changes=keep_changes)
    swept = sweep_uploads(database, blobs, now_us=now_us)
    if swept.blobs:
        lost = directory / "lost+found"
        log.warning("%d bytes in %d bodies that no row names were moved to %s", swept.size_bytes, swept.blobs, lost)
