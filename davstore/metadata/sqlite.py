"""SQLite as the database of a data directory: its settings, its errors and its one writer."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.dialects.sqlite.pysqlite import dialect

from davstore.errors import AlreadyRunning, DamagedDatabase, DavstoreError, DiskFull, Unavailable
from davstore.metadata.database import Database, DriverErrors
from davstore.metadata.group_commit import GroupCommit
from davstore.metadata.unit import Unit

T = TypeVar("T")

SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits with the power
    "PRAGMA secure_delete = 0",  # Debian builds it on: deleting 60 MB then writes 62 MB, and fails on a full disk
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",  # each worker would map a large file anew after each commit (docs/adr/0005)
    "PRAGMA cache_size = -512",  # KiB; each thread has one, and the pages are in the system's cache too
    "PRAGMA wal_autocheckpoint = 4000",  # a log of 16 MB: a small write pays for a checkpoint four times less often
    "PRAGMA busy_timeout = 10000",  # the last net: writers are held apart by the lock file
)
_AWAY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
)
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class _SQLiteErrors(DriverErrors):
    def find(self, error: BaseException) -> DavstoreError | None:
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        code = getattr(error, "sqlite_errorcode", 0)
        primary = code & 0xFF if isinstance(code, int) else 0
        if primary == sqlite3.SQLITE_FULL:
            return DiskFull("the database cannot grow")
        if primary in _BROKEN or str(error).startswith(("no such table", "no such column")):
            return DamagedDatabase(f"the database is damaged: {error}; restore a backup")
        if primary in _AWAY:
            return Unavailable(f"the database: {error}")
        return None


class SQLite(Database):
    """One file with one writer at a time; readers never wait."""

    _begin_read = "BEGIN"

    def __init__(self, file: Path) -> None:
        super().__init__(dialect(paramstyle="named"), _SQLiteErrors())
        self.file: Path = file
        self._group: GroupCommit | None = None

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in the group commit."""
        if self._group is None:
            with self._opening:
                self._group = self._group or GroupCommit(
                    self._connect_writer,
                    lambda connection: Unit(connection, self.dialect),
                    self.file.with_suffix(".lock"),
                )
        with self._errors:
            value: T = self._group.run(work)
            return value

    @property
    def is_there(self) -> bool:
        """Whether there is a file that is not empty: SQLite would make a database of an empty one by opening it."""
        return self.file.exists() and self.file.stat().st_size > 0

    def create(self) -> None:
        """Make the file, for its owner only."""
        if not self.file.exists():
            self.file.touch(mode=0o600)

    def set_stale_log_aside(self, put_back_ns: int) -> Path | None:
        """Rename the WAL that a killed server left: SQLite would write its newer pages over those of the copy.

        One that was put back too has changed since (its ctime), and mostly bears an older time of writing.
        """
        log = Path(f"{self.file}-wal")
        try:
            facts, changed_ns = log.stat(), self.file.stat().st_ctime_ns
        except FileNotFoundError:
            return None
        if facts.st_mtime_ns != facts.st_ctime_ns or facts.st_ctime_ns >= min(put_back_ns, changed_ns):
            return None
        aside = Path(f"{log}.{time.time_ns()}")
        log.rename(aside)
        return aside

    def keep(self, revision: str) -> None:
        """Copy the file to one whose name ends with the revision. It gets that name when it is whole and on the disk.

        When another process has upgraded the tables meanwhile, it has kept them, and nothing is made.
        """
        kept, new = Path(f"{self.file}.{revision}"), Path(f"{self.file}.{revision}.new")
        lock = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.unlink(missing_ok=True)  # of a process that was killed
            if self._copy(new) == revision:
                _make_durable(new)
                new.replace(kept)
                _make_durable(self.file.parent)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(
                f"{self.file} must be copied before its tables, of revision {revision}, are upgraded: {error}"
            ) from error
        finally:
            new.unlink(missing_ok=True)
            os.close(lock)

    def _copy(self, new: Path) -> str:
        """Copy one snapshot to a new file, and return its revision. Raises OSError, sqlite3.Error."""
        wal = Path(f"{self.file}-wal")
        needed = self.file.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
        free = shutil.disk_usage(self.file.parent).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"the copy needs {needed} bytes, and the disk has {free}")
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(self._connect()) as source, contextlib.closing(sqlite3.connect(new)) as target:
            source.backup(target)
            (found,) = target.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found)

    def adopt(self, file: Path) -> None:
        """Rename the file to that of this database, whose journal is gone by then: SQLite would apply it."""
        self.close()
        if self.file.exists():
            self._require_alone()
        for journal in ("-wal", "-shm", "-journal"):
            self.file.with_name(self.file.name + journal).unlink(missing_ok=True)
        file.replace(self.file)
        _make_durable(self.file.parent)

    def _require_alone(self) -> None:
        """Bring the journal into the file, which SQLite does only for the last connection to the file."""
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None, timeout=1)) as connection:
            try:
                connection.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError as error:
                raise AlreadyRunning(f"another program uses {self.file}") from error
            except sqlite3.DatabaseError:  # it is broken, which is a reason to put another in its place
                return

    def engine(self) -> Engine:
        """Return an engine whose transactions begin when we say so, DDL included."""
        engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    def close(self) -> None:
        """Close every connection of this process."""
        super().close()
        if self._group is not None:
            self._group.close()
            self._group = None

    def _connect(self) -> sqlite3.Connection:
        """Connect to an existing file: one that was taken away while the server runs is not made anew, empty."""
        name = f"{self.file.absolute().as_uri()}?mode=rw"
        with self._errors:
            connection = sqlite3.connect(
                name, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            try:
                for setting in SETTINGS:
                    connection.execute(setting)
            except sqlite3.Error:
                connection.close()
                raise
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA cache_size = -2048")  # the changed pages of a large transaction wait here
        return connection

    def _end(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make_durable(file: Path) -> None:
    """Bring a file, or the entries of a directory, to the disk."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
