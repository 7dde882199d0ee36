"""PostgreSQL as the database of many stores. Imported only where the settings name one."""

from __future__ import annotations

import select
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.dialects.postgresql.psycopg import dialect

from davstore.errors import BadSettings, DamagedDatabase, DavstoreError, DiskFull, Unavailable
from davstore.metadata.archive import Archive
from davstore.metadata.database import Database, DriverErrors
from davstore.metadata.dump import copy_rows
from davstore.metadata.unit import Unit

T = TypeVar("T")

_WAITS: Final = {"connect_timeout": 10, "tcp_user_timeout": 30_000}
"""Timeouts in seconds and milliseconds for a machine that does not answer, where the URL sets none."""


_DAMAGED: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
)
"""Errors that no request can cause: tables that were dropped or damaged."""


class _PostgreSQLErrors(DriverErrors):
    def find(self, error: BaseException) -> DavstoreError | None:
        if isinstance(error, psycopg.errors.DiskFull):
            return DiskFull("the database cannot grow")
        if isinstance(error, psycopg.OperationalError):
            told = str(error).partition("\n")[0]
            return Unavailable(f"the database: {told or 'it does not answer'}")
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):  # a standby, until it takes over
            return Unavailable("the database is read only")
        if isinstance(error, _DAMAGED):
            return DamagedDatabase(f"the database: {str(error).partition(chr(10))[0]}")
        if isinstance(error, psycopg.errors.InsufficientPrivilege):  # the tables are another's
            return Unavailable(f"the database: {str(error).partition(chr(10))[0]}")
        return None


class PostgreSQL(Database):
    """A PostgreSQL database; rows lock stores apart."""

    _begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str) -> None:
        super().__init__(dialect(), _PostgreSQLErrors())  # type: ignore[no-untyped-call]
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise BadSettings(
                "database.url: must be as postgresql://USER@HOST/DATABASE"
            ) from error  # the error may hold the password
        self._url = url
        self._waits = {name: wait for name, wait in _WAITS.items() if name not in given}

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in a transaction of its own; the server groups commits."""
        with self._errors:
            unit = self._own_unit()
            try:
                unit.connection.execute("BEGIN")
                value = work(unit)
                unit.connection.execute("COMMIT")
            except psycopg.errors.ReadOnlySqlTransaction:
                unit.connection.close()  # a session that began so stays so, whatever the database becomes
                raise
            finally:
                self._end(unit.connection)
            return value

    def adopt(self, file: Path) -> None:
        """Copy the rows of the file over in one transaction."""
        archive = Archive(file)
        try:
            archive.read(lambda source: self.write(lambda target: copy_rows(source, target, copied=lambda _: None)))
        finally:
            archive.close()

    def engine(self) -> Engine:
        """Return an engine for migrations."""
        url = self._url.replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(url, poolclass=NullPool, connect_args=self._waits)

    def _own_unit(self) -> Unit:
        unit: Unit | None = getattr(self._own, "unit", None)
        if unit is not None and _has_ended(unit.connection):
            self._forget(unit.connection)
        return super()._own_unit()

    def _connect(self) -> psycopg.Connection[Any]:
        with self._errors:
            return psycopg.connect(make_conninfo(self._url, **self._waits), autocommit=True)

    def _end(self, connection: psycopg.Connection[Any]) -> None:
        status = connection.info.transaction_status
        if status == psycopg.pq.TransactionStatus.UNKNOWN:  # the server went away: this thread starts anew
            self._forget(connection)
        elif status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("ROLLBACK")

    def _forget(self, connection: psycopg.Connection[Any]) -> None:
        connection.close()
        self._own.unit = None
        with self._opening:
            self._open.remove(connection)


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether the server ended an idle connection, as when it is started anew: then there is something to read."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
