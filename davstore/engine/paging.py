"""Pages of reports: as long as an answer may be, and of a view whose definition is kept for the next one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from davstore.engine.context import Context
from davstore.errors import DiskFull, LimitNotSupported, Unavailable
from davstore.metadata import bindings, stores, views
from davstore.metadata.unit import Unit
from davstore.model.paths import Path
from davstore.model.views import EVERYTHING, View, hash_of

log = logging.getLogger("davstore.sync")

T = TypeVar("T")


def shortened(most: int, read: Callable[[int], T]) -> T:
    """Return a page of at most so many rows, of fewer where these are too much for one answer.

    The server may truncate a page too (RFC 6578 §3.6); a device asks for no limit.
    """
    while True:
        try:
            return read(most)
        except LimitNotSupported:
            if most == 1:
                raise
            most //= 2


def keep_view(context: Context, path: Path, view: View) -> None:
    """Remember the definition of a view that a token was given for; without it another view lists everything again."""
    if view is EVERYTHING:
        return
    database, hash_ = context.services.database, hash_of(view)

    def is_kept(unit: Unit) -> bool:
        return views.is_kept(unit, bindings.find(unit, path).facts.id, hash_, now_us=context.now_us)

    def work(unit: Unit) -> None:
        views.keep_view(unit, stores.lock(unit, path.store).store_id, hash_, view, now_us=context.now_us)

    try:
        if not database.read(is_kept):
            database.write(work)
    except (DiskFull, Unavailable) as error:  # no reason to fail a report that only reads
        log.warning("the definition of a view is not written down: %s", error)
