"""Statements: written once with SQLAlchemy Core, and each knows the row it yields.

A statement is compiled once for each dialect and handed to the driver as text: Core's safety and portability without
its cost on each call (8 µs a point read instead of 23).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import BigInteger, ColumnElement, Dialect, Insert, Subquery, TableValuedAlias, Text, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, ReturnsRows
from sqlalchemy.sql.functions import FunctionElement

Row = tuple[Any, ...]
R = TypeVar("R", bound=Row)
A = TypeVar("A", bound=Row)
B = TypeVar("B", bound=Row)
C = TypeVar("C", bound=Row)
D = TypeVar("D", bound=Row)


class Statement(Generic[R]):
    """A Core construct with bind parameters, and the type of the rows it yields.

    `Statement(construct, Row)` yields a NamedTuple. Several of them stand for a row in which they lie side by side; the
    last may be a tuple of any length, which takes the columns that are left. `Statement[tuple[int, str]](construct)`
    yields the tuple that the driver gives. One that only writes is a `Write`.
    """

    __slots__ = ("_construct", "_texts", "make")

    @overload
    def __init__(self, construct: ClauseElement) -> None: ...
    @overload
    def __init__(self: Statement[A], construct: ClauseElement, row: type[A], /) -> None: ...
    @overload
    def __init__(self: Statement[tuple[A, B]], construct: ClauseElement, a: type[A], b: type[B], /) -> None: ...
    @overload
    def __init__(
        self: Statement[tuple[A, B, C]], construct: ClauseElement, a: type[A], b: type[B], c: type[C], /
    ) -> None: ...
    @overload
    def __init__(
        self: Statement[tuple[A, B, C, D]], construct: ClauseElement, a: type[A], b: type[B], c: type[C], d: type[D], /
    ) -> None: ...
    def __init__(self, construct: ClauseElement, *rows: type[Row]) -> None:
        """Prepare a statement. Raises TypeError: the rows have not as many columns as the construct."""
        self._construct = construct
        self._texts: dict[str, tuple[str, dict[str, object]]] = {}
        self.make: Callable[[Any], R] | None = _maker(rows)
        """Makes the row of the tuple that the driver gives; None: it is the row."""
        if isinstance(construct, ReturnsRows) and rows and _width(rows[-1]) is not None:
            columns = len(construct.exported_columns)
            if columns != sum(_width(row) or 0 for row in rows):
                raise TypeError(f"a row of {rows} from {columns} columns")

    def on(self, dialect: Dialect) -> tuple[str, Mapping[str, object]]:
        """Return the text for a dialect, and the values that the construct itself brings."""
        known = self._texts.get(dialect.name)
        if known is None:
            compiled = self._construct.compile(dialect=dialect)
            own = {name: value for name, value in compiled.params.items() if value is not None}
            known = self._texts[dialect.name] = (str(compiled), own)
        return known


Write = Statement[tuple[()]]
"""A statement that yields no rows."""


def _width(row: type[Row]) -> int | None:
    """Return how many columns a type of row takes; None: all that are left."""
    fields: tuple[str, ...] | None = getattr(row, "_fields", None)
    return None if fields is None else len(fields)


def _maker(rows: tuple[type[Row], ...]) -> Callable[[Any], Any] | None:
    """Return the function that makes these rows of a tuple of their columns. `_make` would count them each time."""
    if len(rows) < 2:
        return partial(tuple.__new__, rows[0]) if rows and hasattr(rows[0], "_fields") else None
    makers, cuts, start = [], [], 0
    for row in rows:
        stop = start + width if (width := _width(row)) else None
        makers.append(_maker((row,)) or tuple)
        cuts.append(slice(start, stop))
        start = stop or 0
    if len(rows) == 2:  # as in each write: the row of a store, or the end of a path
        (first, last), (head, tail) = makers, cuts
        return lambda found: (first(found[head]), last(found[tail]))
    cut = operator.itemgetter(*cuts)
    return lambda found: tuple(map(operator.call, makers, cut(found)))


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


class _AmongTexts(ColumnElement[bool]):
    """The condition that a text is one of a JSON array given as one parameter, compared byte for byte.

    PostgreSQL searches an index for it: texts are compared in the collation of their column, and an array is no join.
    """

    inherit_cache = True

    def __init__(self, text: ColumnElement[Any], parameter: ColumnElement[Any]) -> None:
        self.text = text
        self.parameter = parameter


@compiles(_AmongTexts, "sqlite")
def _among_texts_on_sqlite(element: _AmongTexts, compiler: Any, **kw: Any) -> str:
    array = compiler.process(element.parameter, **kw)
    return f"{compiler.process(element.text, **kw)} IN (SELECT value FROM json_each({array}))"


@compiles(_AmongTexts, "postgresql")
def _among_texts_on_postgresql(element: _AmongTexts, compiler: Any, **kw: Any) -> str:
    array = compiler.process(element.parameter, **kw)
    texts = f"ARRAY(SELECT json_array_elements_text(CAST({array} AS json)))"
    return f"{compiler.process(element.text, **kw)} = ANY({texts})"


def among_texts(text: ColumnElement[Any], parameter: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a text is one of the texts of a JSON array (see `json.dumps`)."""
    return _AmongTexts(text, parameter)


class _Lists(FunctionElement[Any]):
    """The arrays of a JSON array given as one parameter: a table of any length in a prebuilt statement."""

    inherit_cache = True


@compiles(_Lists, "sqlite")
def _lists_on_sqlite(element: _Lists, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(_Lists, "postgresql")
def _lists_on_postgresql(element: _Lists, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"


class _Item(ColumnElement[Any]):
    """A value of a row of `_Lists`: an integer, or a text."""

    inherit_cache = True

    def __init__(self, lists: TableValuedAlias, index: int, type_: BigInteger | Text) -> None:
        self.value = lists.c.value
        self.index = index
        self.type = type_


@compiles(_Item, "sqlite")
def _item_on_sqlite(element: _Item, compiler: Any, **kw: Any) -> str:
    return f"json_extract({compiler.process(element.value, **kw)}, '$[{element.index}]')"


@compiles(_Item, "postgresql")
def _item_on_postgresql(element: _Item, compiler: Any, **kw: Any) -> str:
    text = f"({compiler.process(element.value, **kw)} ->> {element.index})"
    return text if isinstance(element.type, Text) else f"CAST({text} AS bigint)"


class InsertOrNothing(Insert):
    """An INSERT that leaves out the rows whose keys are taken."""

    inherit_cache = True


@compiles(InsertOrNothing)
def _insert_or_nothing(element: InsertOrNothing, compiler: Any, **kw: Any) -> str:
    return f"{compiler.visit_insert(element, **kw)} ON CONFLICT DO NOTHING"


def table(parameter: ColumnElement[Any], *columns: str, text: str | None = None) -> Subquery:
    """Return the integers of a JSON array of arrays (see `json.dumps`) as a table of so many columns.

    text is the name of one more column, of texts, which stands behind them.
    """
    lists = _Lists(parameter).table_valued("value")
    items = [_Item(lists, index, BigInteger()).label(name) for index, name in enumerate(columns)]
    if text is not None:
        items.append(_Item(lists, len(columns), Text()).label(text))
    return select(*items).select_from(lists).subquery()
