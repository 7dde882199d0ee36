"""The columns, indexes and metadata that the tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, MetaData, SmallInteger, Table, Text, text
from sqlalchemy.schema import SchemaItem

metadata = MetaData()

ID = BigInteger().with_variant(Integer, "sqlite")
"""An INTEGER PRIMARY KEY is the row's own number on SQLite; BIGINT would be a second index."""
NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Names are compared byte for byte; SQLite's BINARY has the same order for UTF-8."""


def table(name: str, *parts: SchemaItem, keyed: bool = False) -> Table:
    """Return a table; keyed ones are stored in the order of their primary key on SQLite."""
    return Table(name, metadata, *parts, sqlite_with_rowid=not keyed)


def number(name: str, *, default: int | None = None) -> Column[int]:
    """Return a column of integers; default is for the rows that were there before it."""
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else text(str(default)))


def small(name: str, *, default: int | None = None) -> Column[int]:
    """Return a column of small integers, such as 0 and 1; default as in `number`."""
    return Column(name, SmallInteger, nullable=False, server_default=None if default is None else text(str(default)))


def index(name: str, *columns: ColumnElement[Any], where: str | None = None, unique: bool = False) -> None:
    """Index columns of a table, of the rows alone that fulfil a condition."""
    only = None if where is None else text(where)
    Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)
