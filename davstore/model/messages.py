"""Messages: the facts that a body says of itself, and its parts. They hang on the body, so copies share them.

Facts are decoded text without control characters, None where the body does not say them or they cannot be read. Ids
come without angle brackets, several with a space between them. The body itself is never changed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from davstore.model.nodes import ResourceType

MOST_PARTS: Final = 1_000
"""Parts of one message that have a number; those behind them are only bytes of the message."""
MOST_DEPTH: Final = 32
"""Levels of parts within parts; what lies deeper is a part without parts."""
MOST_HEADER_BYTES: Final = 256 * 1024
"""Bytes of one header block that are read for facts."""
MOST_HEADERS_BYTES: Final = 4 * 1024 * 1024
"""Bytes of the header blocks of all parts of one message; a part behind them begins without fields."""
MOST_FACT_CHARACTERS: Final = 64 * 1024
"""Characters of one fact; a longer one is cut."""
MOST_PART_CHARACTERS: Final = 1_024
"""Characters of one value of a `Part`, of which a message has many; a longer one is cut."""
PREVIEW_CHARACTERS: Final = 256
SUMMARY_CHARACTERS: Final = 256


class Part(NamedTuple):
    """One part of a message, numbered as IMAP does (RFC 9051 §6.4.5).

    start and stop are where its content lies in the body, still in its transfer encoding. content_type is the field as
    it was declared (unfolded), None: not declared; media_type is type and subtype of it in lower case, `text/plain`
    where none is declared and `message/rfc822` in a digest (RFC 2046). encoding is the transfer encoding in lower case,
    `7bit` where none is declared. A part with parts of its own is followed by them.
    """

    number: str
    start: int
    stop: int
    media_type: str
    content_type: str | None
    charset: str | None
    encoding: str
    disposition: str | None
    filename: str | None
    content_id: str | None


class MessageFacts(NamedTuple):
    """The facts of a body that is a message or another object of a message store; the order of its columns.

    kind is none of MEDIA and the types of collections. date_us is that of `Date`, else of CPIM's `DateTime`; None: the
    time of storing. state_us is the time that a group state says itself. direction is `sent` or `received`. filename,
    size (bytes) and mime_type are those of the file of a file transfer. preview is the beginning of its text in one
    line. parts come in the order of their bytes.
    """

    kind: ResourceType
    date_us: int | None = None
    from_: str | None = None
    to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    subject: str | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: str | None = None
    conversation_id: str | None = None
    contribution_id: str | None = None
    in_reply_to_contribution_id: str | None = None
    imdn_message_id: str | None = None
    message_context: str | None = None
    direction: str | None = None
    message_correlator: str | None = None
    p_asserted_service: str | None = None
    filename: str | None = None
    state_us: int | None = None
    size: int | None = None
    mime_type: str | None = None
    preview: str | None = None
    parts: tuple[Part, ...] = ()


class Links(NamedTuple):
    """The facts that say which conversation a message is of, and which messages are copies of one.

    sha256 is that of its bytes, date_us never None. The other fields are those of `MessageFacts`.
    """

    sha256: str
    date_us: int
    direction: str | None
    conversation_id: str | None
    message_id: str | None
    references: str | None
    in_reply_to: str | None
    imdn_message_id: str | None
    message_correlator: str | None
    from_: str | None
    to: str | None


class PartResource(NamedTuple):
    """One part of a message as the resource that its URL names; what `Resource` says of the others.

    length is that of the decoded content, None where it was not asked for: it takes reading the part. name is the file
    name that a client saves it under, filename the one that the part declares.
    """

    node_id: int
    number: str
    name: str
    etag: str
    length: int | None
    content_type: str
    created_us: int
    modified_us: int
    modified_by: int
    filename: str | None
    disposition: str | None
    content_id: str | None


class MessageSummary(NamedTuple):
    """What a list shows of a message; the texts are cut to `SUMMARY_CHARACTERS`."""

    kind: ResourceType
    date_us: int
    from_: str | None
    to: str | None
    subject: str | None
    direction: str | None
    filename: str | None
    has_attachment: bool
