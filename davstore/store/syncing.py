"""Keeping a device in step (RFC 6578): pages of what changed, and tokens that continue after any of them."""

from __future__ import annotations

import hashlib
import itertools

from davstore.errors import InvalidSyncToken, NotFound, UnsupportedReport
from davstore.metadata import nodes, properties, stores
from davstore.metadata.locks import list_locks
from davstore.metadata.unit import Unit
from davstore.model.changes import Changes, Level, Position, SyncToken
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path
from davstore.store.context import Context
from davstore.store.difference import Difference, Key, Keyed, find_scope

AFTER_ALL = 2**80
"""The tie of a complete token: after every row of its number."""


def current_token(facts: StoreFacts, names: tuple[str, ...]) -> SyncToken:
    """Return the token of a device that has all of a collection as this snapshot shows it."""
    return SyncToken(facts.id, facts.epoch, _scope_hash(names), facts.seq)


def _scope_hash(names: tuple[str, ...]) -> str:
    return hashlib.blake2b("/".join(names).encode(), digest_size=8).hexdigest()


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
    most = context.limits.sync_rows if limit is None else min(limit, context.limits.sync_rows)

    def work(unit: Unit) -> Changes:
        facts = stores.get(unit, path.store)
        start = _start(facts, path.names, token)
        rows = _page(unit, facts, path.names, start, level, most + 1)
        truncated = len(rows) > most
        rows = rows[:most]
        page = [row for _, row in rows]
        ids = list({row.node_id for row in page if isinstance(row, Resource)}) if dead or sums else []
        return Changes(
            page,
            _after(facts, path.names, start, rows[-1][0]) if truncated else current_token(facts, path.names),
            truncated,
            properties.list_properties(unit, facts.id, ids) if dead and ids else {},
            facts,
            list_locks(unit, facts.id, now_us=context.now_us) if locks else [],
            nodes.list_checksums(unit, facts.id, ids) if sums else {},
        )

    return context.database.read(work)


def is_current(unit: Unit, facts: StoreFacts, names: tuple[str, ...], token: SyncToken) -> bool:
    """Tell whether a report of a collection from token, at level infinite, would be empty (RFC 6578 §5)."""
    try:
        start = _start(facts, names, token)
        return not _page(unit, facts, names, start, Level.INFINITE, 1)
    except (InvalidSyncToken, NotFound, UnsupportedReport):
        return False


def _start(facts: StoreFacts, names: tuple[str, ...], token: SyncToken | None) -> Position:
    """Return the position to go on from.

    Raises:
        InvalidSyncToken: only for what can never be answered right (SYNC.md, "Token").
    """
    if token is None:
        return Position(0, 0, 0, facts.seq)
    at = token.position or Position(token.number, AFTER_ALL, 0, token.number)
    mine = (facts.id, facts.epoch, _scope_hash(names), "-")
    if (token.store_id, token.epoch, token.scope, token.view) != mine:
        raise InvalidSyncToken("the token is for something else")
    if at.number > facts.seq or at.base > facts.seq:
        raise InvalidSyncToken("the token is from the future")
    if at.base < facts.floor:
        raise InvalidSyncToken("the history since the token was swept")
    return at


def _page(
    unit: Unit, facts: StoreFacts, names: tuple[str, ...], start: Position, level: Level, limit: int
) -> list[Keyed]:
    scope = find_scope(unit, facts, names, base=start.base)
    if start.number == facts.seq and start.tie == AFTER_ALL:
        return []
    cursor: Key = (start.number, start.tie, start.changed)
    difference = Difference(unit, facts, scope, level, wanted=limit + 1)  # the cursor's own row is looked at again
    return list(itertools.islice(difference.rows(cursor, start.base), limit))


def _after(facts: StoreFacts, names: tuple[str, ...], start: Position, last: Key) -> SyncToken:
    return SyncToken(
        facts.id, facts.epoch, _scope_hash(names), last[0], position=Position(*last, start.base, start.relisting)
    )
