"""Notifications (RFC 5438) in the unit that stores or takes one: they count for the message that they tell of.

One counts by the id of the message, so it may come before that, and for each copy of it. A message whose
dispositions change has changed: it gets a number, which a sync report tells.
"""

from __future__ import annotations

import contextlib

from davstore.engine.opening import read_beginning
from davstore.engine.writer import Change, Writer
from davstore.errors import CorruptBlob, TooManyDispositions, Unprocessable
from davstore.metadata import bodies, dispositions, places
from davstore.metadata.bodies import Received, Stored
from davstore.model.dispositions import MOST_OF_MESSAGE, MOST_WAITING, Disposition, Notification
from davstore.model.nodes import Resource, ResourceType
from davstore.model.states import NO_CHANGE
from davstore.policy.dispositions import find_better
from davstore.protocol.message.reading import WINDOW_BYTES, find_notification


def take(writer: Writer, received: Received) -> tuple[str, ...] | None:
    """Let a notification count that is not kept, and return the names that lead to its message; None: it must wait.

    Raises:
        Unprocessable: it cannot be read. TooManyDispositions: as `_count`.
    """
    told = _read(writer, received.stored)
    if told is None:
        raise Unprocessable("a notification that names no message, no recipient or no state")
    oldest = [one.node_id for one in _count(writer, told)[:1]]
    return next((one.names for one in places.list_in_store(writer.unit, writer.ledger.facts, oldest).values()), None)


def _read(writer: Writer, stored: Stored) -> Notification | None:
    return find_notification(read_beginning(writer, stored, WINDOW_BYTES))


def _count(writer: Writer, told: Notification) -> list[Resource]:
    """Let a notification count, and return the messages that it tells of: none where it must wait.

    One that tells nothing new changes nothing.

    Raises:
        TooManyDispositions: one message, or messages that are not there, have as many as may be.
    """
    unit, ledger, now_us = writer.unit, writer.ledger, writer.context.now_us
    at_us = now_us if told.at_us is None else told.at_us
    sent = {(told.recipient, type_): Disposition(told.recipient, type_, status, at_us) for type_, status in told.states}
    known = {(one.recipient, one.type): one for one in dispositions.list_told(unit, ledger.store_id, told.imdn_id)}
    fresh = [one for key, one in sent.items() if key not in known]
    better = [one for key, one in sent.items() if key in known and find_better(known[key], one) != known[key]]
    messages = dispositions.list_messages_of(unit, ledger.store_id, told.imdn_id)
    if fresh:
        _require_few(writer, len(known) + len(fresh), 0 if messages else len(fresh))
    if fresh or better:
        dispositions.put(unit, ledger, told.imdn_id, [*fresh, *better], waits=not messages, now_us=now_us)
        writer.alter_all(messages, NO_CHANGE)
    return messages


def follow(writer: Writer) -> None:
    """Let the notifications count that were stored; that there are too many keeps none from being stored.

    Those in a tree that was copied have counted.
    """
    for change in [one for one in writer.changes if isinstance(one, Change)]:
        before, (after, _), _ = change
        if after.type == ResourceType.IMDN and (before is None or before.resource.etag != after.etag):
            _count_stored(writer, after.node_id)


def _count_stored(writer: Writer, node_id: int) -> None:
    stored = bodies.find_body(writer.unit, writer.ledger.store_id, node_id)
    with contextlib.suppress(TooManyDispositions, CorruptBlob):
        told = None if stored is None else _read(writer, stored)
        if told is not None:
            _count(writer, told)


def _require_few(writer: Writer, of_message: int, waiting: int) -> None:
    most = MOST_WAITING - waiting
    if of_message > MOST_OF_MESSAGE:
        raise TooManyDispositions(f"more than {MOST_OF_MESSAGE} of one message")
    if waiting and dispositions.count_waiting(writer.unit, writer.ledger.store_id, most=most + 1) > most:
        raise TooManyDispositions(f"more than {MOST_WAITING} without their messages")
