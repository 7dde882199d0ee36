"""Recognise a data directory and a database that belong together, and one that was put back from a copy (ADR 9).

The wrong database names none of the blobs, which would be swept; and one that was put back gives numbers once more that
devices have seen. So a pair that does not belong together is refused, and after a copy was put back each store gets a
new epoch.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from davstore.blobs import Blobs
from davstore.directory.identity import Identity, find_identity, find_put_back_ns, hold, write_identity
from davstore.directory.numbers import Numbers
from davstore.errors import BadSettings
from davstore.metadata import instance, stores, uploads
from davstore.metadata.database import Database
from davstore.metadata.instance import Instance
from davstore.metadata.migrate import find_revision
from davstore.metadata.unit import Unit

_NAME_IT = "name its database with -c FILE or DAVSTORE_DATABASE__URL"
_ADOPT = "if the two belong together all the same, `davstore init --adopt` with the same settings joins them"
_KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

log = logging.getLogger("davstore.directory")


def set_stale_log_aside(database: Database, directory: Path) -> None:
    """Keep the log that a killed server left away from a database that was put back over its own.

    To be called before anything opens the database. Raises BadSettings, OSError.
    """
    if database.file is None or not database.is_there:
        return
    put_back_ns = find_put_back_ns(directory, database.file)
    aside = None if put_back_ns is None else database.set_stale_log_aside(put_back_ns)
    if aside:
        log.warning("%s was put back without a log of its own: the newer log is now %s", database.file, aside)


def is_made(database: Database, directory: Path, blobs: Blobs, *, adopts: bool = False) -> bool:
    """Tell whether there is a store: a database with tables. Looks only.

    Raises:
        BadSettings: there is none, and yet the directory has one: its database is another, or gone.
    """
    known = find_identity(directory)
    if known and known.kind != database.kind and not adopts:
        raise BadSettings(
            f"data.path: {directory} belongs to a database in {_KINDS.get(known.kind, known.kind)},"
            f" and database.url names {'none' if database.file else 'one'}: {_NAME_IT}"
        )
    if find_revision(database) is not None:
        return True
    if known or not blobs.is_empty():
        raise BadSettings(
            f"data.path: {directory} has a store, and its database is not there, or empty:"
            f" {_NAME_IT}, put it back, or restore a backup"
        )
    return False


def require_match(database: Database, directory: Path, blobs: Blobs, *, to_check: bool = False) -> None:
    """Check that a directory and a database, with its tables up to date, belong together or may be joined.

    to_check: so does a database that has no row that names it, or several, as a check reports that.

    Raises:
        BadSettings: they do not.
    """
    if to_check and not database.read(instance.is_one):
        return
    known, found = find_identity(directory), database.read(instance.get)
    lies_within = database.file is not None and (known is None or not found.id)  # one was put back without the other
    if known is None and not found.id:
        if not blobs.is_empty() and not database.read(_names_a_blob):
            raise BadSettings(f"data.path: {directory} has bodies, and the database names none: {_NAME_IT}; {_ADOPT}")
    elif not lies_within and (known is None or known.id != found.id):
        raise BadSettings(
            f"data.path: {directory} and the database belong to different stores:"
            f" name the right ones with --data, -c FILE or DAVSTORE_DATABASE__URL; {_ADOPT}"
        )


def _names_a_blob(unit: Unit) -> bool:
    return any(uploads.list_named_blobs(unit, store_id) for store_id, _, _ in stores.list_numbers(unit))


def recognise(database: Database, directory: Path, numbers: Numbers, blobs: Blobs, *, adopts: bool = False) -> None:
    """Join a directory and a database that are new to each other, and renew the epochs when either was put back.

    adopts: they are joined even when they belong to others.

    Raises:
        BadSettings: they do not belong together.
        OSError, DiskFull: it cannot be written down that they do.
    """
    with hold(directory):
        if not adopts:
            require_match(database, directory, blobs)
        noted = numbers.read()  # before the database, which others may write to meanwhile
        known, found = find_identity(directory), database.read(instance.get)
        if known is None and not found.id:
            new_id = secrets.token_hex(16)
            found = database.write(lambda unit: instance.claim(unit, new_id))
            if found.id != new_id:
                raise BadSettings(f"data.path: another directory than {directory} has just claimed the database")
        elif reason := _find_reason(database, directory, known, found, noted):
            found = _put_back(database, numbers, known, found)
            log.warning("%s was put back (%s): devices will compare everything once", directory, reason)
        else:
            return
        write_identity(
            directory, id_=found.id, incarnation=found.incarnation, kind=database.kind, database_file=database.file
        )


def _find_reason(
    database: Database,
    directory: Path,
    known: Identity | None,
    found: Instance,
    noted: dict[int, tuple[int, int]],
) -> str | None:
    """Return the evidence that the directory, the database or both were put back; None: they were not."""
    if known is None:
        return "it does not say which database it belongs to"
    if not database.read(instance.is_one):
        return "the database had several names"
    if (known.id, known.kind) != (found.id, database.kind):
        return "it belonged to another database"
    if known.incarnation != found.incarnation:
        return "it or its database is from before the last time"
    for store_id, epoch, seq in database.read(stores.list_numbers):
        noted_epoch, noted_seq = noted.get(store_id, (0, 0))
        if noted_epoch == epoch and noted_seq > seq:
            return f"change {noted_seq} of store {store_id} was noted, and the database knows {seq}"
    if not known.is_original(directory, database.file):
        return "its files are copies"
    return None


def _put_back(database: Database, numbers: Numbers, known: Identity | None, found: Instance) -> Instance:
    """Renew every epoch, and return the row of the database as it is then."""
    now = Instance(
        id=found.id or secrets.token_hex(16),
        incarnation=1 + max(found.incarnation, known.incarnation if known else 0),
    )

    def work(unit: Unit) -> None:
        instance.put(unit, now)
        stores.renew_epochs(unit)

    database.write(work)
    numbers.reset(database.read(stores.list_numbers))
    return now


def join_rows(unit: Unit, known: Identity | None) -> None:
    """Let rows that are restored into a directory name it, or keep their own id where the directory has none yet."""
    found = instance.get(unit)
    incarnation = 1 + max(found.incarnation, known.incarnation if known else 0)
    instance.put(unit, Instance((known.id if known else found.id) or secrets.token_hex(16), incarnation))


def join_directory(database: Database, directory: Path) -> None:
    """Let a directory name the database whose rows were just restored. Raises OSError.

    When it is not reached, the next start finds a directory without an identity or of an earlier incarnation, and
    renews the epochs once more.
    """
    found = database.read(instance.get)
    numbers = Numbers(directory)
    try:
        with hold(directory):
            numbers.reset(database.read(stores.list_numbers))
            write_identity(
                directory, id_=found.id, incarnation=found.incarnation, kind=database.kind, database_file=database.file
            )
    finally:
        numbers.close()
