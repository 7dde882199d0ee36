"""The bodies of the device's requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from davstore.client.states import FLAG_OF, SET
from davstore.errors import InvalidSyncToken
from davstore.model.changes import WHOLE
from davstore.model.states import StateChange
from davstore.protocol.dav import names, sync_token
from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES, element, empty, escape, text_element

_FACTS: Final = (names.RESOURCETYPE, names.GETETAG, names.GETCONTENTLENGTH, names.RESOURCE_ID)
_STATES: Final = (*FLAG_OF, names.KEYWORDS)
_OF_COLLECTION: Final = (names.RESOURCETYPE, names.SYNC_TOKEN, names.RESOURCE_ID)


def _document(name: str, *content: bytes) -> bytes:
    whole = element(name, *content)
    return DECLARATION + whole.replace(b">", ROOT_NAMESPACES + b">", 1)


def _prop(properties: Iterable[str]) -> bytes:
    return element(names.PROP, *map(empty, properties))


PROPFIND_COLLECTION: Final = _document(names.PROPFIND, _prop(_OF_COLLECTION))
"""Asks what a collection is, and its sync token."""


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
    asked += (*names.OF_TITLES, names.PARTICIPANTS) if titled else ()
    return _document(
        names.SYNC_COLLECTION,
        element(names.SYNC_TOKEN, escape(token)),
        element(names.SYNC_LEVEL, b"infinite" if infinite else b"1"),
        _prop(asked),
    )


def propertyupdate(change: StateChange) -> bytes:
    """Return the body of a PROPPATCH (RFC 4918 §9.2) that changes states."""
    gone = [empty(name) for name in _names(change.clear, change.dropped)]
    here = [text_element(name, SET) for name in _names(change.set, change.added)]
    parts = ((names.SET, here), (names.REMOVE, gone))
    return _document(
        names.PROPERTYUPDATE, *(element(verb, element(names.PROP, *values)) for verb, values in parts if values)
    )


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
