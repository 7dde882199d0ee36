"""The live properties of messages, which the store reads from their bytes, and the kinds of resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.properties.core import iso_date
from davstore.dav.properties.live import PART, RESOURCE, STORED, Column, Live, PropertyContext
from davstore.model.dispositions import Disposition
from davstore.model.facets import DISPOSITIONS, MESSAGE, ORIGINAL
from davstore.model.nodes import Resource, ResourceType
from davstore.model.paths import Path
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, escape, escape_all, href, marked
from davstore.protocol.dav.names import CPM, clark
from davstore.protocol.http.queries import part_query

_KINDS: Final = {
    one: "" if type_ is ResourceType.COLLECTION else type_.word
    for type_ in ResourceType
    for one in (int(type_), str(int(type_)))
}
"""The kind of a resource by its type and the digit of it; a plain collection has none."""


def _text(value: str) -> str:
    return escape(value).decode()


def _fact(field: str, local: str, text: Callable[[Any], str] = _text) -> Live:
    texts = escape_all if text is _text else None
    column = Column(field, f"<C:{local}>%s</C:{local}>", text, texts, of_message=True)
    return Live(clark(CPM, local), RESOURCE, column=column, facet=MESSAGE)


def _parts(context: PropertyContext, resource: Resource) -> bytes | None:
    message = context.facets.of(MESSAGE).get(resource.node_id)
    if message is None or not message.parts or context.store is None:
        return None
    path = context.spelling.href(urls.segments_of(context.store.at(resource.names)), slash=False)
    return element(names.PARTS, *[href(path + part_query(part.number)) for part in message.parts])


def _duplicate_of(context: PropertyContext, resource: Resource) -> bytes | None:
    original = context.facets.of(ORIGINAL).get(resource.node_id)
    if original is None or context.store is None:
        return None
    segments = urls.segments_of(Path(context.store.owner, original))
    return element(names.DUPLICATE_OF, href(context.spelling.href(segments, slash=False)))


def _imdn(context: PropertyContext, resource: Resource) -> bytes | None:
    told = context.facets.of(DISPOSITIONS).get(resource.node_id)
    return element(names.IMDN, *map(_disposition, told)) if told else None


def _disposition(one: Disposition) -> bytes:
    said = {"recipient": one.recipient, "type": one.type.word, "status": one.status.word}
    return marked(names.DISPOSITION, {**said, "datetime": iso_date(one.at_us)})


KIND: Final = Live(clark(CPM, "kind"), STORED, column=Column("type", "<C:kind>%s</C:kind>", _KINDS.__getitem__))
MESSAGES: Final = (
    KIND,
    _fact("date_us", "date", iso_date),
    _fact("from_", "from"),
    _fact("to", "to"),
    _fact("cc", "cc"),
    _fact("bcc", "bcc"),
    _fact("subject", "subject"),
    _fact("message_id", "message-id"),
    _fact("in_reply_to", "in-reply-to"),
    _fact("references", "references"),
    _fact("conversation_id", "conversation-id"),
    _fact("contribution_id", "contribution-id"),
    _fact("in_reply_to_contribution_id", "in-reply-to-contribution-id"),
    _fact("imdn_message_id", "imdn-message-id"),
    _fact("message_context", "message-context"),
    _fact("direction", "direction"),
    _fact("message_correlator", "message-correlator"),
    _fact("p_asserted_service", "p-asserted-service"),
    _fact("filename", "filename"),
    _fact("size", "size", str),
    _fact("mime_type", "mime-type"),
    _fact("preview", "text-preview"),
    Live(names.PARTS, RESOURCE, each=_parts, facet=MESSAGE, leads=True),
    Live(names.DUPLICATE_OF, RESOURCE, each=_duplicate_of, facet=ORIGINAL, leads=True),
    Live(names.IMDN, RESOURCE, each=_imdn, facet=DISPOSITIONS),
)
PARTS: Final = (
    Live(clark(CPM, "filename"), PART, column=Column("filename", "<C:filename>%s</C:filename>", _text)),
    Live(clark(CPM, "content-id"), PART, column=Column("content_id", "<C:content-id>%s</C:content-id>", _text)),
    Live(clark(CPM, "disposition"), PART, column=Column("disposition", "<C:disposition>%s</C:disposition>", _text)),
)
"""The live properties that parts of messages alone have."""
