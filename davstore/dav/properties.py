"""THE table of live properties: name, what has it, how it is rendered, and whether allprop tells it.

Nearly all of them are the server's to set (`patches`). `displayname` is live on principals alone and a dead property
elsewhere. A piece is a function of one resource that returns the property's element, or None when the resource does not
have it. What is the same for all resources of a kind in one request is no function but that value itself, rendered
before the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.dav.kinds import TABLE as KINDS
from davstore.dav.kinds import Kind
from davstore.engine.rights import home
from davstore.model.locks import Lock
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path
from davstore.model.principals import Principal
from davstore.policy.quota import charged_bytes
from davstore.protocol import urls
from davstore.protocol.dav import lockinfo, names, owncloud, sync_token
from davstore.protocol.dav.elements import element, empty, href, text_element
from davstore.protocol.dav.hrefs import Spelling
from davstore.protocol.http.dates import render_http_date, render_iso_date
from davstore.sync.tokens import current_token

Value = bytes | None
Piece = Callable[[Resource], Value]


class PropertyContext(NamedTuple):
    """Who asks, of which store, and when; facts is None outside of all stores.

    locks are those of the store, checksums are by node; both are there only where they were asked for.
    """

    principal: Principal
    facts: StoreFacts | None = None
    locks: Sequence[Lock] = ()
    checksums: Mapping[int, str] = MappingProxyType({})
    now_us: int = 0
    spelling: Spelling = Spelling()
    free_bytes: Callable[[], int] = lambda: 0
    """What is left of the disk; asked where there are facts, and for all resources of a request the same."""

    def href(self, segments: tuple[str, ...]) -> bytes:
        """Return `D:href` of a collection outside of stores."""
        return href(self.spelling.href(segments, slash=True))


class Live(NamedTuple):
    """A live property."""

    name: str
    kinds: frozenset[Kind]
    piece: Callable[[PropertyContext, Kind], Piece | Value]
    in_allprop: bool = False


def _each(piece: Piece) -> Callable[[PropertyContext, Kind], Piece]:
    return lambda _view, _kind: piece


_COLLECTION_TYPE: Final = element(names.RESOURCETYPE, empty(names.COLLECTION))
_PRINCIPAL_TYPE: Final = element(names.RESOURCETYPE, empty(names.COLLECTION), empty("{DAV:}principal"))
_UNLOCKED: Final = empty(names.LOCKDISCOVERY)
_RESOURCE_TYPE: Final = empty(names.RESOURCETYPE)
_ROOT: Final = text_element(names.ROOT, "T")


def _resourcetype(_view: PropertyContext, kind: Kind) -> bytes:
    return {Kind.RESOURCE: _RESOURCE_TYPE, Kind.PRINCIPAL: _PRINCIPAL_TYPE}.get(kind, _COLLECTION_TYPE)


def _root(resource: Resource) -> bytes | None:
    return None if resource.name else _ROOT


def _getetag(resource: Resource) -> bytes | None:
    return None if resource.etag is None else f'<D:getetag>"{resource.etag}"</D:getetag>'.encode()


def _getcontentlength(resource: Resource) -> bytes | None:
    return b"<D:getcontentlength>%d</D:getcontentlength>" % (resource.length or 0)


def _getcontenttype(resource: Resource) -> bytes | None:
    return None if resource.content_type is None else _content_type(resource.content_type)


@lru_cache(maxsize=256)
def _content_type(text: str) -> bytes:
    return text_element(names.GETCONTENTTYPE, text)


def _getlastmodified(resource: Resource) -> bytes | None:
    return _last_modified(resource.modified_us // 1_000_000)


@lru_cache(maxsize=16_384)
def _last_modified(seconds: int) -> bytes:
    return f"<D:getlastmodified>{render_http_date(seconds)}</D:getlastmodified>".encode()


def _lastmodified(resource: Resource) -> bytes | None:
    return b"<D:lastmodified>%d</D:lastmodified>" % (resource.modified_us // 1_000_000)


def _creationdate(resource: Resource) -> bytes | None:
    return _creation(resource.created_us // 1_000_000)


@lru_cache(maxsize=16_384)
def _creation(seconds: int) -> bytes:
    return f"<D:creationdate>{render_iso_date(seconds)}</D:creationdate>".encode()


def _resource_id(resource: Resource) -> bytes | None:
    return f"<D:resource-id><D:href>urn:uuid:{resource.resource_id}</D:href></D:resource-id>".encode()


def _modseq(resource: Resource) -> bytes | None:
    return b"<C:modseq>%d</C:modseq>" % resource.changed


def _displayname(resource: Resource) -> bytes | None:
    return text_element(names.DISPLAYNAME, resource.name)


def _principal_url(view: PropertyContext, _kind: Kind) -> Piece:
    return lambda resource: element(names.PRINCIPAL_URL, view.href((*resource.parent, resource.name)))


def _sync_token(view: PropertyContext, _kind: Kind) -> Piece | None:
    facts = view.facts
    if facts is None:
        return None
    return lambda resource: text_element(
        names.SYNC_TOKEN, sync_token.render(current_token(facts, Path(facts.owner, resource.names)))
    )


def _lockdiscovery(view: PropertyContext, _kind: Kind) -> Piece | bytes:
    locks = view.locks
    if not locks:
        return _UNLOCKED
    return lambda resource: discover(view, [lock for lock in locks if lock.reaches(resource.node_id, resource.names)])


def discover(view: PropertyContext, locks: Sequence[Lock]) -> bytes:
    """Return `D:lockdiscovery` of a resource's locks; who holds a lock is told its token, nobody else (§20.7)."""
    user, store = view.principal.user, urls.segments_of(home(view.principal))
    return element(
        names.LOCKDISCOVERY,
        *(
            lockinfo.render_active(
                lock,
                root=view.spelling.href((*store, *lock.root), slash=lock.is_collection),
                seconds=max(lock.expires_us - view.now_us, 0) // 1_000_000,
                shown=lock.user_id == user.id,
            )
            for lock in locks
        ),
    )


def _quota_used(view: PropertyContext, _kind: Kind) -> bytes | None:
    return None if view.facts is None else text_element(names.QUOTA_USED_BYTES, str(_charged(view.facts)))


def _quota_available(view: PropertyContext, _kind: Kind) -> bytes | None:
    """Tell how much more fits: the least of what the quota and the disk leave (RFC 4331 §3)."""
    facts = view.facts
    if facts is None:
        return None
    room = view.free_bytes()
    if facts.quota_bytes is not None:
        room = min(room, max(facts.quota_bytes - _charged(facts), 0))
    return text_element(names.QUOTA_AVAILABLE_BYTES, str(room))


def _charged(facts: StoreFacts) -> int:
    return charged_bytes(facts.used_bytes, facts.entries)


def _owner(view: PropertyContext, _kind: Kind) -> bytes | None:
    return None if view.facts is None else element(names.OWNER, view.href(urls.user_segments(view.facts.owner)))


def _current_user_principal(view: PropertyContext, _kind: Kind) -> bytes:
    return element(names.CURRENT_USER_PRINCIPAL, view.href(urls.principal_segments(view.principal)))


def _principal_collection_set(view: PropertyContext, _kind: Kind) -> bytes:
    return element(names.PRINCIPAL_COLLECTION_SET, view.href(urls.PRINCIPALS))


def _supported_report_set(_view: PropertyContext, kind: Kind) -> bytes:
    reports = [element("{DAV:}report", empty(name)) for name in KINDS[kind].reports]
    return element(names.SUPPORTED_REPORT_SET, *(element("{DAV:}supported-report", report) for report in reports))


def _supported_method_set(_view: PropertyContext, kind: Kind) -> bytes:
    methods = [f'<D:supported-method name="{method}"/>'.encode() for method in KINDS[kind].methods]
    return element(names.SUPPORTED_METHOD_SET, *methods)


def _supported_live_property_set(_view: PropertyContext, kind: Kind) -> bytes:
    live = [element("{DAV:}supported-live-property", element(names.PROP, empty(name))) for name in LIVE_OF[kind]]
    return element(names.SUPPORTED_LIVE_PROPERTY_SET, *live)


def _checksums(view: PropertyContext, _kind: Kind) -> Piece | None:
    checksums = view.checksums
    if not checksums:
        return None

    def piece(resource: Resource) -> bytes | None:
        found = checksums.get(resource.node_id)
        return None if found is None else owncloud.render_checksums(found)

    return piece


def _empty(name: str) -> Callable[[PropertyContext, Kind], bytes]:
    return lambda _view, _kind: empty(name)


_EVERY: Final = frozenset(Kind)
_STORED: Final = frozenset({Kind.RESOURCE, Kind.COLLECTION})
_RESOURCE: Final = frozenset({Kind.RESOURCE})
_COLLECTION: Final = frozenset({Kind.COLLECTION})
_PRINCIPAL: Final = frozenset({Kind.PRINCIPAL})

TABLE: Final = (
    Live(names.RESOURCETYPE, _EVERY, _resourcetype, in_allprop=True),
    Live(names.GETETAG, _RESOURCE, _each(_getetag), in_allprop=True),
    Live(names.GETCONTENTLENGTH, _RESOURCE, _each(_getcontentlength), in_allprop=True),
    Live(names.GETCONTENTTYPE, _RESOURCE, _each(_getcontenttype), in_allprop=True),
    Live(names.GETLASTMODIFIED, _STORED, _each(_getlastmodified), in_allprop=True),
    Live(names.CREATIONDATE, _STORED, _each(_creationdate), in_allprop=True),
    Live(names.SUPPORTEDLOCK, _STORED, lambda _view, _kind: lockinfo.SUPPORTED, in_allprop=True),
    Live(names.LOCKDISCOVERY, _STORED, _lockdiscovery, in_allprop=True),
    Live(names.LASTMODIFIED, _STORED, _each(_lastmodified)),
    Live(names.RESOURCE_ID, _STORED, _each(_resource_id)),
    Live("{urn:davstore:cpm}modseq", _STORED, _each(_modseq)),
    Live(owncloud.CHECKSUMS, _RESOURCE, _checksums),
    Live(names.ROOT, _COLLECTION, _each(_root)),
    Live(names.SYNC_TOKEN, _COLLECTION, _sync_token),
    Live(names.QUOTA_AVAILABLE_BYTES, _COLLECTION, _quota_available),
    Live(names.QUOTA_USED_BYTES, _COLLECTION, _quota_used),
    Live(names.OWNER, _STORED, _owner),
    Live(names.CURRENT_USER_PRINCIPAL, _EVERY, _current_user_principal),
    Live(names.PRINCIPAL_COLLECTION_SET, _EVERY, _principal_collection_set),
    Live(names.SUPPORTED_REPORT_SET, _EVERY, _supported_report_set),
    Live(names.SUPPORTED_METHOD_SET, _EVERY, _supported_method_set),
    Live(names.SUPPORTED_LIVE_PROPERTY_SET, _EVERY, _supported_live_property_set),
    Live(names.DISPLAYNAME, _PRINCIPAL, _each(_displayname)),
    Live(names.PRINCIPAL_URL, _PRINCIPAL, _principal_url),
    Live("{DAV:}alternate-URI-set", _PRINCIPAL, _empty("{DAV:}alternate-URI-set")),
    Live("{DAV:}group-membership", _PRINCIPAL, _empty("{DAV:}group-membership")),
)

LIVE_OF: Final = {kind: {live.name: live for live in TABLE if kind in live.kinds} for kind in Kind}
"""The live properties of each kind, by name."""

PROTECTED: Final = frozenset(live.name for live in TABLE) - {names.DISPLAYNAME}
"""What the server tells, on any kind of resource: no dead property has such a name. See `patches` for setting."""
