"""The live property of session histories."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import COLLECTION, THREAD, Live, PropertyContext
from davstore.model.facets import GROUP_STATE
from davstore.model.nodes import Resource
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, href


def _group_state(context: PropertyContext, resource: Resource) -> bytes | None:
    name, store = context.facets.of(GROUP_STATE).get(resource.node_id), context.store
    if name is None or store is None:
        return None
    segments = urls.segments_of(store.at((*resource.names, name)))
    return element(names.CURRENT_GROUP_STATE, href(context.spelling.href(segments, slash=False)))


SESSIONS: Final = (
    Live(names.CURRENT_GROUP_STATE, COLLECTION - THREAD, each=_group_state, facet=GROUP_STATE, leads=True),
)
