"""The sync-collection report: its stages in a row, and pages of their rows (RFC 6578 §3)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from davstore.errors import InvalidSyncToken, NotFound, UnsupportedReport
from davstore.metadata import bindings
from davstore.metadata.bindings import Found
from davstore.metadata.changed_members import ROWS, Form
from davstore.metadata.unit import Unit
from davstore.metadata.views import find_view
from davstore.model.changes import FULL_RELISTING, WHOLE, Level, Position, SyncToken
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Path
from davstore.model.where import Where
from davstore.sync import arrivals, departures, runs, scopes, tokens, views
from davstore.sync.ancestry import Ancestry
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Run
from davstore.sync.visibility import EVERYTHING, Visibility


class Page(NamedTuple):
    """Rows in the order of their keys, the token that goes on after them, and where their parents lie."""

    runs: list[Run]
    token: SyncToken
    truncated: bool
    ancestry: Ancestry


def page(
    unit: Unit,
    found: Found,
    path: Path,
    token: SyncToken | None,
    *,
    level: Level,
    limit: int,
    form: Form = ROWS,
    where: Where | None = None,
) -> Page:
    """Return at most limit of the rows of a collection, in the view of a condition, that a device with a token lacks.

    The members that are there are read in a form; it is ROWS where `views.are_judged`.

    Raises:
        InvalidSyncToken: the token is for something else, or its history was swept.
        NotFound, UnsupportedReport: the path names nothing, or no collection.
    """
    facts, view = found.facts, views.hash_of_view(where)
    start, before = _start(unit, facts, path, token, view)
    asked = inquire(
        unit, found, path, start, EVERYTHING, level=level, limit=limit, form=form, where=where, before=before
    )
    taken, truncated = runs.take(rows(asked), limit)
    if truncated:
        after = tokens.after(facts, path, asked.start, taken[-1].key(-1), view)
    else:
        after = tokens.current_token(facts, path, view)
    return Page(taken, after, truncated, asked.ancestry)


def _start(
    unit: Unit, facts: StoreFacts, path: Path, token: SyncToken | None, view: str
) -> tuple[Position, Where | None]:
    """Return where a run goes on, and the condition of the view before. Without its definition all is listed again."""
    start = tokens.start(facts, path, token, view)
    if not start.tells_difference or start.relisting == WHOLE:
        return start, None
    before = find_view(unit, facts.id, start.relisting)
    return (start if before is not None else start._replace(relisting=FULL_RELISTING)), before


def is_current(unit: Unit, facts: StoreFacts, path: Path, token: SyncToken) -> bool:
    """Tell whether a report of a collection from token, at level infinite, would be empty (RFC 6578 §5).

    A token of a view holds as long as nothing changes, in the view or not.
    """
    try:
        found = Found(facts, bindings.resolve(unit, facts, path), None)
        start = tokens.start(facts, path, token, token.view)
        asked = inquire(unit, found, path, start, EVERYTHING, level=Level.INFINITE, limit=0)
    except (InvalidSyncToken, NotFound, UnsupportedReport):
        return False
    return not any(rows(asked))


def inquire(
    unit: Unit,
    found: Found,
    path: Path,
    start: Position,
    see: Visibility,
    *,
    level: Level,
    limit: int,
    form: Form = ROWS,
    where: Where | None = None,
    before: Where | None = None,
) -> Inquiry:
    """Return what the stages need of a collection, as it was found, from a position. Raises as `page`."""
    facts = found.facts
    scope = scopes.find(unit, facts, path.names, found.place, see, base=start.base)
    ancestry = Ancestry(unit, facts.id, scope, see)
    return Inquiry(unit, facts, scope, see, level, start, limit + 1, form, ancestry, where, before)


def rows(asked: Inquiry) -> Iterator[Run]:
    """Yield the rows after the position, in the order of keys: the stages of the report."""
    if asked.start.number == asked.facts.seq and asked.start.tie == tokens.AFTER_ALL:
        return iter(())
    due = heapq.merge(arrivals.carried(asked), departures.removed(asked), key=itemgetter(0))
    return views.through(asked, runs.in_order(arrivals.changed(asked), due))
