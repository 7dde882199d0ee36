"""Delivery: an object that the store files by itself (RFC 5995 §2), or a notification that counts and is not kept."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from davstore.engine import dispositions, rights, transaction
from davstore.engine.conditions import require_met
from davstore.engine.context import Context
from davstore.engine.filing import decide_place, find_folder
from davstore.engine.naming import find_name
from davstore.engine.receiving import Incoming, receive
from davstore.engine.sessions import require_one_info
from davstore.engine.twins import find_twin
from davstore.engine.writer import Writer
from davstore.errors import Malformed, NameNotAllowed
from davstore.interchange.names import with_mark
from davstore.metadata.bodies import Received
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource, ResourceType
from davstore.model.paths import Path

_MARK = 8
"""Digits of a digest in a name."""


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


class _NotNamedError(Exception):
    """No row names the body that was received: it is to be discarded."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.fate.value)
        self.delivery = delivery


def deliver(
    context: Context, owner: str, incoming: Incoming, *, suggested: str = "", conditions: Preconditions = NONE
) -> Delivery:
    """Store an object in the store of an owner where it belongs, named as suggested; or let it count.

    Raises:
        NotFound: the asker may not deliver there, or there is no such store.
        Unprocessable: a notification that cannot be read. TooManyDispositions.
        ParentMissing: a file has the name of the folder. PreconditionFailed: no `If` list holds.
        Locked: a lock is in the way of a new member. SessionInfoUnique: its session history has another one.
        Malformed: there is no body, or it is cut short, or not what its integrity fields say. QuotaExceeded, DiskFull.
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
        return _file(writer, root, received, find_name(suggested, received, incoming.media_type), conditions)

    try:
        with receive(context, root, incoming, check) as received:
            if not received.stored.length:
                raise Malformed("nothing to deliver")
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


def _file(
    writer: Writer, root: Path, received: Received, named: tuple[str, str], conditions: Preconditions
) -> Delivery:
    """Put an object into its folder, or find that it lies there already."""
    twin = find_twin(writer, received)
    if twin is not None:
        return Delivery(Fate.KNOWN, root._replace(names=twin.names), twin)
    folder, (name, media_type) = find_folder(writer, root, received.message), named
    for path in map(folder.child, _each_name(name, received.stored.sha256)):
        member = decide_place(writer, path, conditions)
        if member.resource is None:
            require_one_info(writer, member, received.type)
            return Delivery(Fate.STORED, path, writer.make(member, received, content_type=media_type))
        if member.resource.etag == received.stored.sha256:
            return Delivery(Fate.KNOWN, path, member.resource)
    raise NameNotAllowed("others have each name that it could have")


def _each_name(name: str, sha256: str) -> tuple[str, ...]:
    """Return the names that a body may have, the next one where another has that before; each time the same."""
    return name, with_mark(name, sha256[:_MARK]), with_mark(name, sha256)
