"""All rows of a database, on their way into another one of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, select

from davstore.metadata.statements import Row, Statement, Write
from davstore.metadata.tables import metadata, store, upload
from davstore.metadata.unit import PAGE_ROWS, Unit

PAGE_BYTES = 1 << 22
"""A page of rows ends here too: a body in the database may have 16 MiB."""

_TABLES = [table for table in metadata.sorted_tables if table is not upload]  # uploads under way are of their server
_ALL = {table.name: Statement[tuple[Any, ...]](select(table)) for table in _TABLES}
_INSERT = {
    table.name: Write(insert(table).values({column.name: bindparam(column.name) for column in table.c}))
    for table in _TABLES
}
_CLEAR = [Write(delete(table)) for table in reversed(metadata.sorted_tables)]
_BYTES = Statement[tuple[int]](select(func.coalesce(func.sum(store.c.used_bytes), 0)))


def _skip_ids(table: Table) -> Statement[tuple[int]]:
    """Return the statement that makes PostgreSQL give ids above those of copied rows; never lower ones than before."""
    sequence = func.pg_get_serial_sequence(f'"{table.name}"', "id")
    highest = func.greatest(func.coalesce(func.max(table.c.id), 1), func.nextval(sequence))
    return Statement[tuple[int]](select(func.setval(sequence, highest)))


_SKIP_IDS = [_skip_ids(table) for table in _TABLES if any(column.identity is not None for column in table.c)]


def sum_bytes(unit: Unit) -> int:
    """Return about how many bytes a dump has: what the stores count, small and large bodies."""
    row = unit.one(_BYTES, {})
    return int(row[0]) if row else 0


def copy_rows(source: Unit, target: Unit, *, copied: Callable[[int], None]) -> dict[str, int]:
    """Put every row but those of uploads under way in the place of what target has; return the number for each table.

    copied gets the bytes of each page. The memory used does not depend on the number of rows.
    """
    for statement in _CLEAR:
        target.run(statement, {})
    counts = {}
    for table in _TABLES:
        names = [column.name for column in table.c]
        counts[table.name] = 0
        for page, length in _pages(source.stream(_ALL[table.name], {})):
            target.many(_INSERT[table.name], [dict(zip(names, row, strict=True)) for row in page])
            counts[table.name] += len(page)
            copied(length)
    if target.dialect.name == "postgresql":  # SQLite gives the highest id and one
        for skip in _SKIP_IDS:
            target.one(skip, {})
    return counts


def _pages(rows: Iterator[Row]) -> Iterator[tuple[list[Row], int]]:
    """Yield rows some at a time, and how many bytes of bodies and properties they hold."""
    for first in rows:
        page: list[Row] = []
        length = 0
        for row in chain([first], rows):
            page.append(row)
            length += sum(len(value) for value in row if isinstance(value, bytes))
            if len(page) == PAGE_ROWS or length >= PAGE_BYTES:
                break
        yield page, length
