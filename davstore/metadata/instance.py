"""The one row that names a database: a random id, which its data directory knows too, and how often it was put back."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, exists, func, insert, literal_column, select, update

from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import instance
from davstore.metadata.unit import Unit


class Instance(NamedTuple):
    """id is empty until a data directory has claimed the database."""

    id: str
    incarnation: int


_GET = Statement(select(instance.c.id, instance.c.incarnation), Instance)
_none = ~exists().select_from(instance)
_ENSURE = Write(
    insert(instance).from_select(["id", "incarnation"], select(literal_column("''"), literal_column("0")).where(_none))
)
_CLAIM = Write(update(instance).where(instance.c.id == "").values(id=bindparam("id_")))
_COUNT = Statement[tuple[int]](select(func.count()).select_from(instance))
_CLEAR = Write(delete(instance))
_PUT = Write(insert(instance).values(id=bindparam("id_"), incarnation=bindparam("incarnation")))


def get(unit: Unit) -> Instance:
    """Return the row."""
    return unit.one(_GET, {}) or Instance("", 0)


def is_one(unit: Unit) -> bool:
    """Tell whether there is one row: only damage takes it, or adds another."""
    return unit.one(_COUNT, {}) == (1,)


def claim(unit: Unit, id_: str) -> Instance:
    """Give a database that belongs to no directory an id, and return the row: another may have been first."""
    unit.run(_ENSURE, {})
    unit.run(_CLAIM, {"id_": id_})
    return get(unit)


def put(unit: Unit, instance_: Instance) -> None:
    """Write the row, also where a damage has taken it or added others."""
    unit.run(_CLEAR, {})
    unit.run(_PUT, {"id_": instance_.id, "incarnation": instance_.incarnation})
