"""The definitions of views by their hashes: what a sync token of one was for."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import view
from davstore.metadata.unit import Unit
from davstore.model.views import View, parse_json, to_json

MOST_KEPT: Final = 200
"""Views of one store: its devices ask for a few, and a change from one that was dropped lists everything again."""

_DAY_US: Final = 86_400 * 1_000_000

_key = (view.c.store_id == bindparam("s"), view.c.hash == bindparam("hash_"))
_FIND = Statement[tuple[str]](select(view.c.definition).where(*_key))
_ASKED = Statement[tuple[int]](select(view.c.asked_us).where(*_key))
_ASK = Write(update(view).where(*_key).values(asked_us=bindparam("now_us")))
_INSERT = Write(insert(view).values({column.name: bindparam(column.name) for column in view.c}))
_DROP_OLD = Write(
    delete(view).where(
        view.c.store_id == bindparam("s"),
        view.c.hash.in_(
            select(view.c.hash)
            .where(view.c.store_id == bindparam("s"))
            .order_by(view.c.asked_us.desc(), view.c.hash)
            .limit(2**31)
            .offset(MOST_KEPT)
        ),
    )
)


def find_view(unit: Unit, store_id: int, hash_: str) -> View | None:
    """Return the definition of a view; None: it is not kept."""
    row = unit.one(_FIND, {"s": store_id, "hash_": hash_})
    return None if row is None else parse_json(row[0])


def is_kept(unit: Unit, store_id: int, hash_: str, *, now_us: int) -> bool:
    """Tell whether the definition of a view is kept, and was asked for within a day: `keep_view` need not be called."""
    row = unit.one(_ASKED, {"s": store_id, "hash_": hash_})
    return row is not None and row[0] > now_us - _DAY_US


def keep_view(unit: Unit, store_id: int, hash_: str, found: View, *, now_us: int) -> None:
    """Keep the definition of a view, in the place of those that nobody asks for. The store must be locked."""
    if not unit.run(_ASK, {"s": store_id, "hash_": hash_, "now_us": now_us}):
        values = {"store_id": store_id, "hash": hash_, "definition": to_json(found), "asked_us": now_us}
        unit.run(_INSERT, values)
        unit.run(_DROP_OLD, {"s": store_id})
