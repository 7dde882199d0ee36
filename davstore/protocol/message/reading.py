"""Messages read as they come: a body says at its end whether it is one, and its facts and parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from davstore.model.dispositions import Notification
from davstore.model.messages import MOST_HEADER_BYTES, MessageFacts
from davstore.model.nodes import ResourceType
from davstore.protocol.message.cpim import CpimHead, find_cpim
from davstore.protocol.message.entities import first, media_type_of
from davstore.protocol.message.fields import joined, read_date, read_facts
from davstore.protocol.message.file_transfer import is_file_transfer, read_file_transfer
from davstore.protocol.message.group_state import is_group_state, read_group_state
from davstore.protocol.message.head import Head, find_blank, read_head
from davstore.protocol.message.imdn import is_imdn, read_imdn, read_notification
from davstore.protocol.message.parameters import Valued, parse_parameters
from davstore.protocol.message.parts import Structure
from davstore.protocol.message.recognising import LOOK_BYTES, has_sign, is_mail, may_be_message, may_be_xml
from davstore.protocol.message.sampling import Sampler
from davstore.protocol.message.session import read_session

_Facts = Mapping[str, str | int]

WINDOW_BYTES: Final = MOST_HEADER_BYTES + 64 * 1024
"""The beginning of a body, in which its header blocks and a bare object lie; kept whole until it is there."""

_OBJECTS: Final[dict[str, tuple[ResourceType, Callable[[bytes], _Facts]]]] = {
    "application/x-cpm-session": (ResourceType.SESSION_INFO, read_session),
    "application/x-cpm-file-transfer": (ResourceType.FILE_TRANSFER, read_file_transfer),
    "application/vnd.gsma.rcs-ft-http+xml": (ResourceType.FILE_TRANSFER, read_file_transfer),
    "application/group-state-object+xml": (ResourceType.GROUP_STATE, read_group_state),
    "message/imdn+xml": (ResourceType.IMDN, read_imdn),
}
"""Objects by the media type of the message, or of its first part."""
_OF_CPIM: Final = {"from_", "to", "cc", "subject"}
"""Facts for which a CPIM is believed before the block around it."""
_NOBODY: Final = "anonymous.invalid"
"""The host of an anonymous identity (RFC 3323 §4.1.1.3): chats have it inside, and the people in the block around."""
_OF_MAIL: Final = {b"date", b"message-id", b"received"}
"""Fields that a bare CPIM has not."""


class _Opening(NamedTuple):
    """The beginning of a message: its facts so far, the entity that it carries, and its object where that is known."""

    facts: _Facts
    date_us: int | None
    entity: Head
    object_type: str | None


class MessageReader:
    """Takes a body block by block, and keeps a bounded beginning of it."""

    def __init__(self, *, declared: bool = False) -> None:
        """Begin with nothing. declared: the sender says that the body is a message."""
        self._declared = declared
        self._blocks: list[bytes] = []
        self._bytes = 0
        self._is_over = False
        self._message: _Message | None = None

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""
        if self._message is not None:
            self._message.structure.feed(block)
        elif not self._is_over:
            had = self._bytes
            self._blocks.append(block)
            self._bytes += len(block)
            if had < LOOK_BYTES <= self._bytes:
                self._blocks = [b"".join(self._blocks)]
                self._is_over = not _may_be_anything(self._blocks[0][:LOOK_BYTES])
            if self._is_over:
                self._blocks = []
            elif self._bytes > WINDOW_BYTES:
                content = b"".join(self._blocks)
                self._blocks = []
                self._message = _open(content, declared=self._declared)
                self._is_over = True

    @property
    def is_other(self) -> bool:
        """Whether the bytes so far show that the body is no message: no more of them are needed."""
        return self._is_over and self._message is None

    def close(self) -> MessageFacts | None:
        """Return the facts of the body; None: it is no message."""
        if self._message is not None:
            return self._message.close()
        return None if self._is_over else read_message(b"".join(self._blocks), declared=self._declared)


def read_message(content: bytes, *, declared: bool = False) -> MessageFacts | None:
    """Return the facts of a whole body; None: it is no message. declared: the sender says that it is one."""
    look = content[:LOOK_BYTES]
    if may_be_xml(look):
        return _read_xml(content) if len(content) <= WINDOW_BYTES else None
    message = _open(content, declared=declared)
    return message.close() if message else None


class Entity(NamedTuple):
    """What a message carries: where it begins, and the type that a CPIM says of it; None: it is the body of a mail.

    Of two messages that carry equal entities one says what the other says, whatever their headers are.
    """

    start: int
    cpim_type: Valued | None


def find_entity(content: bytes) -> Entity:
    """Return what a message carries, from its first `WINDOW_BYTES`; the whole, where there is no header block."""
    found = _find_heads(content[:WINDOW_BYTES], declared=True)
    if found is None:
        return Entity(0, None)
    declared = first(found.entity.fields, b"content-type") or b""
    return Entity(found.entity.body, None if found.cpim is None else parse_parameters(declared))


def find_notification(content: bytes) -> Notification | None:
    """Return what a disposition notification tells, from the first `WINDOW_BYTES` of its body; None: it is none."""
    if may_be_xml(content[:LOOK_BYTES]):
        return read_notification(content)
    message = _open(content, declared=True)
    return None if message is None else message.find_notification()


def _may_be_anything(look: bytes) -> bool:
    return may_be_message(look) is not None or may_be_xml(look)


def _read_xml(content: bytes) -> MessageFacts | None:
    """Return the facts of an object that is an XML document by itself."""
    if is_imdn(content):
        return _facts(ResourceType.IMDN, read_imdn(content))
    if is_group_state(content):
        return _facts(ResourceType.GROUP_STATE, read_group_state(content))
    if is_file_transfer(content):
        return _facts(ResourceType.FILE_TRANSFER, read_file_transfer(content))
    return None


class _Message:
    """A message whose beginning was read."""

    def __init__(self, content: bytes, opening: _Opening) -> None:
        self._opening = opening
        self._sampler = Sampler(_OBJECTS, opening.object_type)
        self.structure = Structure(content, opening.entity, self._sampler)

    def close(self) -> MessageFacts:
        """Return the facts: there are no more bytes."""
        parts = self.structure.close()
        kind = ResourceType.MESSAGE
        found: _Facts = {}
        if self._sampler.object is not None:
            part, content = self._sampler.object
            kind, read = _OBJECTS[self._opening.object_type or part.media_type]
            found = read(content)
        elif self._opening.object_type is not None:
            kind, _ = _OBJECTS[self._opening.object_type]
        facts = joined(self._opening.facts, found)
        if self._opening.date_us is not None:
            facts["date_us"] = self._opening.date_us
        return _facts(kind, facts, preview=self._sampler.preview, parts=parts)

    def find_notification(self) -> Notification | None:
        """Return what a disposition notification tells: there are no more bytes; None: it is none."""
        self.structure.close()
        if self._sampler.object is None:
            return None
        return read_notification(self._sampler.object[1], self._opening.date_us)


def _facts(kind: ResourceType, facts: Mapping[str, Any], **more: Any) -> MessageFacts:
    return MessageFacts(kind, **facts, **more)


def _open(content: bytes, *, declared: bool) -> _Message | None:
    """Return the message that content begins; None: it is none."""
    found = _find_heads(content[:WINDOW_BYTES], declared=declared)
    if found is None:
        return None
    outer, cpim, inner = found
    if cpim is None:
        opening = _Opening(read_facts(outer.fields), read_date(outer.fields), outer, _object_type(outer))
        return _Message(content, opening)
    is_bare = media_type_of(outer.fields, "") != "message/cpim"
    own = {} if is_bare else read_facts(outer.fields)
    date_us = None if is_bare else read_date(outer.fields)
    spoken = {key: fact for key, fact in cpim.fields.items() if key in _OF_CPIM and _NOBODY not in fact}
    facts = joined(spoken, own, cpim.fields)
    return _Message(content, _Opening(facts, cpim.date_us if date_us is None else date_us, inner, _object_type(inner)))


class _Heads(NamedTuple):
    """The first header block of a message, the head of a CPIM that it is, and the block of the entity that it carries.

    A mail is the entity itself.
    """

    outer: Head
    cpim: CpimHead | None
    entity: Head


def _find_heads(window: bytes, *, declared: bool) -> _Heads | None:
    """Return the header blocks of the message that a window begins; None: it is none."""
    start = may_be_message(window[:LOOK_BYTES])
    if start is None or not has_sign(window, start):
        return None
    outer = _read_head(window, start)
    media_type = media_type_of(outer.fields, "")
    cpim = None
    if media_type == "message/cpim":
        cpim = find_cpim(window, outer.body)
    elif outer.fields.keys().isdisjoint(_OF_MAIL):
        cpim = find_cpim(window, 0)
    if cpim is not None:
        return _Heads(outer, cpim, _read_head(window, cpim.inner_start))
    if media_type not in ("message/cpim", *_OBJECTS) and not is_mail(window, start, outer, declared=declared):
        return None
    return _Heads(outer, None, outer)


def _read_head(window: bytes, start: int) -> Head:
    stop = min(len(window), start + MOST_HEADER_BYTES)
    return read_head(window, start, *(find_blank(window, start, stop) or (stop, stop)))


def _object_type(head: Head) -> str | None:
    """Return the type of the object that an entity says it is, or that a multipart/related has for its root."""
    raw = first(head.fields, b"content-type")
    if raw is None:
        return None
    declared = parse_parameters(raw)
    names = (declared.value, declared.parameters.get(b"type", b"").decode("latin-1").lower())
    return next((name for name in names if name in _OBJECTS), None)
