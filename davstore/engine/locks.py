"""Locks in the way of a change, and the changes of locks themselves (RFC 4918 §6, §7), in the unit that acts."""

from __future__ import annotations

import itertools
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable

from davstore.engine.context import Context
from davstore.engine.writer import Member, Writer
from davstore.errors import LockConflict, Locked, TooManyLocks
from davstore.metadata import bindings, locks
from davstore.metadata.bindings import Resolved
from davstore.metadata.unit import Unit
from davstore.model.conditions import Preconditions
from davstore.model.locks import Lock, LockInfo, LockScope
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path

_TOKEN = "urn:davstore:lock:"  # noqa: S105 - the beginning of a token
"""Shorter than a UUID's: neon's suite has room for two entity tags and 37 characters of token in one `If`."""


def list_held(context: Context, unit: Unit, facts: StoreFacts) -> list[Lock]:
    """Return the locks that are held in a store, for use cases that only read; a `Writer` has its own."""
    return locks.list_locks(unit, facts, now_us=context.now_us) if facts.may_hold_locks else []


def end_token(unit: Unit, store_id: int, token: str, *, now_us: int) -> None:
    """End the lock of a token for an operator."""
    locks.remove_locks(unit, store_id, [token], now_us=now_us)


def find_covering(unit: Unit, store_id: int, held: list[Lock], place: Resolved) -> list[Lock]:
    """Return the locks that protect the resource at a place, or that would protect one at an unmapped place."""
    if not held:
        return []
    if place.resource is None:
        node_id, above = None, {step.node_id for step in place.steps}
    else:
        node_id = place.resource.node_id
        above = bindings.list_above(unit, store_id, [node_id])[node_id]
    return [lock for lock in held if lock.covers(node_id, above)]


def submitted_tokens(conditions: Preconditions) -> set[str]:
    """Return the state tokens in the `If` header: they count as submitted wherever they stand (RFC 4918 §10.4.1)."""
    lists = conditions.if_lists or ()
    return {condition.token for one in lists for condition in one.conditions if condition.token is not None}


def require_open(
    writer: Writer, conditions: Preconditions, *, nodes: Collection[int], trees: Collection[int] = ()
) -> None:
    """Raise Locked when a lock is in the way of changing nodes, or trees with all beneath them.

    A collection changes when a member is mapped or unmapped. A lock is in the way along every binding of its node
    until its own user submits its token; of shared ones on the same resource, one token is enough (RFC 4918 §7).
    """
    blocking = find_blocking(writer, conditions, nodes=nodes, trees=trees)
    if blocking:
        raise locked_by(itertools.chain.from_iterable(blocking.values()))


def find_blocking(
    writer: Writer, conditions: Preconditions, *, nodes: Collection[int], trees: Collection[int] = ()
) -> dict[int, set[Lock]]:
    """Return the locks in the way of changing each of nodes and trees, as `require_open`, where there are any."""
    held = writer.held()
    if not held:
        return {}
    submitted = submitted_tokens(conditions)
    mine = {lock.token for lock in held if _is_own(writer.context, lock) and lock.token in submitted}
    locked = {lock.node_id for lock in held} if trees else set()
    above = bindings.list_above(writer.unit, writer.ledger.store_id, {*nodes, *trees, *locked})
    asked, whole = {*nodes, *trees}, {*trees}
    blocking: defaultdict[int, set[Lock]] = defaultdict(set)
    for node_id in asked | locked:
        tops = {*(above[node_id] & whole), *({node_id} & asked)}
        covering = [lock for lock in held if lock.covers(node_id, above[node_id])] if tops else []
        if not any(lock.token in mine for lock in covering):
            for top in tops:
                blocking[top].update(covering)
    return {node_id: found for node_id, found in blocking.items() if found}


def locked_by(blocking: Iterable[Lock]) -> Locked:
    """Return the error of locks that are in the way."""
    return Locked(_roots_of(blocking))


def _roots_of(found: Iterable[Lock]) -> tuple[tuple[Path, bool], ...]:
    """Return the URLs where locks were taken, each once, as `Locked` carries them."""
    return tuple(sorted({(lock.root, lock.is_collection) for lock in found}))


def find_own(writer: Writer, place: Resolved, tokens: set[str]) -> tuple[Lock | None, list[Lock]]:
    """Return the one lock among the tokens that protects a place and is the asker's own, and all that protect it.

    A token is no authority by itself (RFC 4918 §6.4).
    """
    covering = find_covering(writer.unit, writer.ledger.store_id, writer.held(), place)
    own = [lock for lock in covering if lock.token in tokens and _is_own(writer.context, lock)]
    return (own[0] if len(own) == 1 else None), covering


def _is_own(context: Context, lock: Lock) -> bool:
    return lock.user_id == context.asker.id


def own_locks(context: Context, held: list[Lock]) -> list[Lock]:
    """Return the locks that the asker holds."""
    return [lock for lock in held if _is_own(context, lock)]


def grant(
    writer: Writer, member: Member, resource: Resource, info: LockInfo, *, infinite: bool, expires_us: int
) -> tuple[Lock, list[Lock]]:
    """Lock a resource at a URL; return the lock, and all that protect the resource then.

    Raises:
        LockConflict: another lock on it, above it, or beneath it for an infinite one.
        TooManyLocks: the user or the resource has as many as may be.
    """
    sweep(writer)
    covering = _require_grantable(writer, resource, info, infinite=infinite)
    new = Lock(
        token=f"{_TOKEN}{secrets.token_urlsafe(12)}",
        node_id=resource.node_id,
        user_id=writer.context.asker.id,
        scope=info.scope,
        infinite=infinite,
        owner=info.owner,
        expires_us=expires_us,
        root=member.path,
        is_collection=bool(resource.is_collection),
    )
    locks.insert_lock(writer.unit, writer.ledger.store_id, new)
    writer.forget_held()
    return new, [*covering, new]


def _require_grantable(writer: Writer, resource: Resource, info: LockInfo, *, infinite: bool) -> list[Lock]:
    """Return the locks that protect a resource already, if one more may be added to them."""
    held = writer.held()
    if not held:
        return held
    node_id = resource.node_id
    above = bindings.list_above(writer.unit, writer.ledger.store_id, {node_id, *(one.node_id for one in held)})
    covering = [one for one in held if one.covers(node_id, above[node_id])]
    beneath = [one for one in held if infinite and node_id in above[one.node_id]]
    conflicting = [one for one in (*covering, *beneath) if LockScope.EXCLUSIVE in (one.scope, info.scope)]
    if conflicting:
        raise LockConflict(_roots_of(conflicting))
    own, there = len(own_locks(writer.context, held)), sum(one.node_id == node_id for one in held)
    limits = writer.context.services.limits
    if own >= limits.locks_per_user or there >= limits.locks_per_resource:
        raise TooManyLocks(f"{own} locks of the user, {there} on the resource")
    return covering


def renew(writer: Writer, found: Lock, *, expires_us: int) -> Lock:
    """Let a lock be held until another time."""
    locks.refresh_lock(writer.unit, writer.ledger.store_id, found.token, expires_us=expires_us)
    sweep(writer)
    writer.forget_held()
    return found._replace(expires_us=expires_us)


def end(writer: Writer, found: Lock) -> None:
    """End a lock."""
    locks.remove_locks(writer.unit, writer.ledger.store_id, [found.token], now_us=writer.context.now_us)
    writer.forget_held()


def sweep(writer: Writer) -> None:
    """Delete the locks that expired: none of them is held."""
    locks.sweep_locks(writer.unit, writer.ledger.store_id, now_us=writer.context.now_us)
