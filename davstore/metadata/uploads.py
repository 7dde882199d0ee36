"""Uploads under way: the bytes reserved for them and the blobs they are making (ADR 23)."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, insert, select, update

from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import body, upload
from davstore.metadata.unit import Unit

_INSERT = Write(insert(upload).values({c.name: bindparam(c.name) for c in upload.c}))
_one = (upload.c.store_id == bindparam("s"), upload.c.blob == bindparam("b"))
_GROW = Write(update(upload).where(*_one).values(reserved_bytes=bindparam("reserved_bytes")))
_DELETE = Write(delete(upload).where(*_one))
_EXPIRE = Write(delete(upload).where(upload.c.store_id == bindparam("s"), upload.c.expires_us <= bindparam("now_us")))
_RESERVED = Statement[tuple[int]](
    select(func.coalesce(func.sum(upload.c.reserved_bytes), 0)).where(
        upload.c.store_id == bindparam("s"), upload.c.expires_us > bindparam("now_us")
    )
)
_UPLOADING = Statement[tuple[str]](select(upload.c.blob).where(upload.c.store_id == bindparam("s")))
_BLOBS = Statement[tuple[str]](select(body.c.blob).where(body.c.store_id == bindparam("s"), body.c.blob.is_not(None)))
_RESERVATIONS = Statement[tuple[int, str]](select(upload.c.store_id, upload.c.blob))


def reserve(unit: Unit, store_id: int, blob: str, *, reserved_bytes: int, expires_us: int, now_us: int) -> None:
    """Promise bytes to an upload, and forget the promises that have expired."""
    unit.run(_EXPIRE, {"s": store_id, "now_us": now_us})
    unit.run(_INSERT, {"store_id": store_id, "blob": blob, "reserved_bytes": reserved_bytes, "expires_us": expires_us})


def grow(unit: Unit, store_id: int, blob: str, reserved_bytes: int) -> None:
    """Promise more to an upload whose length is not known."""
    unit.run(_GROW, {"s": store_id, "b": blob, "reserved_bytes": reserved_bytes})


def release(unit: Unit, store_id: int, blob: str) -> None:
    """Take the promise back: the upload ended."""
    unit.run(_DELETE, {"s": store_id, "b": blob})


def sum_reserved(unit: Unit, store_id: int, *, now_us: int) -> int:
    """Return the bytes promised to all uploads of a store."""
    row = unit.one(_RESERVED, {"s": store_id, "now_us": now_us})
    return int(row[0]) if row else 0


def list_reserved_blobs(unit: Unit, store_id: int) -> set[str]:
    """Return the blobs for which bytes were reserved, by uploads that live or not."""
    return {blob for (blob,) in unit.all(_UPLOADING, {"s": store_id})}


def list_reserved(unit: Unit) -> list[tuple[int, str]]:
    """Return every store and blob for which bytes were reserved, by uploads that live or not."""
    return [(row[0], row[1]) for row in unit.all(_RESERVATIONS, {})]


def list_named_blobs(unit: Unit, store_id: int) -> set[str]:
    """Return the blobs that a body names: the sweeper must leave these alone."""
    return {blob for (blob,) in unit.all(_BLOBS, {"s": store_id})}
