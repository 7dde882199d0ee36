"""PUT: a body under a URL, whole or not at all (RFC 9110 §9.3.4, RFC 4918 §9.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.receiving import Incoming, Source, receive
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Writer
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol.http.integrity import NO_FIELDS, IntegrityFields
from davstore.protocol.http.media_types import UNKNOWN_TYPE


@dataclass(frozen=True, slots=True)
class NewContent:
    """The content of a PUT; `length` is None for a chunked body, `modified_us` unless the client says when it was made.

    `content_type` is None unless it is sent: then a resource that is there keeps its own, if that says something, and
    another one gets `guessed_type` (RFC 9110 §8.3).
    """

    stream: Source
    length: int | None
    content_type: str | None
    integrity: IntegrityFields = NO_FIELDS
    modified_us: int | None = None
    guessed_type: str | None = None

    def type_over(self, old: Resource | None) -> str | None:
        """Return the media type that this has in the place of old."""
        kept = None if old is None or old.content_type == UNKNOWN_TYPE else old.content_type
        return self.content_type or kept or self.guessed_type


class Written(NamedTuple):
    """The resource that a write left at its URL, and whether the URL was unmapped before."""

    resource: Resource
    created: bool


def put(context: Context, path: Path, content: NewContent, conditions: Preconditions = NONE) -> Written:
    """Store a body under a URL.

    Raises:
        ParentMissing, NameNotAllowed: no collection would hold it, or not under this name.
        IsCollection: the URL names a collection.
        PreconditionFailed: a condition does not hold. Locked: a lock is in the way.
        Malformed: the body is cut short, or not what its integrity fields say; nothing is stored.
        SessionInfoUnique: it would be the second one of a session history.
        QuotaExceeded, DiskFull: no room; the old body stays.
    """

    def check(writer: Writer) -> int:
        old = decide(writer, "PUT", path, conditions).resource
        return 0 if old is None else old.length or 0

    def work(writer: Writer) -> Written:
        member = decide(writer, "PUT", path, conditions)
        old, modified_us = member.resource, content.modified_us
        require_one_info(writer, member, stored.type)
        content_type = content.type_over(old)
        if old is None:
            return Written(
                writer.make(member, stored, content_type=content_type, modified_us=modified_us), created=True
            )
        return Written(writer.replace(old, stored, content_type=content_type, modified_us=modified_us), created=False)

    incoming = Incoming(content.stream, content.length, content.integrity, content.content_type)
    with receive(context, path, incoming, check) as stored:
        return transaction.write(context, path, work)
