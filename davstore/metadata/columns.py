"""Rows as columns of text, joined by the database: a page of a thousand resources is a few strings for the driver.

It takes half the time of as many rows, and rendering takes less too: answers are made of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, select
from sqlalchemy.ext.compiler import compiles

from davstore.metadata import unit as transaction
from davstore.metadata.statements import Statement
from davstore.metadata.tables import node
from davstore.metadata.unit import Unit

_SEPARATOR: Final = "\x1f"
"""U+001F is the separator of units by name; no name, media type or number holds a control character."""


class _Joined(ColumnElement[str]):
    """The values of a column in the order of the rows, NULL as nothing, with separators between them."""

    inherit_cache = True
    type = Text()

    def __init__(self, column: ColumnElement[Any], separator: str = _SEPARATOR) -> None:
        self.column = column
        self.separator = separator


@compiles(_Joined, "sqlite")
def _joined_on_sqlite(element: _Joined, compiler: Any, **kw: Any) -> str:
    return f"group_concat(coalesce({compiler.process(element.column, **kw)}, ''), '{element.separator}')"


@compiles(_Joined, "postgresql")
def _joined_on_postgresql(element: _Joined, compiler: Any, **kw: Any) -> str:
    value = f"CAST({compiler.process(element.column, **kw)} AS text)"
    return f"string_agg(coalesce({value}, ''), '{element.separator}')"


class Texts(NamedTuple):
    """Some rows by column: the digit of the type of each (`ResourceType`), and the texts of each column."""

    types: str
    columns: list[list[str]]


ByColumn = Statement[tuple[str | None, ...]]


def by_column(ordered: Select[Any], columns: Iterable[ColumnElement[Any]]) -> ByColumn:
    """Return the statement that gives the types and columns of ordered bindings and their nodes, as one row.

    Both databases take the rows of a sorted and limited subquery as they come.
    """
    page = ordered.with_only_columns(node.c.type, *columns).subquery("page")
    type_, *others = page.c
    return ByColumn(select(_Joined(type_, ""), *map(_Joined, others)).select_from(page))


def read_columns(unit: Unit, statement: ByColumn, values: Mapping[str, Any]) -> Texts:
    """Return the rows of a statement of `by_column`."""
    types, *columns = unit.one(statement, values) or (None,)
    return Texts(types or "", [[] if joined is None else joined.split(_SEPARATOR) for joined in columns])


def pages_by_column(unit: Unit, statement: ByColumn, values: Mapping[str, Any]) -> Iterator[Texts]:
    """Yield the rows of a statement some at a time; as `Unit.pages`, in the order of the names, the first column."""
    after, limit = "", transaction.PAGE_ROWS
    while (texts := read_columns(unit, statement, {**values, "after": after, "limit": limit})).types:
        yield texts
        if len(texts.types) < limit:
            return
        after = texts.columns[0][-1]
