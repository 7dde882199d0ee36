"""The bodies of the device's requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from davstore.client.states import FLAG_OF, SET
from davstore.errors import InvalidSyncToken
from davstore.model.changes import WHOLE
from davstore.model.states import StateChange
from davstore.protocol.dav import names, sync_token
from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES, element, empty, escape, href, text_element

_FACTS: Final = (names.RESOURCETYPE, names.GETETAG, names.GETCONTENTLENGTH, names.RESOURCE_ID)
_STATES: Final = (*FLAG_OF, names.KEYWORDS)
_TITLES: Final = (*names.OF_TITLES, names.PARTICIPANTS)
_OF_COLLECTION: Final = (names.RESOURCETYPE, names.SYNC_TOKEN, names.RESOURCE_ID)


def _document(name: str, *content: bytes) -> bytes:
    whole = element(name, *content)
    return DECLARATION + whole.replace(b">", ROOT_NAMESPACES + b">", 1)


def _prop(properties: Iterable[str]) -> bytes:
    return element(names.PROP, *map(empty, properties))


PROPFIND_COLLECTION: Final = _document(names.PROPFIND, _prop(_OF_COLLECTION))
"""Asks what a collection is, and its sync token."""

PROPFIND_KIND: Final = _document(names.PROPFIND, _prop([names.SUPPORTED_LIVE_PROPERTY_SET]))
"""Asks which properties a collection may have (RFC 3253 §3.1.4): those of threads have the counts of messages."""


def knows_states(token: str) -> bool:
    """Tell whether the server that gave a sync token has the states of messages: only davstore has.

    Its tokens alone are no opaque ones (docs/sync.md), so no server is asked twice for what it does not have.
    """
    try:
        sync_token.parse(token)
    except InvalidSyncToken:
        return False
    return True


def is_narrowed(token: str) -> bool:
    """Tell whether the server that gave a sync token shows only a part of what it has: its token names a view."""
    try:
        return sync_token.parse(token).view != WHOLE
    except InvalidSyncToken:
        return False


def report(token: str, *, infinite: bool, titled: bool = False) -> bytes:
    """Return the body of a report (RFC 6578 §3.2); '' asks for everything, titled for what names are made of."""
    asked = (*_FACTS, *_STATES) if not token or knows_states(token) else _FACTS
    return _report(token, (*asked, *_TITLES) if titled else asked, infinite=infinite)


def conversations(token: str) -> bytes:
    """Return the body of a report about all threads, with what a list of them shows; '' asks for everything."""
    return _report(token, (names.RESOURCETYPE, *_TITLES, *names.OF_THREADS), infinite=True)


def _report(token: str, asked: Iterable[str], *, infinite: bool) -> bytes:
    return _document(
        names.SYNC_COLLECTION,
        element(names.SYNC_TOKEN, escape(token)),
        element(names.SYNC_LEVEL, b"infinite" if infinite else b"1"),
        _prop(asked),
    )


def resolve(conversation_id: str) -> bytes:
    """Return the body of a report that finds a thread by an id of its conversation."""
    return _document(names.RESOLVE, text_element(names.CONVERSATION_ID, conversation_id), _prop([names.RESOURCETYPE]))


def propertyupdate(change: StateChange) -> bytes:
    """Return the body of a PROPPATCH (RFC 4918 §9.2) that changes states."""
    return _document(names.PROPERTYUPDATE, *_changes(change))


def bulk_update(hrefs: Iterable[str], change: StateChange) -> bytes:
    """Return the body of a POST that changes states of several files."""
    return _document(names.BULK_UPDATE, *map(href, hrefs), *_changes(change))


def _changes(change: StateChange) -> list[bytes]:
    gone = [empty(name) for name in _names(change.clear, change.dropped)]
    here = [text_element(name, SET) for name in _names(change.set, change.added)]
    parts = ((names.SET, here), (names.REMOVE, gone))
    return [element(verb, element(names.PROP, *values)) for verb, values in parts if values]


def _names(flags: int, keywords: Iterable[str]) -> list[str]:
    words = [names.clark(names.KEYWORD, word) for word in sorted(keywords)]
    return [name for name, flag in FLAG_OF.items() if flags & flag] + words


def propfind(properties: Iterable[str]) -> bytes:
    """Return the body of a PROPFIND for properties (RFC 4918 §9.1)."""
    return _document(names.PROPFIND, _prop(properties))


def set_property(name: str, value: bytes | None) -> bytes:
    """Return the body of a PROPPATCH that sets a property to an element, None: that removes it."""
    verb, content = (names.REMOVE, empty(name)) if value is None else (names.SET, value)
    return _document(names.PROPERTYUPDATE, element(verb, element(names.PROP, content)))
