"""The report that keeps a device in step (RFC 6578): pages of changes, and tokens that continue after any of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.errors import LimitNotSupported
from davstore.metadata import bindings
from davstore.metadata.changed_members import by_column_form
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.columns import Columns, Wanted
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import Facets
from davstore.model.nodes import Resource, StoreFacts
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
    columns: Wanted | None = None,
) -> Changes:
    """Return the changes of a collection since a token (None: all of it), at most limit rows, oldest first.

    A truncated page ends with the token of its last row: asking again with it loses nothing, at either level. With
    columns, members come by column if these allow it. A page is shorter where an answer may not hold all its facets.

    Raises:
        PreconditionFailed: no `If` list holds; of the conditions only these are judged.
        NotFound: nothing is there. UnsupportedReport: no collection.
        InvalidSyncToken: the token is for something else, or its history was swept.
        LimitNotSupported: one resource has too many values of a facet.
    """
    most = context.services.limits.sync_rows if limit is None else min(limit, context.services.limits.sync_rows)

    def work(unit: Unit, most: int) -> Changes:
        rights.require(context.asker, path)
        found = bindings.find(unit, path)
        facts = found.facts
        require_list(context, unit, facts, conditions)
        find_page = partial(report.page, unit, found, path, token, level=level, limit=most)
        find_facts = partial(load, unit, facts, facets, now_us=context.now_us)
        if columns is not None:
            wanted = tuple(sorted({*columns.facts, "node_id"})) if columns.facets else columns.facts
            page = find_page(form=by_column_form(wanted))
            runs = list(_columns(page, wanted))
            if not _needs_rows(unit, facts, runs, columns.facets, now_us=context.now_us):
                return Changes([], page.token, page.truncated, facts, columns=runs)
        page = find_page()
        rows = list(_rows(page))
        ids = {row.node_id for row in rows if isinstance(row, Resource)}
        return Changes(rows, page.token, page.truncated, facts, find_facts(ids))

    while True:
        try:
            return context.services.database.read(partial(work, most=most))
        except LimitNotSupported:  # the server may truncate a page too (RFC 6578 §3.6); a device asks for no limit
            if most == 1:
                raise
            most //= 2


def _rows(page: Page) -> Iterator[Resource | Removed]:
    names = page.ancestry.names
    for run in page.runs:
        if isinstance(run, Departed):
            yield from (row for _, row in run.rows)
        else:
            yield from (row.at(names(row.parent_id)) for row in run.rows.columns[2])


def _columns(page: Page, facts: tuple[str, ...]) -> Iterator[Columns | list[Removed]]:
    for run in page.runs:
        if isinstance(run, Departed):
            yield [row for _, row in run.rows]
        else:
            parents, _, types, names, *columns = run.rows.columns
            places = {parent: page.ancestry.names(parent) for parent in set(parents)}
            yield Columns(parents, places, "".join(types), names, dict(zip(facts, columns, strict=True)))


def _needs_rows(
    unit: Unit, facts: StoreFacts, runs: list[Columns | list[Removed]], facets: Facets, *, now_us: int
) -> bool:
    """Tell whether a page cannot come by column: for values of a facet, and for facts that are too long."""
    if not all(run.is_whole for run in runs if isinstance(run, Columns)):
        return True
    return bool(facets) and any(load(unit, facts, facets, _ids(runs), now_us=now_us).values.values())


def _ids(runs: list[Columns | list[Removed]]) -> set[int]:
    return {int(node_id) for run in runs if isinstance(run, Columns) for node_id in run.facts["node_id"]}
