"""The errors that davstore raises on purpose, by meaning; those of rights are in `rights`.

Every error that a request can end in is a class here and carries the data of its answer. Nothing here knows HTTP:
the one table from class to status, DAV precondition and headers is in `middleware/errors.py`.
"""

from __future__ import annotations

import errno
from typing import Final

from davstore.model.paths import Path


class DavstoreError(Exception):
    """The root of all errors that davstore raises on purpose. Its text is for logs, never for clients."""


class RequestError(DavstoreError):
    """An error that a request can end in; its direct subclasses are the meanings that callers branch on."""


class Malformed(RequestError):
    """The request breaks a grammar or a rule of its method: it has no answer as sent."""


class TooSlow(Malformed):
    """The body of the request comes too slowly: its sender is gone, or means to hold a thread (RFC 9110 §15.5.9)."""


class TargetTooLong(Malformed):
    """The request target is longer, or leads deeper, than this server looks (RFC 9110 §15.5.15)."""


class ExternalEntities(Malformed):
    """The XML of the request declares external entities (RFC 4918 §17)."""


class Unauthenticated(RequestError):
    """No valid credentials came with the request."""


class Throttled(Unauthenticated):
    """Too many failed attempts; the credentials were not checked."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"too many failed attempts, again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class Refused(RequestError):
    """The request is understood and refused: by a rule, a policy, or because the server does not support it."""


class CrossOrigin(Refused):
    """An unsafe method came from a page of another origin."""


class ForeignDestination(Refused):
    """The destination is on another server, or in another store (docs/protocol.md#url-space)."""


class SourceIsDestination(Refused):
    """COPY or MOVE onto itself, into itself, or over an ancestor of the source (RFC 4918 §9.8.5, §9.9.4)."""


class NameNotAllowed(Refused):
    """The last segment of the URL is too long for a name: more than 255 bytes."""


class PartIsImmutable(Refused):
    """A part of a message, which only a PUT of the whole message changes (docs/messages.md)."""


class ProtectedProperty(Refused):
    """The property is protected (RFC 4918 §9.2.1, `cannot-modify-protected-property`)."""


class NotBeneath(Refused):
    """An href of a request for many resources names none that lies beneath the collection of the request."""


class InvalidResourceType(Refused):
    """Extended MKCOL asks for a type of collection that is not made here (RFC 5689 §3.3, `valid-resourcetype`)."""


class UnsupportedReport(Refused):
    """The resource does not support this report (RFC 3253 §3.6, `supported-report`)."""


class TraversalNotSupported(Refused):
    """A report reaches into what has scopes of its own (RFC 6578 §3.3, `sync-traversal-supported`)."""


class UnsupportedOperation(Refused):
    """POST with an operation that this server does not know (`supported-operation`)."""


class UnsupportedFilter(Refused):
    """A filter has an operator, a property or a literal that this server does not know (`sync-filter-supported`)."""


class Unprocessable(Refused):
    """Well-formed, understood, and not doable as asked."""


class SyncRefused(Refused):
    """The sync policy says no (`sync-allowed`, `sync-scope-allowed`).

    condition is the local name of the precondition element in `urn:davstore:cpm`; decided_by the voice of the rule:
    provider, user or device. device holds the names of the user and of the device that was refused.
    """

    def __init__(
        self,
        condition: str,
        *,
        rule: str,
        decided_by: str,
        device: tuple[str, str],
        allowed_modes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{condition}: rule {rule} of the {decided_by}")
        self.condition = condition
        self.rule = rule
        self.decided_by = decided_by
        self.device = device
        self.allowed_modes = allowed_modes


class SyncUnwanted(SyncRefused):
    """A preference says no, which its user can change (`automatic-sync-enabled`)."""


class SyncDeferred(SyncRefused):
    """The sync policy says: later (`sync-interval-respected`)."""

    def __init__(
        self, condition: str, *, rule: str, decided_by: str, device: tuple[str, str], retry_after_seconds: int
    ) -> None:
        super().__init__(condition, rule=rule, decided_by=decided_by, device=device)
        self.retry_after_seconds = retry_after_seconds


class SyncWindowClosed(SyncDeferred):
    """The sync policy says: at another hour (`sync-window-open`)."""


class DeviceRequired(Refused):
    """The provider lets only devices list and synchronise, and the asker signed in with a password."""


class DeviceSuspended(Refused):
    """The device is suspended: nothing is answered to it until its user or the operator lets it come again."""


class PropertiesRefused(Refused):
    """Some properties of a PROPPATCH or an extended MKCOL cannot be set; nothing was changed (RFC 4918 §9.2).

    reasons maps a Clark name to the error that refuses it. The others of the request failed with them (424).
    """

    def __init__(self, reasons: dict[str, DavstoreError]) -> None:
        super().__init__(", ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.reasons = reasons


class UnsupportedMediaType(Refused):
    """The request has a body that its method does not define (RFC 4918 §8.4, §9.3)."""


class NotImplementedMethod(Refused):
    """No resource of this server knows the method."""


class MethodNotAllowed(Refused):
    """The resource exists, and does not have this method.

    allowed are the methods of a resource that is not in the table of kinds.
    """

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(f"allowed: {', '.join(allowed)}")
        self.allowed = allowed


class Missing(RequestError):
    """The URL of the request names no resource."""


class NotFound(Missing):
    """The URL is unmapped, or this principal may not know of its resource."""


class OutOfView(Missing):
    """The resource is not in the view that the asker is shown (`out-of-view`)."""


class ConversationMissing(Missing):
    """The store has no conversation of that id, or this device is not shown it (`conversation-exists`)."""


class Conflict(RequestError):
    """The state of the store prevents the request: another request may change that."""


class ParentMissing(Conflict):
    """The collection that would hold the new member does not exist (RFC 4918 §9.3.1, §9.7.1)."""


class PreconditionFailed(Conflict):
    """A condition of the request does not hold: If-Match and kin, If, Overwrite: F."""


class LockNotRefreshed(PreconditionFailed):
    """LOCK with a token to refresh that is no lock's, or not of this principal or URL (RFC 4918 §9.10.6)."""


class Locked(Conflict):
    """A lock is in the way, and its holder did not submit its token (RFC 4918 §16, `lock-token-submitted`).

    roots are the places where such locks were taken, and whether a collection is there.
    """

    def __init__(self, roots: tuple[tuple[Path, bool], ...]) -> None:
        super().__init__(f"{len(roots)} locks are in the way")
        self.roots = roots


class LockConflict(Locked):
    """A lock that is held excludes the one that is asked for (RFC 4918 §16, `no-conflicting-lock`)."""


class LockTokenMismatch(Conflict):
    """UNLOCK with a token that is no lock's, or not of this principal or URL (RFC 4918 §9.11.1)."""


class SessionInfoUnique(Conflict):
    """A session history would hold a second session info object (docs/messages.md)."""


class ConflictingValue(Conflict):
    """The value has no meaning for this property, or is wrong for this resource (RFC 4918 §9.2.1)."""


class WrongPreference(ConflictingValue):
    """A preference cannot be read, or contradicts itself. element is the Clark name of the part that does."""

    def __init__(self, element: str, reason: str) -> None:
        super().__init__(f"{element}: {reason}")
        self.element = element


class PreferenceTooWide(WrongPreference):
    """A preference asks for more than a rule of the provider allows, which is no default."""

    def __init__(self, element: str, *, rule: str, decided_by: str) -> None:
        super().__init__(element, f"rule {rule} of the {decided_by}")
        self.rule = rule
        self.decided_by = decided_by


class InvalidSyncToken(Conflict):
    """The token is not of this collection, or its history was swept (RFC 6578 §3.2, `valid-sync-token`)."""


class RangeNotSatisfiable(Conflict):
    """No byte of the resource lies in the range asked for (RFC 9110 §15.5.17)."""

    def __init__(self, length_bytes: int) -> None:
        super().__init__(f"the resource has {length_bytes} bytes")
        self.length_bytes = length_bytes


class FailedDependency(Conflict):
    """Not done because something else of the same request failed (RFC 4918 §11.4)."""


class WrongKind(Conflict):
    """The resource at the URL is of a kind that does not have the method; Allow names the methods it has."""


class AlreadyExists(WrongKind):
    """MKCOL on a mapped URL (RFC 4918 §9.3.1)."""


class IsCollection(WrongKind):
    """A body is sent to a collection, which has none (RFC 4918 §9.7.2)."""


class NoCollection(WrongKind):
    """The method is one of collections alone."""


class ThreadIsComputed(Refused):
    """A change inside a thread, whose members the store finds by what messages say of themselves."""


class IsRoot(WrongKind):
    """The root of a store, which no method makes, replaces or takes away."""


class OnlyCollection(WrongKind):
    """The URL is unmapped and ends in a slash: only a collection could be made there, which the method does not do."""


class NoRoom(RequestError):
    """A bound would be passed: a quota, the disk, or the size or reach of one request."""


class QuotaExceeded(NoRoom):
    """The write would pass the store's quota (RFC 4331 §6)."""

    def __init__(self, *, used_bytes: int, limit_bytes: int, needed_bytes: int) -> None:
        super().__init__(f"{used_bytes} of {limit_bytes} bytes used, {needed_bytes} more needed")
        self.used_bytes = used_bytes
        self.limit_bytes = limit_bytes
        self.needed_bytes = needed_bytes


class DiskFull(NoRoom):
    """The disk has no room for the write (RFC 4331 §6, `sufficient-disk-space`)."""

    ERRNOS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    """The errors of a system call that mean it: no block is left, of the disk or for this user, or for one file."""


class TooLarge(NoRoom):
    """The body passes the cap of its method."""


class TreeTooLarge(NoRoom):
    """COPY, MOVE or DELETE would touch more nodes than one request may: other writers wait meanwhile."""


class TooManyLocks(NoRoom):
    """The user, or the resource, has the most locks that are allowed."""


class TooManyDevices(NoRoom):
    """The user has the most devices that are allowed; a revoked one frees its place."""


class TooManyDispositions(NoRoom):
    """A message, or a store for messages that are not there, has the most dispositions that are kept."""


class LimitNotSupported(NoRoom):
    """The answer would be longer than allowed (RFC 6578 §3.7, `number-of-matches-within-limits`)."""


class InfiniteDepth(NoRoom):
    """PROPFIND with depth infinity over too many members (RFC 4918 §9.1, `propfind-finite-depth`)."""


class PropertiesOverQuota(PropertiesRefused):
    """The properties of an extended MKCOL would pass the store's quota; nothing was made (RFC 4331 §6, RFC 5689 §3)."""


class Unavailable(RequestError):
    """The request cannot be served just now: the same one may pass later."""

    def __init__(self, message: str, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DamagedDatabase(Unavailable):
    """The database has lost tables or pages, which a restore brings back."""


class CorruptBlob(RequestError):
    """A body that a row names is missing or does not match its digest. blob: the name of a missing blob."""

    def __init__(self, message: str = "", *, blob: str | None = None) -> None:
        super().__init__(message)
        self.blob = blob


class OperatorError(DavstoreError):
    """An error of settings or processes: it is written to the terminal and never in a response."""


class BadSettings(OperatorError):
    """A setting is wrong; the text names file, line and key for the person at the terminal."""


class AlreadyRunning(OperatorError):
    """Another davstore process holds the data directory, the address or the backup."""


class BadBackup(OperatorError):
    """A backup is cut or altered; the text names the damage."""
