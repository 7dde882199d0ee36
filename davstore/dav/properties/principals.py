"""The live properties of principals, and those that lead to them (RFC 3744 §4, §5; RFC 5397)."""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.groups import find_list
from davstore.dav.properties.live import ANY_PRINCIPAL, EVERY, PART, PRINCIPAL, STORED, Live, PropertyContext
from davstore.model.functions import Function
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, empty, text_element
from davstore.protocol.urls import Fixed

_ALTERNATE_URI_SET: Final = "{DAV:}alternate-URI-set"


def _owner(context: PropertyContext, _kind: Kind) -> bytes | None:
    store = context.store
    return None if store is None else element(names.OWNER, context.href(urls.user_segments(store.owner)))


def _current_user_principal(context: PropertyContext, _kind: Kind) -> bytes:
    return element(names.CURRENT_USER_PRINCIPAL, context.href(urls.principal_segments(context.principal)))


def _principal_collection_set(context: PropertyContext, _kind: Kind) -> bytes:
    return element(names.PRINCIPAL_COLLECTION_SET, context.href(urls.PRINCIPALS))


def _displayname(context: PropertyContext, place: Fixed) -> bytes:
    found = find_list(context, place)
    own = None if found is None else found.displayname
    return text_element(names.DISPLAYNAME, place.segments[-1] if own is None else own)


def _alternate_uri_set(_context: PropertyContext, _kind: Kind) -> bytes:
    return empty(_ALTERNATE_URI_SET)


def _functions(context: PropertyContext, _kind: Kind) -> bytes:
    enabled = [text_element(names.FUNCTION, one.value) for one in Function if one in context.functions]
    return element(names.FUNCTIONS, *enabled)


def _principal_url(context: PropertyContext, place: Fixed) -> bytes:
    return element(names.PRINCIPAL_URL, context.href(place.segments))


OWNERS: Final = (
    Live(names.OWNER, STORED | PART, same=_owner, leads=True),
    Live(names.CURRENT_USER_PRINCIPAL, EVERY, same=_current_user_principal, leads=True),
    Live(names.PRINCIPAL_COLLECTION_SET, EVERY, same=_principal_collection_set, leads=True),
)

PRINCIPALS: Final = (
    Live(names.DISPLAYNAME, ANY_PRINCIPAL, each=_displayname),
    Live(names.PRINCIPAL_URL, ANY_PRINCIPAL, each=_principal_url, leads=True),
    Live(names.FUNCTIONS, PRINCIPAL, same=_functions),
    Live(_ALTERNATE_URI_SET, ANY_PRINCIPAL, same=_alternate_uri_set),
)
