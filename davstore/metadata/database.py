"""The promises of a database that holds stores; no driver is known here.

Connections belong to threads and are made on first use, so after fork. The databases that keep the promises are
`sqlite`, whose writes go through the group commit, and `postgresql`, which groups commits by itself.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Dialect, Engine

from davstore.errors import DavstoreError
from davstore.metadata.unit import Unit

T = TypeVar("T")


class DriverErrors(ABC):
    """Raises the driver's errors as davstore's own. One object for a database is cheaper than a generator each time."""

    def __enter__(self) -> DriverErrors:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        known = None if error is None else self.find(error)
        if known is not None:
            raise known from error

    @abstractmethod
    def find(self, error: BaseException) -> DavstoreError | None:
        """Return the davstore error for an error of the driver, None when the caller cannot act on it."""


class Database(ABC):
    """A database that holds stores."""

    file: Path | None = None
    """The file that holds it, where it is one in the data directory."""

    def __init__(self, dialect: Dialect, errors: DriverErrors) -> None:
        self.dialect = dialect
        self._errors = errors
        self._own = threading.local()
        self._open: list[Any] = []
        self._opening = threading.Lock()

    def read(self, work: Callable[[Unit], T]) -> T:
        """Run work on one snapshot and return its value.

        Raises: what work raises; Unavailable, DiskFull.
        """
        with self._errors:
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
        with self._errors:
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
        with self._errors:
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

    def keep(self, revision: str) -> None:  # noqa: B027  a server has backups of its own
        """Copy a database that is a file to another beside it, because its tables, of a revision, will be upgraded.

        Raises: Unavailable, with nothing changed: there is no room, or it cannot be copied.
        """

    @abstractmethod
    def adopt(self, file: Path) -> None:
        """Take the database in a SQLite file of the newest tables in the place of this one: as a whole or not at all.

        The file is in the same directory, or below it, and may be gone afterwards.

        Raises: AlreadyRunning when another process uses this database; Unavailable, DiskFull.
        """

    @abstractmethod
    def engine(self) -> Engine:
        """Return a SQLAlchemy engine on the same database, for migrations."""

    def translate(self, error: BaseException) -> DavstoreError | None:
        """Return the davstore error for an error of the driver, None when the caller cannot act on it."""
        return self._errors.find(error)

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
