"""The databases, and the only place, with `postgresql`, that knows which one it is (DECISIONS 9).

Connections belong to threads and are made on first use, so after fork. SQLite writes go through the group commit;
PostgreSQL groups commits by itself.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect

from davstore.errors import AlreadyRunning, BadSettings, DavstoreError, DiskFull, Unavailable
from davstore.metadata.group_commit import GroupCommit
from davstore.metadata.unit import Unit

T = TypeVar("T")

SQLITE_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits with the power
    "PRAGMA secure_delete = 0",  # Debian builds it on: deleting 60 MB then writes 62 MB, and fails on a full disk
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",  # mapped, a large file fills each worker and is mapped anew after each commit (ADR 5)
    "PRAGMA cache_size = -512",  # KiB; each thread has one, and the pages are in the system's cache too
    "PRAGMA busy_timeout = 10000",  # the last net: writers are held apart by the lock file
)


_FILE = "davstore.sqlite"


class Database(ABC):
    """A database that holds stores."""

    file: Path | None = None
    """The file that holds it, where it is one in the data directory."""

    def __init__(self, dialect: Dialect, translated: Translated) -> None:
        self.dialect = dialect
        self._translated = translated
        self._own = threading.local()
        self._open: list[Any] = []
        self._opening = threading.Lock()

    def read(self, work: Callable[[Unit], T]) -> T:
        """Run work on one snapshot and return its value.

        Raises: what work raises; Unavailable, DiskFull.
        """
        with self._translated:
            unit = self._own_unit()
            try:
                unit.connection.execute(self._begin_read)
                return work(unit)
            finally:
                self._end(unit.connection)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Unit]:
        """Read one snapshot, page by page. The thread reads nothing else meanwhile.

        Raises: as `read`.
        """
        with self._translated:
            unit = self._own_unit()
            try:
                unit.connection.execute(self._begin_read)
                yield unit
            finally:
                self._end(unit.connection)

    def look(self, work: Callable[[Unit], T]) -> T:
        """Run work, which makes one statement that only reads, and return its value: a snapshot without a transaction.

        Raises: as `read`.
        """
        with self._translated:
            unit = self._own_unit()
            try:
                return work(unit)
            finally:
                self._end(unit.connection)

    @abstractmethod
    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in one transaction and return its value once the commit is durable.

        work may run twice, and must touch nothing but the database.

        Raises: what work raises, then nothing is written; Unavailable, DiskFull.
        """

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.dialect.name

    @property
    def is_there(self) -> bool:
        """Whether there is a database that may have tables."""
        return True

    def create(self) -> None:  # noqa: B027  a database of a server is made there
        """Make an empty database where there is none, if that can be made from here. Raises OSError."""

    def set_stale_log_aside(self, put_back_ns: int) -> Path | None:  # noqa: B027  a server looks after its own log
        """Rename the log of a database whose file was put back without it, and return its new name. Raises OSError.

        put_back_ns: when something beside it was put back.
        """

    @abstractmethod
    def adopt(self, file: Path) -> None:
        """Take the database in a SQLite file of the newest tables in the place of this one: as a whole or not at all.

        The file is in the same directory, or below it, and may be gone afterwards.

        Raises: AlreadyRunning when somebody uses this database; Unavailable, DiskFull.
        """

    @abstractmethod
    def engine(self) -> Engine:
        """Return a SQLAlchemy engine on the same database, for migrations."""

    def translate(self, error: BaseException) -> DavstoreError | None:
        """Return what an error of the driver is, None when it is not for the caller to know."""
        return self._translated.find(error)

    def close(self) -> None:
        """Close every connection of this process."""
        with self._opening:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._own = threading.local()

    def _own_unit(self) -> Unit:
        """Return this thread's unit, with a connection of its own."""
        unit: Unit | None = getattr(self._own, "unit", None)
        if unit is None:
            unit = self._own.unit = Unit(self._connect(), self.dialect)
            with self._opening:
                self._open.append(unit.connection)
        return unit

    _begin_read: str

    @abstractmethod
    def _connect(self) -> Any: ...

    @abstractmethod
    def _end(self, connection: Any) -> None: ...


class Translated(ABC):
    """Raises the driver's errors as ours. Made once for a database, and so cheaper than a generator on each read."""

    def __enter__(self) -> Translated:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        known = None if error is None else self.find(error)
        if known is not None:
            raise known from error

    @abstractmethod
    def find(self, error: BaseException) -> DavstoreError | None:
        """Return what an error of the driver is, None when it is not for the caller to know."""


_SQLITE_AWAY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
)
_SQLITE_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class _SQLiteErrors(Translated):
    def find(self, error: BaseException) -> DavstoreError | None:
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        code = getattr(error, "sqlite_errorcode", 0)
        primary = code & 0xFF if isinstance(code, int) else 0
        if primary == sqlite3.SQLITE_FULL:
            return DiskFull("the database cannot grow")
        if primary in _SQLITE_BROKEN or str(error).startswith(("no such table", "no such column")):
            return Unavailable(f"the database is damaged: {error}; restore a backup")
        if primary in _SQLITE_AWAY:
            return Unavailable(f"the database: {error}")
        return None


class SQLite(Database):
    """One file with one writer at a time; readers never wait."""

    _begin_read = "BEGIN"

    def __init__(self, file: Path) -> None:
        super().__init__(sqlite_dialect(paramstyle="named"), _SQLiteErrors())
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
        with self._translated:
            value: T = self._group.run(work)
            return value

    @property
    def is_there(self) -> bool:
        """Whether there is a file that is not empty, which a mere look would make a database of."""
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

    def adopt(self, file: Path) -> None:
        """Rename the file to that of this database, whose journal is gone by then: SQLite would apply it."""
        self.close()
        if self.file.exists():
            self._require_alone()
        for journal in ("-wal", "-shm", "-journal"):
            self.file.with_name(self.file.name + journal).unlink(missing_ok=True)
        file.replace(self.file)
        descriptor = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _require_alone(self) -> None:
        """Bring the journal into the file, which SQLite does only for the last that has the file open."""
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
        """Connect to a file that is there: one that was taken away while the server runs is not made anew, empty."""
        name = f"{self.file.absolute().as_uri()}?mode=rw"
        with self._translated:
            connection = sqlite3.connect(
                name, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            try:
                for setting in SQLITE_SETTINGS:
                    connection.execute(setting)
            except sqlite3.Error:
                connection.close()
                raise
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA cache_size = -2048")  # what a large transaction changes waits here
        return connection

    def _end(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def open_database(url: str, directory: Path) -> Database:
    """Return the database that the settings name: a `postgresql://` URL, or '' for SQLite in the data directory.

    Nothing is made and nothing opened yet.

    Raises:
        BadSettings: the driver of PostgreSQL, an extra of the package, is not installed.
    """
    if url:
        try:  # 12 MB and a tenth of a second that SQLite can do without
            from davstore.metadata.postgresql import PostgreSQL
        except ImportError as error:
            raise BadSettings(f"database.url: PostgreSQL needs `pip install '.[postgresql]'` ({error})") from error
        return PostgreSQL(url)
    return SQLite(directory / _FILE)
