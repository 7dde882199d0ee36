"""A unit of work: statements of one transaction, run on the driver's own connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Dialect

from davstore.metadata.statements import Row, Statement

R = TypeVar("R", bound=Row)

PAGE_ROWS = 1_000
"""A folder of a million takes no more memory than one of a thousand."""


class Cursor(Protocol):
    """The part of a cursor that both drivers have."""

    rowcount: int

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Unit:
    """One transaction. Its opener ends it; a function that gets one only runs statements."""

    __slots__ = ("connection", "dialect")

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect = dialect

    def _execute(self, statement: Statement[Any], values: Mapping[str, object]) -> Cursor:
        text, own = statement.on(self.dialect)
        cursor: Cursor = self.connection.execute(text, {**own, **values} if own else values)
        return cursor

    def one(self, statement: Statement[R], values: Mapping[str, object]) -> R | None:
        """Return the first row, or None."""
        row: R | None = self._execute(statement, values).fetchone()
        return row if row is None or statement.make is None else statement.make(row)

    def all(self, statement: Statement[R], values: Mapping[str, object]) -> list[R]:
        """Return all rows."""
        rows = self._execute(statement, values).fetchall()
        return rows if statement.make is None else list(map(statement.make, rows))

    def each(self, statement: Statement[R], values: Mapping[str, object]) -> Iterator[R]:
        """Yield the rows. The unit must stay open meanwhile."""
        rows = iter(self._execute(statement, values))
        return rows if statement.make is None else map(statement.make, rows)

    def stream(self, statement: Statement[Row], values: Mapping[str, object]) -> Iterator[Row]:
        """Yield the rows as they come: none is kept, however many there are. Nothing else may run meanwhile."""
        text, own = statement.on(self.dialect)
        cursor = self.connection.cursor()
        if self.dialect.name == "postgresql":  # its `execute` takes all rows before the first is returned
            yield from cursor.stream(text, {**own, **values})
        else:
            yield from cursor.execute(text, {**own, **values})

    def pages(self, statement: Statement[R], values: Mapping[str, object], *, after: str = "") -> Iterator[list[R]]:
        """Yield the rows of a statement behind a name, some at a time, in the order of the name that each begins with.

        It takes the name to go on `after` and a `limit`. However many rows there are, few are in memory; and a write
        between two pages does no harm.
        """
        while rows := self.all(statement, {**values, "after": after, "limit": PAGE_ROWS}):
            yield rows
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1][0]

    def run(self, statement: Statement[Any], values: Mapping[str, object]) -> int:
        """Run a statement that writes and return how many rows it met."""
        return self._execute(statement, values).rowcount

    def many(self, statement: Statement[Any], rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement that writes once for each of rows."""
        if rows:
            text, own = statement.on(self.dialect)
            self.connection.cursor().executemany(text, [{**own, **row} for row in rows] if own else rows)


Work = Callable[[Unit], Any]
