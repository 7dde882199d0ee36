"""A database in a single SQLite file: written whole by one process, then only read. Backups are kept in such files."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from davstore.errors import DamagedDatabase
from davstore.metadata.sqlite import SQLite
from davstore.metadata.unit import Unit

T = TypeVar("T")

_WHILE_WRITTEN = (
    "PRAGMA journal_mode = MEMORY",  # a file that was not finished is thrown away
    "PRAGMA synchronous = OFF",  # it is made durable as a whole when it is finished
    "PRAGMA secure_delete = 0",
    "PRAGMA foreign_keys = ON",
)


class Archive(SQLite):
    """A SQLite file without a journal beside it. One that is not new is opened as a file that never changes."""

    def __init__(self, file: Path, *, new: bool = False) -> None:
        super().__init__(file)
        self._new = new
        if new:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def write(self, work: Callable[[Unit], T]) -> T:
        """Run work in one transaction. It is not durable yet.

        Raises: as `Database.write`; DamagedDatabase: rows name others that are not there.
        """
        with self._errors:
            unit = self._own_unit()
            try:
                unit.connection.execute("BEGIN IMMEDIATE")
                value = work(unit)
                unit.connection.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                raise DamagedDatabase(f"rows contradict each other, davstore check names them: {error}") from error
            finally:
                self._end(unit.connection)
            return value

    def keep(self, revision: str) -> None:
        """Keep nothing: it is a copy itself."""

    def _connect(self) -> sqlite3.Connection:
        with self._errors:
            uri = self.file.absolute().as_uri() + ("" if self._new else "?immutable=1")
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            for setting in _WHILE_WRITTEN if self._new else ():
                connection.execute(setting)
        return connection
