"""The databases, and the only place that knows which one it is (DECISIONS 9).

Connections belong to threads and are made on first use, so after fork. SQLite writes go through the group commit;
PostgreSQL groups commits by itself.
"""

from __future__ import annotations

import select
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import dialect as postgresql_dialect
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect

from davstore.errors import DiskFull, Unavailable
from davstore.metadata.group import GroupCommit
from davstore.metadata.unit import Unit

T = TypeVar("T")

SQLITE_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits with the power
    "PRAGMA secure_delete = 0",  # Debian builds it on: deleting 60 MB then writes 62 MB, and fails on a full disk
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA cache_size = -8192",
    "PRAGMA busy_timeout = 10000",  # the last net: writers are held apart by the lock file
)


_FILE = "davstore.sqlite"


class Database(ABC):
    """A database that holds stores."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._own = threading.local()
        self._open: list[Any] = []
        self._opening = threading.Lock()

    def read(self, work: Callable[[Unit], T]) -> T:
        """Run work on one snapshot and return its value.

        Raises: what work raises; Unavailable, DiskFull.
        """
        with self._translated(), self._snapshot(self._connection()) as unit:
            return work(unit)

    @abstractmethod
    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in one transaction and return its value once the commit is durable.

        work may run twice, and must touch nothing but the database.

        Raises: what work raises, then nothing is written; Unavailable, DiskFull.
        """

    @abstractmethod
    def engine(self) -> Engine:
        """Return a SQLAlchemy engine on the same database, for migrations."""

    def close(self) -> None:
        """Close every connection of this process."""
        with self._opening:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._own = threading.local()

    def _connection(self) -> Any:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
            with self._opening:
                self._open.append(connection)
        return connection

    @contextmanager
    def _snapshot(self, connection: Any) -> Iterator[Unit]:
        connection.execute(self._begin_read)
        try:
            yield Unit(connection, self.dialect)
        finally:
            self._end(connection)

    _begin_read: str

    @abstractmethod
    def _connect(self) -> Any: ...

    @abstractmethod
    def _end(self, connection: Any) -> None: ...

    @abstractmethod
    def _translated(self) -> Any: ...


class SQLite(Database):
    """One file with one writer at a time; readers never wait."""

    _begin_read = "BEGIN"

    def __init__(self, file: Path) -> None:
        super().__init__(sqlite_dialect(paramstyle="named"))
        self._file = file
        self._group: GroupCommit | None = None

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in the group commit."""
        if self._group is None:
            with self._opening:
                self._group = self._group or GroupCommit(
                    self._connect, lambda connection: Unit(connection, self.dialect), self._file.with_suffix(".lock")
                )
        with self._translated():
            value: T = self._group.run(work)
            return value

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
        with self._translated():
            connection = sqlite3.connect(
                self._file, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            for setting in SQLITE_SETTINGS:
                connection.execute(setting)
        return connection

    def _end(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            primary = code & 0xFF if isinstance(code, int) else 0
            if primary == sqlite3.SQLITE_FULL:
                raise DiskFull("the database cannot grow") from error
            if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
                raise Unavailable(f"the database: {error}") from error
            raise


class PostgreSQL(Database):
    """A PostgreSQL database; rows lock stores apart."""

    _begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str) -> None:
        super().__init__(postgresql_dialect())  # type: ignore[no-untyped-call]
        self._url = url

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in a transaction of its own; the server groups commits."""
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                value = work(Unit(connection, self.dialect))
                connection.execute("COMMIT")
            finally:
                self._end(connection)
            return value

    def engine(self) -> Engine:
        """Return an engine for migrations."""
        return create_engine(self._url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)

    def _connection(self) -> Any:
        connection: psycopg.Connection[Any] | None = getattr(self._own, "connection", None)
        if connection is not None and _has_ended(connection):
            self._forget(connection)
        return super()._connection()

    def _connect(self) -> psycopg.Connection[Any]:
        with self._translated():
            return psycopg.connect(self._url, autocommit=True)

    def _end(self, connection: psycopg.Connection[Any]) -> None:
        status = connection.info.transaction_status
        if status == psycopg.pq.TransactionStatus.UNKNOWN:  # the server went away: this thread starts anew
            self._forget(connection)
        elif status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("ROLLBACK")

    def _forget(self, connection: psycopg.Connection[Any]) -> None:
        connection.close()
        self._own.connection = None
        with self._opening:
            self._open.remove(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.DiskFull as error:
            raise DiskFull("the database cannot grow") from error
        except psycopg.OperationalError as error:
            raise Unavailable("the database does not answer") from error


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether the server ended an idle connection, as when it is started anew: then there is something to read."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def open_database(url: str, directory: Path) -> Database:
    """Return the database that the settings name: a `postgresql://` URL, or '' for SQLite in the data directory."""
    if url:
        return PostgreSQL(url)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SQLite(directory / _FILE)


def is_missing(url: str, directory: Path) -> bool:
    """Tell whether `open_database` would make a new database in the data directory."""
    return not url and not (directory / _FILE).exists()
