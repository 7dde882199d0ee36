"""Keeping a device in step (RFC 6578): pages of what changed, and tokens that continue after any of them."""

from __future__ import annotations

from collections.abc import Iterator

from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.metadata import bindings
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import LOCKS, Facets
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.sync import report
from davstore.sync.report import Page
from davstore.sync.runs import Departed


def changes_since(
    context: Context,
    path: Path,
    token: SyncToken | None,
    conditions: Preconditions = NONE,
    *,
    level: Level,
    limit: int | None,
    facets: Facets = frozenset(),
) -> Changes:
    """Return what changed in a collection since a token (None: all of it), at most limit rows, oldest first.

    A truncated page ends with the token of its last row: asking again with it loses nothing, at either level.

    Raises:
        PreconditionFailed: no `If` list holds; of the conditions only these are judged.
        NotFound: nothing is there. UnsupportedReport: no collection.
        InvalidSyncToken: the token is for something else, or its history was swept.
        LimitNotSupported: the page is too long for what is asked of its rows: a lower limit helps.
    """
    most = context.services.limits.sync_rows if limit is None else min(limit, context.services.limits.sync_rows)

    def work(unit: Unit) -> Changes:
        rights.require(context.asker, path)
        found = bindings.find(unit, path.store, path.names)
        facts = found.facts
        require_list(context, unit, facts, conditions)
        page = report.page(unit, found, path, token, level=level, limit=most)
        rows = list(_rows(page))
        wanted = facets if facts.may_hold_locks else facets - {LOCKS}
        ids = {row.node_id for row in rows if isinstance(row, Resource)} if wanted else set()
        return Changes(
            rows,
            page.token,
            page.truncated,
            facts,
            load(unit, facts.id, wanted, ids, now_us=context.now_us),
        )

    return context.services.database.read(work)


def _rows(page: Page) -> Iterator[Resource | Removed]:
    names = page.ancestry.names
    for run in page.runs:
        if isinstance(run, Departed):
            yield from (row for _, row in run.rows)
        else:
            yield from (row.at(names(row.parent_id)) for row in run.rows.columns[2])
