"""The sync-collection report: its stages in a row, and pages of their rows (RFC 6578 §3)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from davstore.errors import InvalidSyncToken, NotFound, UnsupportedReport
from davstore.metadata import bindings, changes
from davstore.metadata.bindings import Found
from davstore.metadata.changed_members import ROWS, Form
from davstore.metadata.stores import get_root
from davstore.metadata.unit import Unit
from davstore.metadata.views import find_view
from davstore.model.changes import FULL_RELISTING, WHOLE, Level, Position, Stamp, SyncToken
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Area, Path
from davstore.sync import arrivals, departures, runs, scopes, tokens, views
from davstore.sync.ancestry import Ancestry
from davstore.sync.inquiry import Inquiry
from davstore.sync.lenses import WITHOUT, Lens
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
    lens: Lens = WITHOUT,
    see: Visibility = EVERYTHING,
) -> Page:
    """Return at most limit of the rows of a collection, as a view shows them, that a device with a token lacks.

    see holds the nodes that the asker sees beneath it.

    The members that are there are read in a form; it is ROWS where `are_judged`.

    Raises:
        InvalidSyncToken: the token is for something else, or its history was swept.
        NotFound, UnsupportedReport: the path names nothing, or no collection.
    """
    facts, asked_for = found.facts, lens.stamp
    start, stamp = tokens.start(facts, path, token, asked_for)
    start, before = _begin(unit, facts, start, lens)
    if stamp is not asked_for:
        lens = Lens(lens.view, stamp.at_s, stamp.next_s, area=path.area)
    asked = inquire(unit, found, path, start, see, level=level, limit=limit, form=form, lens=lens, before=before)
    taken, truncated = runs.take(rows(asked), limit)
    view = lens.stamp.text
    if truncated:
        after = tokens.after(facts, path, asked.start, taken[-1].key(-1), view)
    else:
        after = tokens.current_token(facts, path, view)
    return Page(taken, after, truncated, asked.ancestry)


def are_judged(token: SyncToken | None, lens: Lens) -> bool:
    """Tell whether the rows of a report pass the stage of views: one is asked for, or was before."""
    if not lens.is_whole or token is None:
        return not lens.is_whole
    return token.view != WHOLE or (token.position is not None and token.position.tells_difference)


def _begin(unit: Unit, facts: StoreFacts, start: Position, lens: Lens) -> tuple[Position, Lens | None]:
    """Return where a run goes on, and the view before.

    Threads whose members count by their folders are listed again after a MOVE of a folder: by that its messages did not
    change.
    """
    start, before = _find_before(unit, facts, start, lens)
    asks_homes = lens.asks_homes or (before is not None and before.asks_homes)
    is_moved = asks_homes and changes.list_moved(unit, facts.id, after=start.base, limit=1)
    if is_moved and start.relisting != FULL_RELISTING:
        return Position(0, 0, 0, start.base, FULL_RELISTING), None
    return start, before


def _find_before(unit: Unit, facts: StoreFacts, start: Position, lens: Lens) -> tuple[Position, Lens | None]:
    """Return where a run goes on, and the view before. Without its definition all is listed again."""
    if not start.tells_difference:
        return start, None
    stamp = Stamp.parse(start.relisting)
    known = {WHOLE: WITHOUT.view, lens.stamp.hash: lens.view}
    view = known.get(stamp.hash) or find_view(unit, facts.id, stamp.hash)
    if view is None:
        return start._replace(relisting=FULL_RELISTING), None
    return start, Lens(view, stamp.at_s, area=Area(facts.area))


def is_current(unit: Unit, facts: StoreFacts, path: Path, token: SyncToken, see: Visibility = EVERYTHING) -> bool:
    """Tell whether a report of a collection from token, at level infinite, would be empty (RFC 6578 §5).

    A token of a view holds as long as nothing changes, in the view or not.
    """
    try:
        if path.area != facts.area:
            facts = facts._replace(root_id=get_root(unit, facts, path.area), area=int(path.area))
        found = Found(facts, bindings.resolve(unit, facts, path), None)
        start, _ = tokens.start(facts, path, token, Stamp.parse(token.view))
        asked = inquire(unit, found, path, start, see, level=Level.INFINITE, limit=0)
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
    lens: Lens = WITHOUT,
    before: Lens | None = None,
) -> Inquiry:
    """Return what the stages need of a collection, as it was found, from a position. Raises as `page`."""
    facts = found.facts
    scope = scopes.find(unit, facts, path.names, found.place, base=start.base)
    ancestry = Ancestry(unit, facts.id, scope, see)
    differing = before and lens.difference_form(unit, facts, before, base=start.base)
    changed = differing or form
    return Inquiry(unit, facts, scope, see, level, start, limit + 1, form, changed, ancestry, lens, before)


def rows(asked: Inquiry) -> Iterator[Run]:
    """Yield the rows after the position, in the order of keys: the stages of the report."""
    if asked.start.number == asked.facts.seq and asked.start.tie == tokens.AFTER_ALL:
        return iter(())
    due = heapq.merge(arrivals.shown(asked), arrivals.carried(asked), departures.removed(asked), key=itemgetter(0))
    return views.through(asked, runs.in_order(arrivals.changed(asked), due))
