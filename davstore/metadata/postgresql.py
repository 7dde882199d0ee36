"""PostgreSQL as the database of many stores. Imported only where the settings name one."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.dialects.postgresql.psycopg import dialect

from davstore.errors import DavstoreError, DiskFull, Unavailable
from davstore.metadata.engine import Database, Translated
from davstore.metadata.unit import Unit

T = TypeVar("T")


class _PostgreSQLErrors(Translated):
    def find(self, error: BaseException) -> DavstoreError | None:
        if isinstance(error, psycopg.errors.DiskFull):
            return DiskFull("the database cannot grow")
        if isinstance(error, psycopg.OperationalError):
            return Unavailable("the database does not answer")
        return None


class PostgreSQL(Database):
    """A PostgreSQL database; rows lock stores apart."""

    _begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str) -> None:
        super().__init__(dialect(), _PostgreSQLErrors())  # type: ignore[no-untyped-call]
        self._url = url

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in a transaction of its own; the server groups commits."""
        with self._translated:
            unit = self._own_unit()
            try:
                unit.connection.execute("BEGIN")
                value = work(unit)
                unit.connection.execute("COMMIT")
            finally:
                self._end(unit.connection)
            return value

    def engine(self) -> Engine:
        """Return an engine for migrations."""
        return create_engine(self._url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)

    def _own_unit(self) -> Unit:
        unit: Unit | None = getattr(self._own, "unit", None)
        if unit is not None and _has_ended(unit.connection):
            self._forget(unit.connection)
        return super()._own_unit()

    def _connect(self) -> psycopg.Connection[Any]:
        with self._translated:
            return psycopg.connect(self._url, autocommit=True)

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
