"""The live property that says where members are added to a collection (RFC 5995 §3.2.1)."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import COLLECTION, THREAD, Live, PropertyContext
from davstore.model.nodes import Resource
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, href
from davstore.protocol.http.queries import ADD_QUERY


def _add_member(context: PropertyContext, resource: Resource) -> bytes | None:
    if context.store is None:
        return None
    path = context.store.at(resource.names)
    if not path.names:  # what is delivered finds its folder by itself
        return element(names.ADD_MEMBER, context.href(urls.drop_of(path.store).segments))
    return element(names.ADD_MEMBER, href(context.spelling.href(urls.segments_of(path), slash=True) + ADD_QUERY))


ADDING: Final = (Live(names.ADD_MEMBER, COLLECTION - THREAD, each=_add_member),)
