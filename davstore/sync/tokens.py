"""Sync tokens: the position that a run goes on from, the token that ends a page, and refusals (RFC 6578 §3.2)."""

from __future__ import annotations

import hashlib

from davstore.errors import InvalidSyncToken
from davstore.model.changes import FULL_RELISTING, NO_RELISTING, WHOLE, Key, Position, Stamp, SyncToken
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Path

EVERYTHING = Stamp()
"""The stamp of the view that holds everything."""
AFTER_ALL = 2**80
"""The tie of a complete token: after every row of its number."""


def scope_hash(path: Path) -> str:
    """Return the hash that says in a token which collection it is for."""
    return hashlib.blake2b(path.key.encode(), digest_size=8).hexdigest()


def current_token(facts: StoreFacts, path: Path, view: str = WHOLE) -> SyncToken:
    """Return the token of a device that has all of a collection in a view as this snapshot shows it."""
    return SyncToken(facts.id, facts.epoch, scope_hash(path), facts.seq, view)


def start(facts: StoreFacts, path: Path, token: SyncToken | None, asked: Stamp = EVERYTHING) -> tuple[Position, Stamp]:
    """Return the position that a run begins or goes on from (None: it begins with nothing), and the stamp of its view.

    asked is the stamp of the view that is asked for, at this time. A token of another view is as good: the run begins
    again, to tell the difference of both, or everything where the device does not have all of the view before. So does
    one of the same view that a member has left by its age. A truncated run is judged at the time that it began.

    Raises:
        InvalidSyncToken: only where no report can be right: the token is of another store or collection, is from the
        future, or its run began before the history that is kept.
    """
    if token is None:
        return Position(0, 0, 0, facts.seq), asked
    at = token.position or Position(token.number, AFTER_ALL, 0, token.number)
    mine = (facts.id, facts.epoch, scope_hash(path))
    if (token.store_id, token.epoch, token.scope) != mine:
        raise InvalidSyncToken("the token is for something else")
    if at.number > facts.seq or at.base > facts.seq:
        raise InvalidSyncToken("the token is from the future")
    if at.base < facts.floor:
        raise InvalidSyncToken("the history since the token was swept")
    if token.view == asked.hash and not asked.at_s:  # the same view, which no member leaves by its age
        return at, asked
    known = Stamp.parse(token.view)
    if known.hash == asked.hash and token.position is not None:
        return at, known
    if known.hash == asked.hash and (not known.next_s or asked.at_s < known.next_s):
        return at, Stamp(known.hash, max(known.at_s, asked.at_s), known.next_s)
    # Of the view before, up to the base. A run that itself came from another view may owe removals in folders of that.
    has_all = token.position is None or (at.number > at.base and at.relisting == NO_RELISTING)
    before = known._replace(next_s=0).text
    return Position(0, 0, 0, at.base, relisting=before if has_all else FULL_RELISTING), asked


def after(facts: StoreFacts, path: Path, begun: Position, last: Key, view: str = WHOLE) -> SyncToken:
    """Return the token that goes on after the last row of a truncated page, in the run that began so."""
    position = Position(*last, begun.base, begun.relisting)
    return SyncToken(facts.id, facts.epoch, scope_hash(path), last[0], view, position)
