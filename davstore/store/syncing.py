"""Keeping a device in step (RFC 6578): pages of what changed, and tokens that continue after any of them."""

from __future__ import annotations

from collections.abc import Iterator

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.metadata import nodes, properties, stores
from davstore.metadata.locks import list_locks
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.sync import report
from davstore.sync.report import Page
from davstore.sync.runs import Departed


def changes_since(
    context: Context,
    path: Path,
    token: SyncToken | None,
    *,
    level: Level,
    limit: int | None,
    dead: bool = False,
    sums: bool = False,
    locks: bool = False,
) -> Changes:
    """Return what changed in a collection since a token (None: all of it), at most limit rows, oldest first.

    A truncated page ends with the token of its last row: asking again with it loses nothing, at either level.

    Raises:
        NotFound: nothing is there. UnsupportedReport: no collection.
        InvalidSyncToken: the token is for something else, or its history was swept.
        LimitNotSupported: the page is too long for what is asked of its rows: a lower limit helps.
    """
    most = context.services.limits.sync_rows if limit is None else min(limit, context.services.limits.sync_rows)

    def work(unit: Unit) -> Changes:
        rights.require(context.asker, path)
        facts = stores.get(unit, path.store)
        page = report.page(unit, facts, path, token, level=level, limit=most)
        rows = list(_rows(page))
        ids = list({row.node_id for row in rows if isinstance(row, Resource)}) if dead or sums else []
        return Changes(
            rows,
            page.token,
            page.truncated,
            properties.list_properties(unit, facts.id, ids) if dead and ids else {},
            facts,
            list_locks(unit, facts.id, now_us=context.now_us) if locks else [],
            nodes.list_checksums(unit, facts.id, ids) if sums else {},
        )

    return context.services.database.read(work)


def _rows(page: Page) -> Iterator[Resource | Removed]:
    names = page.ancestry.names
    for run in page.runs:
        if isinstance(run, Departed):
            yield from (row for _, row in run.rows)
        else:
            yield from (row.at(names(row.parent_id)) for row in run.rows.columns[2])
