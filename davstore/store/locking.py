"""LOCK and UNLOCK (RFC 4918 §9.10, §9.11): locks live in the database and are judged in the unit that acts."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import NamedTuple

from davstore.engine.context import Context
from davstore.engine.guarding import (
    find_covering,
    list_held,
    require,
    require_parent,
    require_unlocked,
    roots_of,
    submitted_tokens,
)
from davstore.errors import (
    LockConflict,
    Locked,
    LockNotRefreshed,
    LockTokenMismatch,
    MethodNotAllowed,
    NotFound,
    TooManyLocks,
)
from davstore.metadata import bindings, locks, nodes, stores
from davstore.metadata.database import Database
from davstore.metadata.nodes import Stored, leaf
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.locks import Lock, LockInfo, LockScope
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.store.writing import make_resource, unmap

_TOKEN = "urn:davstore:lock:"  # noqa: S105 - what tokens begin with
"""Shorter than a UUID's: neon's suite has room for two entity tags and 37 characters of token in one `If`."""
_EMPTY = Stored(b"", None, 0, hashlib.sha256(b"").hexdigest())


class Granted(NamedTuple):
    """A lock, all locks that protect the resource now, whether LOCK made it, and whether it is a collection."""

    lock: Lock
    covering: list[Lock]
    created: bool
    is_collection: bool


def lock(
    context: Context,
    path: Path,
    info: LockInfo,
    conditions: Preconditions = NONE,
    *,
    infinite: bool,
    seconds: int | None,
    creatable: bool = True,
) -> Granted:
    """Lock what a URL names; an unmapped one becomes an empty resource, which stays (RFC 4918 §7.3).

    seconds is how long the client asks for, None for as long as may be; it gets at most the limit.

    Raises:
        ParentMissing, NameNotAllowed, PreconditionFailed, Locked.
        MethodNotAllowed: nothing is there, and creatable says that no resource can be.
        LockConflict: another lock on it, above it, or beneath it for an infinite one.
        TooManyLocks: the user or the resource has as many as may be.
    """

    def work(unit: Unit, ledger: Ledger) -> Granted:
        resource = bindings.resolve(unit, ledger.facts, path.names).resource
        created = resource is None
        if resource is None:
            resource = _make_empty(context, unit, ledger, path, conditions, creatable=creatable)
        else:
            require(context, unit, ledger.facts, resource, conditions)
        locks.sweep_locks(unit, ledger.store_id, now_us=context.now_us)
        covering = _require_grantable(context, unit, ledger.store_id, resource, info, infinite=infinite)
        new = Lock(
            token=f"{_TOKEN}{secrets.token_urlsafe(12)}",
            node_id=resource.node_id,
            user_id=context.asker.user.id,
            scope=info.scope,
            infinite=infinite,
            owner=info.owner,
            expires_us=_expiry(context, seconds),
            root=path.names,
            is_collection=bool(resource.is_collection),
        )
        locks.insert_lock(unit, ledger.store_id, new)
        return Granted(new, [*covering, new], created, bool(resource.is_collection))

    return context.write(path.store, work)


def _make_empty(
    context: Context, unit: Unit, ledger: Ledger, path: Path, conditions: Preconditions, *, creatable: bool
) -> Resource:
    require(context, unit, ledger.facts, None, conditions)
    parent_id = require_parent(bindings.resolve(unit, ledger.facts, path.names), path)
    if not creatable:
        raise MethodNotAllowed
    require_unlocked(context, unit, ledger.store_id, conditions, nodes=[parent_id])
    row = leaf(nodes.insert_body(unit, ledger, _EMPTY), _EMPTY, None, now_us=context.now_us)
    return make_resource(unit, ledger, parent_id, path, row)


def _require_grantable(
    context: Context, unit: Unit, store_id: int, resource: Resource, info: LockInfo, *, infinite: bool
) -> list[Lock]:
    """Return the locks that protect a resource already, if one more may be added to them."""
    held = list_held(context, unit, store_id)
    if not held:
        return held
    node_id = resource.node_id
    above = bindings.list_above(unit, store_id, {node_id, *(one.node_id for one in held)})
    covering = [one for one in held if one.covers(node_id, above[node_id])]
    beneath = [one for one in held if infinite and node_id in above[one.node_id]]
    conflicting = [one for one in (*covering, *beneath) if LockScope.EXCLUSIVE in (one.scope, info.scope)]
    if conflicting:
        raise LockConflict(roots_of(conflicting))
    own = sum(one.user_id == context.asker.user.id for one in held)
    there = sum(one.node_id == node_id for one in held)
    if own >= context.services.limits.locks_per_user or there >= context.services.limits.locks_per_resource:
        raise TooManyLocks(f"{own} locks of the user, {there} on the resource")
    return covering


def refresh(context: Context, path: Path, conditions: Preconditions, *, seconds: int | None) -> Granted:
    """Restart the clock of the lock whose token the `If` header holds (RFC 4918 §9.10.2).

    Raises:
        LockNotRefreshed: no token, or several, of locks that are this user's and protect what the URL names.
        PreconditionFailed.
    """

    def work(unit: Unit, ledger: Ledger) -> Granted:
        place = bindings.resolve(unit, ledger.facts, path.names)
        covering = find_covering(unit, ledger.store_id, list_held(context, unit, ledger.store_id), place)
        found = _find_own(context, covering, submitted_tokens(conditions))
        if found is None:
            raise LockNotRefreshed(path.name)
        require(context, unit, ledger.facts, place.resource, conditions)
        fresh = found._replace(expires_us=_expiry(context, seconds))
        locks.refresh_lock(unit, ledger.store_id, fresh.token, expires_us=fresh.expires_us)
        locks.sweep_locks(unit, ledger.store_id, now_us=context.now_us)
        is_collection = place.resource is not None and bool(place.resource.is_collection)
        return Granted(
            fresh, [fresh if one is found else one for one in covering], created=False, is_collection=is_collection
        )

    return context.write(path.store, work)


def unlock(
    context: Context, path: Path, token: str, conditions: Preconditions = NONE, *, discard: bool = False
) -> Resource:
    """End a lock; the URL may be any that it protects (RFC 4918 §9.11). Return what the URL names.

    With discard, what was locked is thrown away, unless it is a collection or another lock is in the way.

    Raises:
        NotFound, PreconditionFailed.
        LockTokenMismatch: no such lock, or not this user's, or it does not protect what the URL names.
    """

    def work(unit: Unit, ledger: Ledger) -> Resource:
        place = bindings.resolve(unit, ledger.facts, path.names)
        require(context, unit, ledger.facts, place.resource, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        covering = find_covering(unit, ledger.store_id, list_held(context, unit, ledger.store_id), place)
        found = _find_own(context, covering, {token})
        if found is None:
            raise LockTokenMismatch(path.name)
        locks.remove_locks(unit, ledger.store_id, [found.token])
        locks.sweep_locks(unit, ledger.store_id, now_us=context.now_us)
        if discard and not place.resource.is_collection:
            with contextlib.suppress(Locked):
                unmap(context, unit, ledger, path, require_parent(place, path), place.resource, NONE)
        return place.resource

    return context.write(path.store, work)


def list_all(database: Database, owner: str | None, *, now_us: int) -> list[tuple[str, Lock]]:
    """Return the locks that are held, in all stores or in one, each with the owner of its store. Raises NotFound."""

    def work(unit: Unit) -> list[tuple[str, Lock]]:
        owners = stores.list_owners(unit) if owner is None else [owner]
        return [
            (one, held) for one in owners for held in locks.list_locks(unit, stores.get(unit, one).id, now_us=now_us)
        ]

    return database.read(work)


def end(database: Database, owner: str, token: str, *, now_us: int) -> None:
    """End a lock for the operator, whoever holds it. Raises NotFound: no such store, or no such lock in it."""

    def work(unit: Unit) -> None:
        store_id = stores.lock(unit, owner).store_id
        if token not in {held.token for held in locks.list_locks(unit, store_id, now_us=now_us)}:
            raise NotFound(f"{owner} has no lock {token}")
        locks.remove_locks(unit, store_id, [token])

    database.write(work)


def _find_own(context: Context, covering: list[Lock], tokens: set[str]) -> Lock | None:
    """Return the one lock among the tokens that is the user's own: a token is no authority by itself (§6.4)."""
    own = [one for one in covering if one.token in tokens and one.user_id == context.asker.user.id]
    return own[0] if len(own) == 1 else None


def _expiry(context: Context, seconds: int | None) -> int:
    longest = context.services.limits.lock_seconds
    return context.now_us + 1_000_000 * (longest if seconds is None else max(1, min(seconds, longest)))
