"""The one table from errors to HTTP: status, precondition or postcondition element, headers.

No other module sets a response status of 400 or more, and no text of an exception leaves by here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from davstore import errors
from davstore.errors import DavstoreError, QuotaExceeded, RequestError, SyncRefused, lists, rights
from davstore.protocol import urls
from davstore.protocol.dav import acl, error_body, multistatus, names
from davstore.protocol.dav.elements import CONTENT_TYPE, element, empty, href, text_element
from davstore.protocol.dav.hrefs import render_href
from davstore.protocol.dav.multistatus import PropStat
from davstore.protocol.dav.names import CPM, clark

Headers = list[tuple[str, str]]


Hrefs = Callable[[tuple[str, ...], bool], str]
"""Returns the absolute path of segments as the client knows it; the flag says whether it ends in a slash."""


class Edge(NamedTuple):
    """The facts of a request that errors lack: the spelling of hrefs, and the methods for Allow."""

    hrefs: Hrefs
    allowed: tuple[str, ...]


class Row(NamedTuple):
    """The answer to one class of errors. condition is a Clark name; content makes what its element holds.

    render makes the whole XML body, where that is not an error with the condition.
    """

    status: HTTPStatus
    condition: str | None = None
    render: Callable[[Any, Edge], bytes] | None = None
    headers: Callable[[Any, Edge], Headers] | None = None
    content: Callable[[Any, Hrefs], bytes] | None = None


class Refusal(NamedTuple):
    """A complete answer to a request that failed."""

    status: str
    headers: Headers
    body: bytes


ErrorPage = Callable[[HTTPStatus, int | None], tuple[Headers, bytes]]
"""Makes headers and body for a person from a status, and from the seconds after which to try again."""


def refuse(
    error: DavstoreError,
    *,
    hrefs: Hrefs = render_href,
    allowed: tuple[str, ...] = (),
    realm: str = "davstore",
    page: ErrorPage | None = None,
) -> Refusal:
    """Return the answer to an error. realm is the text that a browser shows when it asks for the password.

    hrefs spells the places that the error carries, allowed are the methods of the resource. page is given when a person
    gets the answer: people read no XML.
    """
    row, edge = find_row(error), Edge(hrefs, allowed)
    if page is not None:
        headers, body = page(row.status, getattr(error, "retry_after_seconds", None))
    else:
        body, content_type = _render(error, row, edge)
        headers = [("Content-Type", content_type)]
    headers.append(("Content-Length", str(len(body))))
    if row.status is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", f'Basic realm="{realm}", charset="UTF-8"'))
        headers.append(("WWW-Authenticate", f'Bearer realm="{realm}"'))
    if row.headers is not None:
        headers += row.headers(error, edge)
    return Refusal(f"{row.status.value} {row.status.phrase}", headers, body)


def _render(error: DavstoreError, row: Row, edge: Edge) -> tuple[bytes, str]:
    """Return the body for programs, and its type."""
    if row.render is not None:
        return row.render(error, edge), CONTENT_TYPE
    condition = find_condition(error, edge.hrefs)
    if condition is not None:
        return error_body.render(condition), CONTENT_TYPE
    return f"{row.status.phrase}\n".encode(), "text/plain; charset=utf-8"


def find_condition(error: DavstoreError, hrefs: Hrefs = render_href) -> bytes | None:
    """Return the element of the condition of an error, as one response of a multistatus has it; None: it has none."""
    row = find_row(error)
    if row.condition is None:
        return None
    return empty(row.condition) if row.content is None else element(row.condition, row.content(error, hrefs))


def find_row(error: DavstoreError) -> Row:
    """Return the row of an error's class, or of the nearest class above it; 500 if no request can cause it."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), _FAILURE)


def is_failure(error: DavstoreError) -> bool:
    """Tell whether the fault is ours, for the log."""
    return find_row(error).status is HTTPStatus.INTERNAL_SERVER_ERROR


def group_by_row(reasons: Mapping[str, DavstoreError]) -> list[PropStat]:
    """Return the failed properties of one request, those with the same status and condition together."""
    groups: dict[tuple[int, bytes | None], list[bytes]] = {}
    for name, reason in reasons.items():
        key = (find_row(reason).status.value, find_condition(reason))
        groups.setdefault(key, []).append(empty(name))
    return [PropStat(status, b"".join(names), condition) for (status, condition), names in groups.items()]


def _retry_after(error: Any, _edge: Edge) -> Headers:
    return [("Retry-After", str(error.retry_after_seconds))]


def _allow(error: errors.MethodNotAllowed | errors.WrongKind, edge: Edge) -> Headers:
    own = error.allowed if isinstance(error, errors.MethodNotAllowed) else ()
    return [("Allow", ", ".join(own or edge.allowed))]


def _quota(error: QuotaExceeded, _edge: Edge) -> bytes:
    quota = f'<C:quota used="{error.used_bytes}" limit="{error.limit_bytes}" needed="{error.needed_bytes}"/>'
    return error_body.render(empty("{DAV:}quota-not-exceeded"), quota.encode())


def _sync_refusal(error: SyncRefused, edge: Edge) -> bytes:
    principal = edge.hrefs(urls.device_segments(*error.device), True)  # noqa: FBT003  the slash of a collection
    return error_body.render(sync_refusal(error, href(principal)))


def sync_refusal(error: SyncRefused, principal: bytes) -> bytes:
    """Return the condition of a refused device; principal is the `D:href` of its principal."""
    content = [
        text_element(clark(CPM, "decided-by"), error.decided_by),
        text_element(clark(CPM, "rule"), error.rule),
        element(names.POLICY, principal),
    ]
    if error.allowed_modes:
        modes = [text_element(clark(CPM, "mode"), mode) for mode in error.allowed_modes]
        content.append(element(clark(CPM, "allowed-modes"), *modes))
    return element(clark(CPM, error.condition), *content)


def _suspended(_error: errors.DeviceSuspended, _edge: Edge) -> bytes:
    return error_body.render(element(names.DEVICE_ENROLLED, text_element(names.STATE, "suspended")))


def _mkcol(error: errors.PropertiesRefused, _edge: Edge) -> bytes:
    return multistatus.mkcol_response(group_by_row(error.reasons))


def _too_wide(error: errors.PreferenceTooWide, _hrefs: Hrefs) -> bytes:
    decided = text_element(clark(CPM, "decided-by"), error.decided_by) + text_element(clark(CPM, "rule"), error.rule)
    return decided + empty(error.element)


def _roots(error: errors.Locked, hrefs: Hrefs) -> bytes:
    return b"".join(href(hrefs(urls.segments_of(path), slash)) for path, slash in error.roots)


def _unknown(error: lists.UnknownMembers, _hrefs: Hrefs) -> bytes:
    return b"".join(text_element(names.HREF, sent) for sent in error.hrefs)


def _lacks(error: rights.NeedPrivileges, hrefs: Hrefs) -> bytes:
    return acl.render_lacks((hrefs(urls.segments_of(path), slash), bits) for path, slash, bits in error.lacks)


_FAILURE: Final = Row(HTTPStatus.INTERNAL_SERVER_ERROR)
TABLE: Final[dict[type[RequestError], Row]] = {
    RequestError: _FAILURE,
    errors.Refused: Row(HTTPStatus.FORBIDDEN),
    errors.Missing: Row(HTTPStatus.NOT_FOUND),
    errors.Conflict: Row(HTTPStatus.CONFLICT),
    errors.NoRoom: Row(HTTPStatus.INSUFFICIENT_STORAGE),
    errors.Malformed: Row(HTTPStatus.BAD_REQUEST),
    errors.TooSlow: Row(HTTPStatus.REQUEST_TIMEOUT),
    errors.TargetTooLong: Row(HTTPStatus.REQUEST_URI_TOO_LONG),
    errors.ExternalEntities: Row(HTTPStatus.FORBIDDEN, "{DAV:}no-external-entities"),
    errors.Unauthenticated: Row(HTTPStatus.UNAUTHORIZED),
    errors.Throttled: Row(HTTPStatus.TOO_MANY_REQUESTS, headers=_retry_after),
    errors.CrossOrigin: Row(HTTPStatus.FORBIDDEN),
    errors.NotFound: Row(HTTPStatus.NOT_FOUND),
    errors.OutOfView: Row(HTTPStatus.NOT_FOUND, names.OUT_OF_VIEW),
    errors.ConversationMissing: Row(HTTPStatus.NOT_FOUND, clark(CPM, "conversation-exists")),
    errors.ParentMissing: Row(HTTPStatus.CONFLICT),
    errors.WrongKind: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.AlreadyExists: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.IsCollection: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.NoCollection: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.IsRoot: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.OnlyCollection: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.MethodNotAllowed: Row(HTTPStatus.METHOD_NOT_ALLOWED, headers=_allow),
    errors.NotImplementedMethod: Row(HTTPStatus.NOT_IMPLEMENTED),
    errors.SourceIsDestination: Row(HTTPStatus.FORBIDDEN),
    errors.NotBeneath: Row(HTTPStatus.FORBIDDEN),
    errors.ForeignDestination: Row(HTTPStatus.BAD_GATEWAY),
    errors.PreconditionFailed: Row(HTTPStatus.PRECONDITION_FAILED),
    errors.Locked: Row(HTTPStatus.LOCKED, names.LOCK_TOKEN_SUBMITTED, content=_roots),
    errors.LockConflict: Row(HTTPStatus.LOCKED, names.NO_CONFLICTING_LOCK, content=_roots),
    errors.LockTokenMismatch: Row(HTTPStatus.CONFLICT, names.LOCK_TOKEN_MATCHES_REQUEST_URI),
    errors.LockNotRefreshed: Row(HTTPStatus.PRECONDITION_FAILED, names.LOCK_TOKEN_MATCHES_REQUEST_URI),
    errors.TooManyLocks: Row(HTTPStatus.FORBIDDEN, clark(CPM, "locks-within-limits")),
    errors.TooManyDevices: Row(HTTPStatus.FORBIDDEN, clark(CPM, "devices-within-limits")),
    errors.TooManyDispositions: Row(HTTPStatus.FORBIDDEN, clark(CPM, "dispositions-within-limits")),
    errors.TreeTooLarge: Row(HTTPStatus.FORBIDDEN, names.TREE_WITHIN_LIMITS),
    errors.SessionInfoUnique: Row(HTTPStatus.CONFLICT, clark(CPM, "session-info-unique")),
    errors.ConflictingValue: Row(HTTPStatus.CONFLICT),
    errors.WrongPreference: Row(
        HTTPStatus.CONFLICT, names.VALID_SYNC_PREFERENCES, content=lambda error, _hrefs: empty(error.element)
    ),
    errors.PreferenceTooWide: Row(HTTPStatus.CONFLICT, names.SYNC_CEILINGS_RESPECTED, content=_too_wide),
    errors.UnsupportedMediaType: Row(HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    errors.Unprocessable: Row(HTTPStatus.UNPROCESSABLE_ENTITY),
    errors.TooLarge: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    errors.RangeNotSatisfiable: Row(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        headers=lambda error, _edge: [("Content-Range", f"bytes */{error.length_bytes}")],
    ),
    errors.QuotaExceeded: Row(HTTPStatus.INSUFFICIENT_STORAGE, "{DAV:}quota-not-exceeded", _quota),
    errors.DiskFull: Row(HTTPStatus.INSUFFICIENT_STORAGE, "{DAV:}sufficient-disk-space"),
    errors.Unavailable: Row(HTTPStatus.SERVICE_UNAVAILABLE, headers=_retry_after),
    errors.DamagedDatabase: Row(HTTPStatus.SERVICE_UNAVAILABLE, headers=_retry_after),
    errors.CorruptBlob: Row(HTTPStatus.INTERNAL_SERVER_ERROR),
    errors.NameNotAllowed: Row(HTTPStatus.FORBIDDEN, "{DAV:}name-allowed"),
    errors.InvalidSyncToken: Row(HTTPStatus.FORBIDDEN, "{DAV:}valid-sync-token"),
    errors.UnsupportedReport: Row(HTTPStatus.FORBIDDEN, "{DAV:}supported-report"),
    errors.TraversalNotSupported: Row(HTTPStatus.FORBIDDEN, "{DAV:}sync-traversal-supported"),
    errors.UnsupportedOperation: Row(HTTPStatus.UNPROCESSABLE_ENTITY, clark(CPM, "supported-operation")),
    errors.UnsupportedFilter: Row(HTTPStatus.UNPROCESSABLE_ENTITY, clark(CPM, "sync-filter-supported")),
    errors.LimitNotSupported: Row(HTTPStatus.INSUFFICIENT_STORAGE, "{DAV:}number-of-matches-within-limits"),
    errors.InfiniteDepth: Row(HTTPStatus.FORBIDDEN, "{DAV:}propfind-finite-depth"),
    errors.InvalidResourceType: Row(HTTPStatus.FORBIDDEN, "{DAV:}valid-resourcetype"),
    errors.ThreadIsComputed: Row(HTTPStatus.FORBIDDEN, clark(CPM, "thread-membership-is-computed")),
    rights.ShareIsFixed: Row(HTTPStatus.FORBIDDEN, clark(CPM, "share-is-fixed")),
    errors.PartIsImmutable: Row(HTTPStatus.FORBIDDEN, clark(CPM, "part-is-immutable")),
    errors.ProtectedProperty: Row(HTTPStatus.FORBIDDEN, names.CANNOT_MODIFY_PROTECTED_PROPERTY),
    rights.NeedPrivileges: Row(HTTPStatus.FORBIDDEN, "{DAV:}need-privileges", content=_lacks),
    rights.DenyAfterGrant: Row(HTTPStatus.FORBIDDEN, "{DAV:}deny-before-grant"),
    rights.InvertedPrincipal: Row(HTTPStatus.FORBIDDEN, "{DAV:}no-invert"),
    rights.ProtectedAce: Row(HTTPStatus.FORBIDDEN, "{DAV:}no-protected-ace-conflict"),
    rights.InheritedAce: Row(HTTPStatus.FORBIDDEN, "{DAV:}no-inherited-ace-conflict"),
    rights.UnsupportedPrivilege: Row(HTTPStatus.FORBIDDEN, "{DAV:}not-supported-privilege"),
    rights.RecognizedPrincipal: Row(HTTPStatus.FORBIDDEN, "{DAV:}recognized-principal"),
    rights.AllowedPrincipal: Row(HTTPStatus.FORBIDDEN, "{DAV:}allowed-principal"),
    rights.ExpiryInFuture: Row(HTTPStatus.FORBIDDEN, clark(CPM, "expiry-in-future")),
    rights.TooManyAces: Row(HTTPStatus.FORBIDDEN, "{DAV:}limited-number-of-aces"),
    lists.UnknownMembers: Row(HTTPStatus.CONFLICT, "{DAV:}recognized-principal", content=_unknown),
    lists.ListCycle: Row(HTTPStatus.CONFLICT, clark(CPM, "no-list-cycle")),
    lists.TooManyLists: Row(HTTPStatus.CONFLICT, clark(CPM, "lists-within-limits")),
    errors.SyncRefused: Row(HTTPStatus.FORBIDDEN, render=_sync_refusal),
    errors.SyncUnwanted: Row(HTTPStatus.CONFLICT, render=_sync_refusal),
    errors.SyncDeferred: Row(HTTPStatus.TOO_MANY_REQUESTS, render=_sync_refusal, headers=_retry_after),
    errors.SyncWindowClosed: Row(HTTPStatus.SERVICE_UNAVAILABLE, render=_sync_refusal, headers=_retry_after),
    errors.DeviceRequired: Row(HTTPStatus.FORBIDDEN, names.DEVICE_ENROLLED),
    errors.DeviceSuspended: Row(HTTPStatus.FORBIDDEN, names.DEVICE_ENROLLED, _suspended),
    errors.PropertiesRefused: Row(HTTPStatus.FORBIDDEN, render=_mkcol),
    errors.PropertiesOverQuota: Row(HTTPStatus.INSUFFICIENT_STORAGE, render=_mkcol),
    errors.FailedDependency: Row(HTTPStatus.FAILED_DEPENDENCY),
}
