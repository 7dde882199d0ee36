"""The live properties of threads, which the store computes from their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from davstore.dav.properties.core import iso_date
from davstore.dav.properties.live import THREAD, Live, PropertyContext
from davstore.model import facets
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.threads import Thread
from davstore.protocol import urls
from davstore.protocol.dav.elements import element, escape, tags
from davstore.protocol.dav.names import CPM, clark


def _of_thread(local: str, text: Callable[[Thread], bytes | None]) -> Live:
    name = clark(CPM, local)
    start, end = tags(name)

    def each(context: PropertyContext, resource: Resource) -> bytes | None:
        thread = context.facets.of(facets.THREAD).get(resource.node_id)
        written = None if thread is None else text(thread)
        return None if written is None else start + written + end

    return Live(name, THREAD, each=each, facet=facets.THREAD)


def _participants(context: PropertyContext, resource: Resource) -> bytes | None:
    found = context.facets.of(facets.PARTICIPANTS).get(resource.node_id)
    if not found:
        return None
    return element(clark(CPM, "participants"), *[_participant(one.address, one.name) for one in found])


def _participant(address: str, name: str) -> bytes:
    named = b' name="%b"' % _attribute(name) if name else b""
    return b'<C:participant comm-addr="%b"%b/>' % (_attribute(address), named)


def _attribute(text: str) -> bytes:
    return escape(text).replace(b'"', b"&quot;")


def _sessions(context: PropertyContext, resource: Resource) -> bytes | None:
    places, store = context.facets.of(facets.SESSIONS).get(resource.node_id), context.store
    if not places or store is None:
        return None
    return element(
        clark(CPM, "sessions"), *[context.href(urls.segments_of(Path(store.owner, names))) for names in places]
    )


THREADS: Final = (
    _of_thread("conversation-id", lambda one: None if one.conversation_id is None else escape(one.conversation_id)),
    _of_thread("message-count", lambda one: b"%d" % one.messages),
    _of_thread("unread-count", lambda one: b"%d" % one.unread),
    _of_thread("last-activity", lambda one: iso_date(one.last_us).encode()),
    Live(clark(CPM, "participants"), THREAD, each=_participants, facet=facets.PARTICIPANTS),
    Live(clark(CPM, "sessions"), THREAD, each=_sessions, facet=facets.SESSIONS),
)
