"""The live properties of messages, which the store reads from their bytes, and the kind of every non-collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from davstore.dav.properties.core import WORDS, iso_date
from davstore.dav.properties.live import RESOURCE, Column, Live
from davstore.model.facets import MESSAGE, OF_MESSAGE
from davstore.model.nodes import ResourceType
from davstore.protocol.dav.elements import escape
from davstore.protocol.dav.names import CPM, clark


def _kind(type_: int | str) -> str:
    return WORDS[ResourceType(int(type_))]


def _text(value: str) -> str:
    return escape(value).decode()


def _fact(field: str, local: str, text: Callable[[Any], str] = _text) -> Live:
    column = Column(f"{OF_MESSAGE}{field}", f"<C:{local}>%s</C:{local}>", text)
    return Live(clark(CPM, local), RESOURCE, column=column, facet=MESSAGE)


KIND: Final = Live(clark(CPM, "kind"), RESOURCE, column=Column("type", "<C:kind>%s</C:kind>", _kind))
MESSAGES: Final = (
    KIND,
    Live(
        clark(CPM, "date"),
        RESOURCE,
        column=Column(f"{OF_MESSAGE}date_us", "<C:date>%s</C:date>", iso_date),
        facet=MESSAGE,
    ),
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
)
