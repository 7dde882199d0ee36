"""The report that keeps a device in step (RFC 6578): pages of changes, and tokens that continue after any of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from davstore.engine import rights, transaction, viewing
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.paging import keep_view, shortened
from davstore.engine.sight import Sight
from davstore.metadata import bindings
from davstore.metadata.bindings import Found
from davstore.metadata.changed_members import by_column_form
from davstore.metadata.facets import load
from davstore.metadata.messages import add_to_columns
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.columns import Columns, Wanted
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE, Facets
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area, Path
from davstore.model.views import EVERYTHING as ALL
from davstore.model.views import View
from davstore.sync import report
from davstore.sync.lenses import lens_on
from davstore.sync.report import Page
from davstore.sync.runs import Departed
from davstore.sync.visibility import EVERYTHING, Visibility

log = logging.getLogger("davstore.sync")

_MOST_MESSAGES = 2_500
"""Rows of a page with facts of messages: those of real mail fit into memory, and a page of longer ones is halved."""


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
    view: View = ALL,
) -> Changes:
    """Return the changes of a collection since a token (None: all of it), at most limit rows, oldest first.

    A truncated page ends with the token of its last row: asking again with it loses nothing, at either level. With
    columns, members come by column if these allow it; in a view they do not. Members that are not in it are told as out
    of view, unless the device was never told of them. A page is shorter where an answer may not hold all its facets.

    Raises:
        PreconditionFailed: no `If` list holds; of the conditions only these are judged.
        NotFound: nothing is there. NeedPrivileges: the asker may not list it. UnsupportedReport: no collection.
        InvalidSyncToken: the token is for something else, or its history was swept.
        LimitNotSupported: one resource has too many values of a facet.
    """
    asked = view.in_area(path.area)
    most = context.services.limits.sync_rows if limit is None else min(limit, context.services.limits.sync_rows)
    if MESSAGE in facets:
        most = min(most, _MOST_MESSAGES)

    def work(unit: Unit, most: int) -> tuple[Changes, View, Visibility]:
        found = bindings.find(unit, path)
        sight, view = _require_listed(context, unit, found, path, asked)
        require_list(context, unit, found.facts, conditions)
        see = EVERYTHING if sight is None else viewing.find_settled(context, unit, found.facts, sight)
        lens = lens_on(view, context.now_us, path.area)
        find_page = partial(report.page, unit, found, path, token, level=level, limit=most, lens=lens, see=see)
        if sight is None and columns is not None and not report.are_judged(token, lens):
            changes = _by_column(unit, found.facts, find_page, columns, now_us=context.now_us)
            if changes is not None:
                return changes, view, see
        page = find_page()
        rows = list(_rows(page))
        if not lens.is_whole:
            rows = [lens.mask(row) if isinstance(row, Resource) else row for row in rows]
        ids = {row.node_id for row in rows if isinstance(row, Resource)}
        values = load(unit, found.facts, lens.told(rights.told(sight, facets)), ids, now_us=context.now_us)
        own = None if sight is None else sight.on(ids)
        return Changes(rows, page.token, page.truncated, found.facts, values, rights=own), view, see

    changes, view = shortened(most, lambda most: _read(context, path, partial(work, most=most)))
    keep_view(context, path, view)
    return changes


def _require_listed(context: Context, unit: Unit, found: Found, path: Path, view: View) -> tuple[Sight | None, View]:
    """Return what the asker sees of a store, and the view within which it may list a collection; no threads of others.

    Raises:
        NotFound, NeedPrivileges.
    """
    if path.area is Area.THREADS:
        rights.require_owner(context.asker, path)
    return rights.require_list(context, unit, found.facts, path, found.place, view)


def _read(
    context: Context, path: Path, work: Callable[[Unit], tuple[Changes, View, Visibility]]
) -> tuple[Changes, View]:
    """Return a page and its view, with the rights of its asker and all that it is told written down before."""
    while True:
        try:
            changes, view, see = context.services.database.read(work)
        except viewing.Unsettled:
            transaction.write(context, path, viewing.settle)
            continue
        seq = changes.facts.seq
        is_known = see.is_whole or not changes.rows or seq <= see.seen
        if is_known or transaction.write(context, path, partial(viewing.note_seen, see=see, seq=seq)):
            return changes, view


def _rows(page: Page) -> Iterator[Resource | Removed]:
    names = page.ancestry.names
    for run in page.runs:
        if isinstance(run, Departed):
            yield from (row for _, row in run.rows)
        else:
            yield from (row.at(names(row.parent_id)) for row in run.rows.columns[2])


def _by_column(
    unit: Unit, facts: StoreFacts, find_page: Callable[..., Page], wanted: Wanted, *, now_us: int
) -> Changes | None:
    """Return a page by column; None: rows are needed, for values of a facet."""
    names = tuple(sorted({*wanted.facts, "node_id"})) if wanted.facets else wanted.facts
    page = find_page(form=by_column_form(names))
    runs = list(_columns(page, names))
    pages = [run for run in runs if isinstance(run, Columns)]
    if MESSAGE in wanted.facets and any(run.has_messages for run in pages):
        return None
    if wanted.facets:
        ids = {int(one) for run in pages for one in run.facts["node_id"]}
        if any(load(unit, facts, wanted.facets, ids, now_us=now_us).values.values()):
            return None
    return Changes([], page.token, page.truncated, facts, columns=add_to_columns(unit, facts, wanted, runs))


def _columns(page: Page, facts: tuple[str, ...]) -> Iterator[Columns | list[Removed]]:
    for run in page.runs:
        if isinstance(run, Departed):
            yield [row for _, row in run.rows]
        else:
            parents, _, types, names, *columns = run.rows.columns
            places = {parent: page.ancestry.names(parent) for parent in set(parents)}
            yield Columns(parents, places, "".join(types), names, dict(zip(facts, columns, strict=True)))
