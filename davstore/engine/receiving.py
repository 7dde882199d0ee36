"""A large body on its way from the connection to a blob (DECISIONS 13, 15)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from davstore.blobs import Staged
from davstore.engine.context import Context, find_room, require_room
from davstore.engine.integrity import Digesting
from davstore.errors import DavstoreError, Malformed, Unavailable
from davstore.metadata import uploads
from davstore.metadata.nodes import Stored
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit

BLOCK_BYTES = 1 << 18
GROWTH_BYTES = 1 << 20
"""An upload of unknown length reserves a megabyte at a time, or what is left."""


class Source(Protocol):
    """The body of a request. read returns b'' only at its true end, and raises Malformed when it is cut short."""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""


@dataclass(slots=True)
class Upload:
    """A body that was admitted: its blob, and the bytes reserved for what it adds to the store."""

    owner: str
    store_id: int
    blob: str
    length: int | None
    replaced_bytes: int
    reserved_bytes: int

    @contextlib.contextmanager
    def receive(self, context: Context, stream: Source, first: bytes, digesting: Digesting) -> Iterator[Stored]:
        """Stream the body to its blob, first before the rest, and yield it for the unit that names it.

        When that fails the blob goes, and the reservation with it.

        Raises:
            Malformed: the body is cut short, or not what was promised. QuotaExceeded, DiskFull: no room for it.
        """
        staged: Staged | None = None
        published = False
        try:
            staged = context.services.blobs.stage(self.store_id, self.blob)
            stored = self._write(context, staged, stream, first, digesting)
            staged.publish()
            published = True
            yield stored
        except BaseException as error:
            if published and isinstance(error, Unavailable):  # its row may be there: the sweeper will know
                raise
            if staged is not None:
                staged.discard()
            with contextlib.suppress(DavstoreError):  # else the reservation expires
                context.write(self.owner, lambda unit, ledger: uploads.release(unit, ledger.store_id, self.blob))
            raise
        finally:
            if staged is not None:
                staged.close()

    def _write(self, context: Context, staged: Staged, stream: Source, first: bytes, digesting: Digesting) -> Stored:
        length, piece = 0, first or self._read(stream, 0)
        while piece:
            length += len(piece)
            if length - self.replaced_bytes > self.reserved_bytes:
                self._grow(context, length - self.replaced_bytes)
            context.services.blobs.require_room()
            digesting.update(piece)
            staged.write(piece)
            piece = self._read(stream, length)
        if self.length is not None and length != self.length:
            raise Malformed("the body is shorter than its Content-Length")
        digesting.require()
        return Stored(None, self.blob, length, digesting.sha256, digesting.checksums)

    def _read(self, stream: Source, position: int) -> bytes:
        wanted = BLOCK_BYTES if self.length is None else min(BLOCK_BYTES, self.length - position)
        return stream.read(wanted) if wanted > 0 else b""

    def _grow(self, context: Context, needed_bytes: int) -> None:
        def work(unit: Unit, ledger: Ledger) -> int:
            more = needed_bytes - self.reserved_bytes
            require_room(unit, ledger, more, now_us=context.now_us)
            room = find_room(unit, ledger, now_us=context.now_us)
            reserved = self.reserved_bytes + max(more, GROWTH_BYTES if room is None else min(GROWTH_BYTES, room))
            uploads.grow(unit, self.store_id, self.blob, reserved)
            return reserved

        self.reserved_bytes = context.write(self.owner, work)


def begin_upload(unit: Unit, ledger: Ledger, context: Context, *, length: int | None, replaced_bytes: int) -> Upload:
    """Reserve what a body of a length (None: not known yet) adds to a store in place of another.

    Raises:
        QuotaExceeded, DiskFull: no room for it.
    """
    context.services.blobs.require_room(length or 0)
    upload = Upload(
        owner=ledger.facts.owner,
        store_id=ledger.store_id,
        blob=str(uuid.uuid4()),
        length=length,
        replaced_bytes=replaced_bytes,
        reserved_bytes=max(0, (length or 0) - replaced_bytes),
    )
    require_room(unit, ledger, upload.reserved_bytes, now_us=context.now_us)
    uploads.reserve(
        unit,
        ledger.store_id,
        upload.blob,
        reserved_bytes=upload.reserved_bytes,
        expires_us=context.now_us + context.services.limits.upload_seconds * 1_000_000,
        now_us=context.now_us,
    )
    return upload
