"""Pages of a sync-collection report, and its tokens (RFC 6578 §3)."""

from __future__ import annotations

import hashlib
import itertools

from davstore.errors import InvalidSyncToken, NotFound, UnsupportedReport
from davstore.metadata.unit import Unit
from davstore.model.changes import Level, Position, SyncToken
from davstore.model.nodes import StoreFacts
from davstore.sync.difference import Difference, Key, Keyed, find_scope

AFTER_ALL = 2**80
"""The tie of a complete token: after every row of its number."""


def current_token(facts: StoreFacts, names: tuple[str, ...]) -> SyncToken:
    """Return the token of a device that has all of a collection as this snapshot shows it."""
    return SyncToken(facts.id, facts.epoch, _scope_hash(names), facts.seq)


def _scope_hash(names: tuple[str, ...]) -> str:
    return hashlib.blake2b("/".join(names).encode(), digest_size=8).hexdigest()


def is_current(unit: Unit, facts: StoreFacts, names: tuple[str, ...], token: SyncToken) -> bool:
    """Tell whether a report of a collection from token, at level infinite, would be empty (RFC 6578 §5)."""
    try:
        start = start_of(facts, names, token)
        return not page(unit, facts, names, start, Level.INFINITE, 1)
    except (InvalidSyncToken, NotFound, UnsupportedReport):
        return False


def start_of(facts: StoreFacts, names: tuple[str, ...], token: SyncToken | None) -> Position:
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


def page(
    unit: Unit, facts: StoreFacts, names: tuple[str, ...], start: Position, level: Level, limit: int
) -> list[Keyed]:
    scope = find_scope(unit, facts, names, base=start.base)
    if start.number == facts.seq and start.tie == AFTER_ALL:
        return []
    cursor: Key = (start.number, start.tie, start.changed)
    difference = Difference(unit, facts, scope, level, wanted=limit + 1)  # the cursor's own row is looked at again
    return list(itertools.islice(difference.rows(cursor, start.base), limit))


def after(facts: StoreFacts, names: tuple[str, ...], start: Position, last: Key) -> SyncToken:
    return SyncToken(
        facts.id, facts.epoch, _scope_hash(names), last[0], position=Position(*last, start.base, start.relisting)
    )
