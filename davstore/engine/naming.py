"""The name of a member that the server names: what its sender suggests, else what its body is (RFC 5995 §3.2)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final

from davstore.engine.writer import Member, Writer
from davstore.interchange.names import numbered, split, with_mark
from davstore.metadata import listings
from davstore.metadata.bindings import Resolved
from davstore.metadata.bodies import Received
from davstore.model.nodes import MESSAGES, Resource, ResourceType
from davstore.model.paths import Path
from davstore.protocol.http.media_types import UNKNOWN_TYPE, extension_of, guess_media_type

_DIGITS: Final = 12
"""Digits of the digest in the name of what has no other name."""
_NUMBERS: Final = 20
"""Members of one suggested name that are told apart by small numbers; those behind them by random ones."""
_FAMILIES: Final = ("audio", "image", "video")
_TYPE_OF_OBJECTS: Final = "message/rfc822"
_XML: Final = frozenset({ResourceType.GROUP_STATE, ResourceType.IMDN, ResourceType.FILE_TRANSFER})
"""The types of objects that are documents by themselves, or in a message."""


def find_name(suggested: str, received: Received, media_type: str | None) -> tuple[str, str]:
    """Return a name for a body, and its media type: the one that was sent, else that of its name.

    suggested is '' or one clean name; an extension by type is added where it has none.
    """
    stem, extension = split(suggested)
    if not stem.strip("."):
        stem, extension = _describe(received, media_type), ""
    name = stem + (extension or extension_of(media_type) or _extension_of_body(received))
    return name, media_type or guess_media_type(name)


def _describe(received: Received, media_type: str | None) -> str:
    """Return words for what a body is, with the beginning of its digest; a session has one info, which needs none."""
    if received.type is ResourceType.SESSION_INFO:
        return received.type.word
    family = (media_type or "").lower().partition("/")[0]
    word = received.type.word if received.type in MESSAGES else family if family in _FAMILIES else "file"
    return f"{word}-{received.stored.sha256[:_DIGITS]}"


def _extension_of_body(received: Received) -> str:
    if received.type not in MESSAGES:
        return ""
    inline = received.stored.inline or b""
    is_document = received.type in _XML and inline.lstrip().startswith(b"<")
    return ".xml" if is_document else extension_of(_TYPE_OF_OBJECTS)


def find_type(media_type: str | None, name: str, old: Resource | None) -> str:
    """Return the media type of a body: the one that was sent, else that of what it replaces, else that of its name."""
    kept = None if old is None or old.content_type == UNKNOWN_TYPE else old.content_type
    return media_type or kept or guess_media_type(name)


def find_free(writer: Writer, collection: Path, place: Resolved, name: str) -> Member:
    """Return an unmapped member of a collection: it has a name, or that with a number."""
    node_id = place.steps[-1].node_id
    for names in _each_group(name):
        taken = listings.find_taken(writer.unit, writer.ledger.store_id, node_id, names)
        free = next((one for one in names if one not in taken), None)
        if free is not None:
            return Member(collection.child(free), node_id, place)
    raise AssertionError("random names do not end")


def _each_group(name: str) -> Iterator[list[str]]:
    yield [name]
    yield [numbered(name, number) for number in range(2, _NUMBERS)]
    while True:
        yield [with_mark(name, secrets.token_hex(4))]
