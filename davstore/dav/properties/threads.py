"""The live properties of threads, which the store computes from their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.properties.core import iso_date
from davstore.dav.properties.live import THREAD, Column, Live, PropertyContext
from davstore.model import facets
from davstore.model.columns import OF_THREAD
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol import urls
from davstore.protocol.dav.elements import element, escape
from davstore.protocol.dav.names import CPM, clark


def _of_thread(local: str, field: str, text: Callable[[Any], str] = str) -> Live:
    column = Column(f"{OF_THREAD}{field}", f"<C:{local}>%s</C:{local}>", text, of_thread=True)
    return Live(clark(CPM, local), THREAD, column=column, facet=facets.THREAD)


def _ascii(text: str) -> str:
    return escape(text).decode().encode("ascii", "xmlcharrefreplace").decode()


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
    _of_thread("conversation-id", "conversation_id", _ascii),
    _of_thread("message-count", "messages"),
    _of_thread("unread-count", "unread"),
    _of_thread("last-activity", "last_us", iso_date),
    Live(clark(CPM, "participants"), THREAD, each=_participants, facet=facets.PARTICIPANTS),
    Live(clark(CPM, "sessions"), THREAD, each=_sessions, facet=facets.SESSIONS),
)
