"""A unit of work: statements of one transaction, run on the driver's own connection.

Statements are written once with SQLAlchemy Core, compiled once for each dialect and handed to the driver as text:
Core's safety and portability without its cost on each call (8 µs a point read instead of 23).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import BigInteger, ColumnElement, Dialect, Subquery, TableValuedAlias, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.sql.functions import FunctionElement

Row = tuple[Any, ...]

PAGE_ROWS = 1_000
"""A folder of a million takes no more memory than one of a thousand."""


class Cursor(Protocol):
    """What both drivers give for one statement."""

    rowcount: int

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Statement:
    """A Core construct with bind parameters, compiled once for each dialect."""

    __slots__ = ("_construct", "_texts")

    def __init__(self, construct: ClauseElement) -> None:
        self._construct = construct
        self._texts: dict[str, tuple[str, dict[str, Any]]] = {}

    def on(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """Return the text for a dialect, and the values that the construct itself brings."""
        known = self._texts.get(dialect.name)
        if known is None:
            compiled = self._construct.compile(dialect=dialect)
            own = {name: value for name, value in compiled.params.items() if value is not None}
            known = self._texts[dialect.name] = (str(compiled), own)
        return known


class Unit:
    """One transaction. Whoever opened it ends it; a function that gets one only runs statements."""

    __slots__ = ("connection", "dialect")

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect = dialect

    def _execute(self, statement: Statement, values: Mapping[str, Any]) -> Cursor:
        text, own = statement.on(self.dialect)
        cursor: Cursor = self.connection.execute(text, {**own, **values} if own else values)
        return cursor

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Row | None:
        """Return the first row, or None."""
        row: Row | None = self._execute(statement, values).fetchone()
        return row

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """Return all rows."""
        return self._execute(statement, values).fetchall()

    def each(self, statement: Statement, values: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows. The unit must stay open meanwhile."""
        return iter(self._execute(statement, values))

    def stream(self, statement: Statement, values: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows as they come: none is kept, however many there are. Nothing else may run meanwhile."""
        text, own = statement.on(self.dialect)
        cursor = self.connection.cursor()
        if self.dialect.name == "postgresql":  # its `execute` takes all rows before the first is returned
            yield from cursor.stream(text, {**own, **values})
        else:
            yield from cursor.execute(text, {**own, **values})

    def pages(self, statement: Statement, values: Mapping[str, Any], *, after: str = "") -> Iterator[list[Row]]:
        """Yield the rows of a statement behind a name, some at a time, in the order of the name that each begins with.

        It takes the name to go on `after` and a `limit`. However many rows there are, few are in memory; and what is
        written between two pages does no harm.
        """
        while rows := self.all(statement, {**values, "after": after, "limit": PAGE_ROWS}):
            yield rows
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1][0]

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement that writes and return how many rows it met."""
        return self._execute(statement, values).rowcount

    def many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement that writes once for each of rows."""
        if rows:
            text, own = statement.on(self.dialect)
            self.connection.cursor().executemany(text, [{**own, **row} for row in rows] if own else rows)


class _Numbers(ColumnElement[int]):
    """The integers of a JSON array given as one parameter: an IN list of any length in a prebuilt statement."""

    inherit_cache = True

    def __init__(self, parameter: ColumnElement[Any]) -> None:
        self.parameter = parameter


@compiles(_Numbers, "sqlite")
def _numbers_on_sqlite(element: _Numbers, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.parameter, **kw)}))"


@compiles(_Numbers, "postgresql")
def _numbers_on_postgresql(element: _Numbers, compiler: Any, **kw: Any) -> str:
    array = compiler.process(element.parameter, **kw)
    return f"(SELECT value::bigint FROM json_array_elements_text(CAST({array} AS json)))"


def among(column: ColumnElement[Any], parameter: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that column is one of the integers of a JSON array (see `array`)."""
    return column.bool_op("IN")(_Numbers(parameter))


def array(numbers: Iterable[int]) -> str:
    """Return the value that `among` takes for its parameter."""
    return f"[{','.join(map(str, numbers))}]"


class _Lists(FunctionElement[Any]):
    """The arrays of a JSON array given as one parameter: a table of any length in a prebuilt statement."""

    inherit_cache = True


@compiles(_Lists, "sqlite")
def _lists_on_sqlite(element: _Lists, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(_Lists, "postgresql")
def _lists_on_postgresql(element: _Lists, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"


class _Item(ColumnElement[int]):
    """An integer of a row of `_Lists`."""

    inherit_cache = True
    type = BigInteger()

    def __init__(self, lists: TableValuedAlias, index: int) -> None:
        self.value = lists.c.value
        self.index = index


@compiles(_Item, "sqlite")
def _item_on_sqlite(element: _Item, compiler: Any, **kw: Any) -> str:
    return f"json_extract({compiler.process(element.value, **kw)}, '$[{element.index}]')"


@compiles(_Item, "postgresql")
def _item_on_postgresql(element: _Item, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.value, **kw)} ->> {element.index} AS bigint)"


def table(parameter: ColumnElement[Any], *columns: str) -> Subquery:
    """Return the integers of a JSON array of arrays (see `json.dumps`) as a table of so many columns."""
    lists = _Lists(parameter).table_valued("value")
    items = [_Item(lists, index).label(name) for index, name in enumerate(columns)]
    return select(*items).select_from(lists).subquery()


Work = Callable[[Unit], Any]
