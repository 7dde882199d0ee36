"""Receiving the body of a request: a small one into memory, a large one to a blob that the unit then names.

The bytes of a large body are reserved before they are read, so that two uploads cannot both get the same room.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from davstore.blobs import Staged
from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.integrity import Digests
from davstore.engine.reading_beside import Read
from davstore.engine.room import find_room, require_room
from davstore.engine.writer import Writer
from davstore.errors import DavstoreError, Malformed, Unavailable
from davstore.metadata import uploads
from davstore.metadata.bodies import Received, Stored
from davstore.model.limits import BLOCK_BYTES
from davstore.model.paths import Path
from davstore.protocol.http.integrity import NO_FIELDS, IntegrityFields
from davstore.protocol.message.reading import MessageReader, read_message

GROWTH_BYTES = 1 << 20
"""An upload of unknown length reserves a megabyte at a time, or the rest of the room."""


class Source(Protocol):
    """The body of a request. read returns b'' only at its true end, and raises Malformed when it is cut short."""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""


class Incoming(NamedTuple):
    """A body that has not been read; length None: not known before its end, as of a chunked one.

    media_type is what its sender declares.
    """

    stream: Source
    length: int | None
    fields: IntegrityFields = NO_FIELDS
    media_type: str | None = None

    @property
    def is_message(self) -> bool:
        """Whether its sender says that it is a message."""
        return self.media_type is not None and self.media_type.lstrip().lower().startswith("message/")


def receive(
    context: Context, path: Path, body: Incoming, check: Callable[[Writer], int], *, waits: bool = False
) -> contextlib.AbstractContextManager[Received]:
    """Read a body whole, and hold it for the unit that names it.

    A large one is checked before it is read, so that a refused client gets no `100 Continue`: check decides, in a unit
    of its own, and returns how many bytes of another body would go. The unit that names it decides again. waits: others
    are received before that unit, so no more bytes stay reserved than it has.

    Raises:
        Malformed: the body is cut short, or does not match its integrity fields. QuotaExceeded, DiskFull: no room.
    """
    most, first = context.services.limits.inline_bytes, b""
    if body.length is None or body.length <= most:
        first = _read_up_to(body, most + 1)
        if len(first) <= most:
            return contextlib.nullcontext(_inline(body, first))

    def begin(writer: Writer) -> Upload:
        return _begin_upload(writer, path, body, replaced_bytes=check(writer), waits=waits)

    return transaction.write(context, path, begin).receive(context, first)


def read_small(body: Incoming) -> bytes:
    """Return a body whole, whose length is known and small. Raises Malformed: it is cut short."""
    content = _read_up_to(body, body.length or 0)
    _require_whole(body, content)
    return content


def receive_read(content: bytes, read: Read) -> Received:
    """Return a small body that is ready to be named: its bytes, and what was read of them."""
    return Received(Stored(content, None, len(content), read.sha256), read.message)


def _read_up_to(body: Incoming, wanted: int) -> bytes:
    wanted = wanted if body.length is None else min(wanted, body.length)
    pieces = []
    while wanted > 0 and (piece := body.stream.read(min(wanted, BLOCK_BYTES))):
        pieces.append(piece)
        wanted -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _require_whole(body: Incoming, content: bytes) -> None:
    if body.length is not None and len(content) != body.length:
        raise Malformed("the body is shorter than its Content-Length")


def _inline(body: Incoming, content: bytes) -> Received:
    _require_whole(body, content)
    if body.fields is NO_FIELDS:
        stored = Stored(content, None, len(content), hashlib.sha256(content).hexdigest())
        return Received(stored, read_message(content, declared=body.is_message))
    digests = Digests(body.fields)
    digests.update(content)
    digests.require()
    stored = Stored(content, None, len(content), digests.sha256, digests.checksums)
    return Received(stored, read_message(content, declared=body.is_message))


@dataclass(slots=True)
class Upload:
    """A large body on its way in: its blob, and the bytes reserved for its addition to the store."""

    path: Path
    store_id: int
    blob: str
    body: Incoming
    replaced_bytes: int
    reserved_bytes: int
    waits: bool

    @contextlib.contextmanager
    def receive(self, context: Context, first: bytes) -> Iterator[Received]:
        """Stream the body to its blob, first before the rest, and yield it for the unit that names it.

        When that fails the blob goes, and the reservation with it.

        Raises:
            Malformed: the body is cut short, or does not match its integrity fields.
            QuotaExceeded, DiskFull: no room for it.
        """
        staged: Staged | None = None
        published = in_doubt = False
        try:
            staged = context.services.blobs.stage(self.store_id, self.blob)
            received = self._write(context, staged, first)
            staged.publish()
            published = True
            yield received
        except BaseException as error:
            in_doubt = isinstance(error, Unavailable)
            if published and in_doubt:  # its row may be there: the sweeper will know
                raise
            if staged is not None:
                staged.discard()
            with contextlib.suppress(DavstoreError):  # else the reservation expires
                transaction.write(context, self.path, self._release)
            raise
        finally:
            if staged is not None:
                staged.close()
            if in_doubt:  # its reservation may be left, and is swept once the database is back
                context.services.wake()

    def _write(self, context: Context, staged: Staged, first: bytes) -> Received:
        digests, reader = Digests(self.body.fields), MessageReader(declared=self.body.is_message)
        length, piece = 0, first or self._read(0)
        while piece:
            length += len(piece)
            if length - self.replaced_bytes > self.reserved_bytes:
                self._grow(context, length - self.replaced_bytes)
            context.services.blobs.require_room()
            digests.update(piece)
            reader.feed(piece)
            staged.write(piece)
            piece = self._read(length)
        if self.body.length is not None and length != self.body.length:
            raise Malformed("the body is shorter than its Content-Length")
        digests.require()
        if self.waits:
            self._settle(context, length)
        return Received(Stored(None, self.blob, length, digests.sha256, digests.checksums), reader.close())

    def _read(self, position: int) -> bytes:
        wanted = BLOCK_BYTES if self.body.length is None else min(BLOCK_BYTES, self.body.length - position)
        return self.body.stream.read(wanted) if wanted > 0 else b""

    def _grow(self, context: Context, needed_bytes: int) -> None:
        def work(writer: Writer) -> int:
            more = needed_bytes - self.reserved_bytes
            require_room(writer, more)
            room = find_room(writer)
            reserved = self.reserved_bytes + max(more, GROWTH_BYTES if room is None else min(GROWTH_BYTES, room))
            uploads.grow(writer.unit, self.store_id, self.blob, reserved)
            return reserved

        self.reserved_bytes = transaction.write(context, self.path, work)

    def _settle(self, context: Context, length: int) -> None:
        def work(writer: Writer) -> None:
            uploads.grow(writer.unit, self.store_id, self.blob, length)

        transaction.write(context, self.path, work)
        self.reserved_bytes = length

    def _release(self, writer: Writer) -> None:
        uploads.release(writer.unit, self.store_id, self.blob)


def _begin_upload(writer: Writer, path: Path, body: Incoming, *, replaced_bytes: int, waits: bool) -> Upload:
    """Reserve what a body adds to a store in the place of another.

    Raises:
        QuotaExceeded, DiskFull: no room for it.
    """
    context, ledger = writer.context, writer.ledger
    context.services.blobs.require_room(body.length or 0)
    upload = Upload(
        path=path,
        store_id=ledger.store_id,
        blob=str(uuid.uuid4()),
        body=body,
        replaced_bytes=replaced_bytes,
        reserved_bytes=max(0, (body.length or 0) - replaced_bytes),
        waits=waits,
    )
    require_room(writer, upload.reserved_bytes)
    uploads.reserve(
        writer.unit,
        ledger.store_id,
        upload.blob,
        reserved_bytes=upload.reserved_bytes,
        expires_us=context.now_us + context.services.limits.upload_seconds * 1_000_000,
        now_us=context.now_us,
    )
    return upload
