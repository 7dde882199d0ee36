"""Delivery: an object that the store files by itself (RFC 5995 §2), or a notification that counts and is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from davstore.engine import dispositions, rights, transaction
from davstore.engine.conditions import require_met
from davstore.engine.context import Context
from davstore.engine.deciding import decide, resolve
from davstore.engine.opening import read_beginning
from davstore.engine.receiving import Incoming, receive
from davstore.engine.writer import Writer
from davstore.errors import NameNotAllowed, ParentMissing
from davstore.interchange.names import legal_name, with_mark
from davstore.metadata.bodies import Received
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource, ResourceType
from davstore.model.paths import Path
from davstore.policy.filing import find_folder
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.http.dates import render_iso_date
from davstore.protocol.http.media_types import guess_extension, guess_media_type
from davstore.protocol.message.reading import WINDOW_BYTES, find_entity

_MARK, _LONG_MARK = 8, 16
"""Digits of a digest in a name."""
_NO_PUNCTUATION = str.maketrans("", "", "-:")


class Fate(Enum):
    """What became of a delivery: stored, there already, counted as a notification, or that before its message came."""

    STORED = "stored"
    KNOWN = "known"
    COUNTED = "counted"
    WAITING = "waiting"


class Delivery(NamedTuple):
    """What became of a delivery, and the resource that it is, or tells of, with its place."""

    fate: Fate
    path: Path | None = None
    resource: Resource | None = None


class _Object(NamedTuple):
    """An object that is to be filed, as it was sent; wished is the name that was asked for."""

    received: Received
    incoming: Incoming
    wished: str | None

    def find_extension(self, writer: Writer) -> str:
        """Return the extension for what the object is: a message by its form, media by its type."""
        message, stored = self.received.message, self.received.stored
        if message is None:
            return guess_extension(self.incoming.media_type or "")
        beginning = read_beginning(writer, stored, WINDOW_BYTES)
        entity = find_entity(beginning, declared=self.incoming.is_message)
        if entity is None:
            return ".xml"
        if message.kind == ResourceType.FILE_TRANSFER:
            return ".ft.eml"
        return ".cpim" if entity.is_cpim else ".eml"

    def find_type(self, name: str, extension: str) -> str:
        """Return the media type that was sent; else that of the form of a message, or of the name of media."""
        return self.incoming.media_type or guess_media_type(name if self.received.message is None else f"x{extension}")

    def each_name(self, extension: str) -> Iterator[str]:
        """Yield the names that the object may have, the next one where another has that before.

        The same object has the same ones each time.
        """
        sha256, message = self.received.stored.sha256, self.received.message
        if self.wished is not None:
            name = legal_name(self.wished)
        elif message is None or message.date_us is None:
            name = f"{sha256[:_LONG_MARK]}{extension}"
        else:  # the date stands first, to sort by
            date = render_iso_date(message.date_us // SECOND_US).translate(_NO_PUNCTUATION)
            name = f"{date}-{sha256[:_MARK]}{extension}"
        yield from (name, with_mark(name, sha256[:_MARK]), with_mark(name, sha256))


class _NotNamedError(Exception):
    """No row names the body that was received: it is to be discarded."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.fate.value)
        self.delivery = delivery


def deliver(
    context: Context, owner: str, incoming: Incoming, *, name: str | None = None, conditions: Preconditions = NONE
) -> Delivery:
    """Store an object in the store of an owner where it belongs, under a name that is wished; or let it count.

    Raises:
        NotFound: the asker may not deliver there, or there is no such store.
        Unprocessable: a notification that cannot be read. TooManyDispositions.
        ParentMissing: a file has the name of the folder. PreconditionFailed: no `If` list holds.
        Locked: a lock is in the way of a new member.
        Malformed: the body is cut short, or not what its integrity fields say. QuotaExceeded, DiskFull.
    """
    root = Path(owner)
    rights.require_delivery(context.asker, root)

    def check(writer: Writer) -> int:
        require_met(writer, None, conditions)
        return 0

    def work(writer: Writer) -> Delivery:
        require_met(writer, None, conditions)
        if received.type == ResourceType.IMDN:
            return _count(writer, root, received)
        return _file(writer, root, _Object(received, incoming, name), conditions)

    try:
        with receive(context, root, incoming, check) as received:
            delivery = transaction.write(context, root, work)
            return _require_named(delivery)
    except _NotNamedError as unnamed:
        return unnamed.delivery


def _require_named(delivery: Delivery) -> Delivery:
    if delivery.fate is not Fate.STORED:
        raise _NotNamedError(delivery)
    return delivery


def _count(writer: Writer, root: Path, received: Received) -> Delivery:
    names = dispositions.take(writer, received)
    return Delivery(Fate.WAITING) if names is None else Delivery(Fate.COUNTED, root._replace(names=names))


def _file(writer: Writer, root: Path, sent: _Object, conditions: Preconditions) -> Delivery:
    """Put an object into its folder, which is made where it is not there; or find that it lies there already."""
    folder = root.child(find_folder(sent.received.message))
    there = resolve(writer, folder, delivers=True).resource
    if there is None:
        writer.make(decide(writer, "make its folder", folder, conditions))
    elif not there.is_collection:
        raise ParentMissing(folder.name)
    extension = sent.find_extension(writer)
    for name in sent.each_name(extension):
        path = folder.child(name)
        member = decide(writer, "file a delivery", path, conditions)
        if member.resource is None:
            made = writer.make(member, sent.received, content_type=sent.find_type(name, extension))
            return Delivery(Fate.STORED, path, made)
        if member.resource.etag == sent.received.stored.sha256:
            return Delivery(Fate.KNOWN, path, member.resource)
    raise NameNotAllowed("others have each name that it could have")
