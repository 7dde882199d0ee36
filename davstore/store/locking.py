"""LOCK and UNLOCK (RFC 4918 §9.10, §9.11): locks live in the database and are judged in the unit that acts."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Final, NamedTuple

from davstore.engine import locks, transaction
from davstore.engine.conditions import require_met
from davstore.engine.context import Context
from davstore.engine.deciding import decide, require_changeable, resolve_for
from davstore.engine.writer import Member, Writer
from davstore.errors import Locked, LockNotRefreshed, LockTokenMismatch, NotFound
from davstore.metadata import stores
from davstore.metadata.bodies import Received, Stored
from davstore.metadata.database import Database
from davstore.metadata.locks import list_locks
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.locks import Lock, LockInfo
from davstore.model.nodes import Resource
from davstore.model.paths import Path

_EMPTY: Final = Received(Stored(b"", None, 0, hashlib.sha256(b"").hexdigest()))


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
        OnlyCollection: nothing is there, and creatable says that no resource can be.
        LockConflict: another lock on it, above it, or beneath it for an infinite one.
        TooManyLocks: the user or the resource has as many as may be.
    """

    def work(writer: Writer) -> Granted:
        member = decide(writer, "LOCK", path, conditions, creatable=creatable)
        resource = member.resource or writer.make(member, _EMPTY)
        expires_us = _expiry(context, seconds)
        new, covering = locks.grant(writer, member, resource, info, infinite=infinite, expires_us=expires_us)
        return Granted(new, covering, member.resource is None, new.is_collection)

    return transaction.write(context, path, work)


def refresh(context: Context, path: Path, conditions: Preconditions, *, seconds: int | None) -> Granted:
    """Restart the clock of the lock whose token the `If` header holds (RFC 4918 §9.10.2).

    Raises:
        LockNotRefreshed: no token, or several, of locks that are this user's and protect what the URL names.
        PreconditionFailed.
    """

    def work(writer: Writer) -> Granted:
        place = resolve_for(writer, "LOCK", path)
        found, covering = locks.find_own(writer, place, locks.submitted_tokens(conditions))
        if found is None:  # before the conditions: this is the error of an `If` with a token that is no lock's
            raise LockNotRefreshed(path.name)
        require_met(writer, place.resource, conditions)
        fresh = locks.renew(writer, found, expires_us=_expiry(context, seconds))
        is_collection = place.resource is not None and bool(place.resource.is_collection)
        covering = [fresh if one is found else one for one in covering]
        return Granted(fresh, covering, created=False, is_collection=is_collection)

    return transaction.write(context, path, work)


def unlock(
    context: Context, path: Path, token: str, conditions: Preconditions = NONE, *, discard: bool = False
) -> Resource:
    """End a lock; the URL may be any that it protects (RFC 4918 §9.11). Return the resource at the URL.

    With discard, the resource is deleted, unless it is a collection or another lock is in the way.

    Raises:
        NotFound, PreconditionFailed.
        LockTokenMismatch: no such lock, or it does not protect what the URL names.
        NeedPrivileges: it is the lock of another, and the asker may not end such (RFC 3744 §3.5).
    """

    def work(writer: Writer) -> Resource:
        member = decide(writer, "UNLOCK", path, conditions)
        found, covering = locks.find_own(writer, member.place, {token})
        found = found or next((one for one in covering if one.token == token), None)
        if found is None:
            raise LockTokenMismatch(path.name)
        if found.user_id != context.asker.id:
            decide(writer, "UNLOCK", path, conditions, act="unlock for another")
        locks.end(writer, found)
        resource = member.get()
        if discard and not resource.is_collection:
            _discard(writer, member)
        return resource

    return transaction.write(context, path, work)


def _discard(writer: Writer, member: Member) -> None:
    with contextlib.suppress(Locked):
        require_changeable(writer, "DELETE", member)
        writer.unbind(member)


def list_all(database: Database, owner: str | None, *, now_us: int) -> list[Lock]:
    """Return the locks that are held, in all stores or in one. Raises NotFound."""

    def work(unit: Unit) -> list[Lock]:
        owners = stores.list_owners(unit) if owner is None else [owner]
        return [held for one in owners for held in list_locks(unit, stores.get(unit, one), now_us=now_us)]

    return database.read(work)


def end(database: Database, owner: str, token: str, *, now_us: int) -> None:
    """End a lock of any user for the operator. Raises NotFound: no such store, or no such lock in it."""

    def work(unit: Unit) -> None:
        facts = stores.lock(unit, owner).facts
        if token not in {held.token for held in list_locks(unit, facts, now_us=now_us)}:
            raise NotFound(f"{owner} has no lock {token}")
        locks.end_token(unit, facts.id, token, now_us=now_us)

    database.write(work)


def _expiry(context: Context, seconds: int | None) -> int:
    longest = context.services.limits.lock_seconds
    return context.now_us + 1_000_000 * (longest if seconds is None else max(1, min(seconds, longest)))
