"""Messages that were stored before davstore knew of them: each body is read once, and then the threads are made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.engine.threads import link
from davstore.errors import CorruptBlob, NotFound
from davstore.metadata import links, messages, nodes, stores
from davstore.metadata.database import Database
from davstore.metadata.messages import Unread
from davstore.metadata.unit import Unit
from davstore.model.limits import BLOCK_BYTES
from davstore.model.messages import MessageFacts
from davstore.protocol.message.reading import MessageReader

BODIES = 100
"""Bodies of one step: of small ones as many may be in memory."""

MESSAGES = 256
"""Messages of one step, which holds the lock of a store for some hundredths of a second."""


class Place(NamedTuple):
    """A body or a node by its id, in the order in which they are taken: by store, then by id."""

    store_id: int
    number: int


def read_some(database: Database, blobs: Blobs, after: Place, *, now_us: int) -> Place | None:
    """Write the facts of some bodies behind one; return the last of them, None when there are no more.

    The change moves no number: devices do not fetch anything anew.
    """
    found = database.read(partial(messages.list_unread, store_id=after.store_id, body_id=after.number, limit=BODIES))
    for owner, rows in groupby(found, key=lambda row: row.owner):
        facts = {row.body_id: said for row in rows if (said := _read(blobs, row)) is not None}
        if facts:
            database.write(partial(_write, owner=owner, facts=facts, now_us=now_us))
    return Place(found[-1].store_id, found[-1].body_id) if found else None


def thread_some(database: Database, after: Place, *, now_us: int) -> Place | None:
    """Bind some messages behind one that are in no thread into theirs; return the last, None when there are no more."""
    found = database.read(partial(links.list_unthreaded, store_id=after.store_id, node_id=after.number, limit=MESSAGES))
    for owner, rows in groupby(found, key=lambda row: row.owner):
        node_ids = [row.node_id for row in rows]
        database.write(partial(_thread, owner=owner, node_ids=node_ids, now_us=now_us))
    return Place(found[-1].store_id, found[-1].node_id) if found else None


def _thread(unit: Unit, *, owner: str, node_ids: list[int], now_us: int) -> None:
    try:
        ledger = stores.lock(unit, owner)
    except NotFound:  # the user was removed meanwhile
        return
    link(unit, ledger, node_ids, now_us=now_us)
    stores.settle(unit, ledger, now_us=now_us)


def _read(blobs: Blobs, row: Unread) -> MessageFacts | None:
    """Return the facts of a body; None: it is no message, or cannot be read: it is damaged, or was replaced since."""
    reader = MessageReader()
    try:
        for piece in _pieces(blobs, row):
            reader.feed(piece)
            if reader.is_other:
                return None
    except (CorruptBlob, OSError):  # `davstore check` tells; those behind it are not held up
        return None
    facts = reader.close()
    return facts if facts is None or facts.date_us is not None else facts._replace(date_us=row.stored_us)


def _pieces(blobs: Blobs, row: Unread) -> Iterator[bytes]:
    if row.blob is None:
        yield row.inline or b""
        return
    opened = blobs.open(row.store_id, row.blob)
    try:
        for start in range(0, row.length, BLOCK_BYTES):
            yield from opened.read(start, min(start + BLOCK_BYTES, row.length))
    finally:
        opened.close()


def _write(unit: Unit, *, owner: str, facts: dict[int, MessageFacts], now_us: int) -> None:
    try:
        ledger = stores.lock(unit, owner)
    except NotFound:  # the user was removed meanwhile
        return
    for body_id in messages.list_without(unit, ledger.store_id, list(facts)):
        messages.insert_message(unit, ledger.store_id, body_id, facts[body_id], now_us=now_us)
        nodes.set_type(unit, ledger.store_id, body_id, facts[body_id].kind)
