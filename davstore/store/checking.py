"""Checks for damage (docs/consistency.md#what-check-finds). Nothing is repaired here, and nothing written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import BadBackup, CorruptBlob, DamagedDatabase
from davstore.metadata import integrity
from davstore.metadata.database import Database
from davstore.metadata.integrity import BodyRow
from davstore.metadata.unit import Unit
from davstore.store.backups import Backup, open_rows, verify_database
from davstore.store.sweeping import list_leftovers


class Finding(NamedTuple):
    """A damage: whose store, of which kind, and which row or blob."""

    store: str
    kind: str
    what: str


def check(database: Database, blobs: Blobs, *, read_data: bool = False) -> list[Finding]:
    """Return every damage; read_data also reads and digests every body.

    A server may run meanwhile. It deletes blobs that a snapshot still names, so a damage counts when a second snapshot
    shows it too. Blobs without a name are no damage: `list_unfinished`.
    """
    found = _look(database, blobs, read_data=read_data)
    return [finding for finding in _look(database, blobs, read_data=read_data) if finding in found] if found else []


def check_backup(backup: Backup, *, read_data: bool = False) -> list[Finding]:
    """Return every damage of a backup: contradictions of its manifest, and the findings of `check` in its store."""
    try:
        verify_database(backup)
    except BadBackup as error:
        return [Finding("", "backup", str(error))]
    found = [Finding("", "damaged when it was backed up", name) for name in backup.manifest.damaged]
    with open_rows(backup) as archive:
        return found + check(archive, backup.blobs, read_data=read_data)


def list_unfinished(database: Database, blobs: Blobs) -> list[Finding]:
    """Return the leftovers, which a sweep takes away in time, of uploads that ended with their process."""
    return [
        Finding(owner, "unfinished upload", name)
        for store_id, owner in database.read(integrity.list_stores)
        for name in sorted(set().union(*list_leftovers(database, blobs, store_id)))
    ]


def _look(database: Database, blobs: Blobs, *, read_data: bool) -> list[Finding]:
    found: list[Finding] = []

    def work(unit: Unit) -> None:
        for finding in _each_finding(unit, blobs, read_data=read_data):
            found.append(finding)  # noqa: PERF402  what was found before a table or a page cannot be read is kept

    try:
        database.read(work)
    except DamagedDatabase as error:
        found.append(Finding("", "unreadable", str(error)))
    return found


def _each_finding(unit: Unit, blobs: Blobs, *, read_data: bool) -> Iterator[Finding]:
    for page in integrity.each_bad_page(unit):
        yield Finding("", "broken page", page)
    for kind, what in integrity.each_damage_of_database(unit):
        yield Finding("", kind, what)
    for store_id, owner in integrity.list_stores(unit):
        for kind, what in integrity.each_damage(unit, store_id):
            yield Finding(owner, kind, what)
        for kind, what in _damaged_bodies(unit, blobs, store_id, read_data=read_data):
            yield Finding(owner, kind, what)


def _damaged_bodies(unit: Unit, blobs: Blobs, store_id: int, *, read_data: bool) -> Iterator[tuple[str, str]]:
    lengths = dict(blobs.list_blobs(store_id))
    for row in integrity.each_body(unit, store_id):
        if row.blob is not None and row.blob not in lengths:
            yield "blob is missing", row.blob
        elif row.blob is not None and lengths[row.blob] != row.length:
            yield "blob of another length than its row", row.blob
        elif read_data:
            try:
                if _digest(blobs, store_id, row) != row.sha256:
                    yield "body does not match its digest", row.blob or str(row.id)
            except OSError as error:
                yield "blob cannot be read", f"{row.blob}: {error.strerror}"


def _digest(blobs: Blobs, store_id: int, row: BodyRow) -> str:
    if row.blob is None:
        return hashlib.sha256(row.inline or b"").hexdigest()
    digest = hashlib.sha256()
    try:
        reader = blobs.open(store_id, row.blob)
        try:
            for piece in reader.read(0, row.length):
                digest.update(piece)
        finally:
            reader.close()
    except CorruptBlob:
        return ""
    return digest.hexdigest()
