"""Trees beneath a collection: counted up to a limit, and copied, by statements over sets.

A fixed number of statements, whatever the number of members: one of its own for each collection would let a tree of
empty ones hold the writer for many times as long as one of files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SmallInteger,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles

from davstore.metadata.listings import list_collections_beneath
from davstore.metadata.statements import Statement, Write, table
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import binding, node, property_
from davstore.metadata.unit import Unit
from davstore.model.nodes import ResourceType


class _RandomUUID(ColumnElement[str]):
    """A random UUID (RFC 9562 §5.4) for each row."""

    inherit_cache = True
    type = Text()


@compiles(_RandomUUID, "sqlite")
def _uuid_on_sqlite(_element: _RandomUUID, _compiler: Any, **_kw: Any) -> str:
    groups = ("0xffffffff", "0xffff", "0xfff", "0x3fff | 0x8000", "0xffffffffffff")
    randoms = ", ".join(f"random() & {mask}" for mask in groups)
    return f"printf('%08x-%04x-4%03x-%04x-%012x', {randoms})"


@compiles(_RandomUUID, "postgresql")
def _uuid_on_postgresql(_element: _RandomUUID, _compiler: Any, **_kw: Any) -> str:
    return "CAST(gen_random_uuid() AS text)"


_s = bindparam("s", type_=BigInteger)
_within = select(table(bindparam("rows"), "id").c.id).cte("within", recursive=True)
_within = _within.union_all(
    select(binding.c.node_id).where(
        binding.c.store_id == _s, binding.c.parent_id == _within.c.id, binding.c.is_coll == literal_column("1")
    )
)
_COUNT = Statement[tuple[int]](
    select(func.count()).select_from(
        select(binding.c.is_coll)
        .select_from(_within.join(binding, and_(binding.c.store_id == _s, binding.c.parent_id == _within.c.id)))
        .limit(bindparam("limit"))
        .subquery()
    )
)

_levels = select(bindparam("p", type_=BigInteger).label("id"), literal(0).label("level")).cte("levels", recursive=True)
_levels = _levels.union_all(
    select(binding.c.node_id, _levels.c.level + 1).where(
        binding.c.store_id == _s,
        binding.c.parent_id == _levels.c.id,
        binding.c.is_coll == literal_column("1"),
        _levels.c.level < bindparam("limit"),
    )
)
_some = select(_levels).limit(bindparam("most")).subquery()
_holds = exists().where(binding.c.store_id == _s, binding.c.parent_id == _some.c.id)
_DEEPEST = Statement[tuple[int]](select(func.max(_some.c.level + case((_holds, 1), else_=0))))

_zero, _one = literal(0, SmallInteger), literal(1, SmallInteger)
_now = bindparam("modified_us", type_=BigInteger)
_whose = bindparam("modified_by", type_=SmallInteger)
_collections: Subquery = table(bindparam("rows"), "old_id", "new_id", "parent_id", "number")
_is_thread = node.c.type == literal_column(str(int(ResourceType.THREAD)))
_type = case((_is_thread, literal_column(str(int(ResourceType.COLLECTION)))), else_=node.c.type)
"""The copy of a thread is a folder."""
_COPY_COLLECTIONS = Write(
    insert(node).from_select(
        ["store_id", "id", "resource_id", "is_coll", "type", "created_us", "modified_us", "modified_by", "modseq"],
        select(
            _s, _collections.c.new_id, _RandomUUID(), _one, _type, _now, _now, _whose, _collections.c.number
        ).select_from(_collections.join(node, and_(node.c.store_id == _s, node.c.id == _collections.c.old_id))),
    )
)
_BINDING = ["store_id", "parent_id", "name", "node_id", "is_coll", "moved", "area", "mapped", "changed"]
_BIND_COLLECTIONS = Write(
    insert(binding).from_select(
        _BINDING,
        select(
            _s,
            _collections.c.parent_id,
            binding.c.name,
            _collections.c.new_id,
            _one,
            _zero,
            _zero,
            _collections.c.number,
            _collections.c.number,
        ).select_from(
            _collections.join(binding, and_(binding.c.store_id == _s, binding.c.node_id == _collections.c.old_id))
        ),
    )
)

# Members that are no collections take the ids and numbers behind the last given, in the same order in each statement.
_tops: Subquery = table(bindparam("rows"), "old_id", "new_id")
_member = and_(
    binding.c.store_id == _s, binding.c.parent_id == _tops.c.old_id, binding.c.is_coll == literal_column("0")
)
_members = _tops.join(binding, _member)
_row = func.row_number().over(order_by=(binding.c.parent_id, binding.c.name))
_new_id = bindparam("last_id", type_=BigInteger) + _row
_number = bindparam("last_number", type_=BigInteger) + _row
_member_nodes = _members.join(node, and_(node.c.store_id == _s, node.c.id == binding.c.node_id))
_MEASURE = Statement[tuple[int, int]](
    select(func.count(), func.coalesce(func.sum(node.c.length), 0)).select_from(_member_nodes)
)
_COPY_MEMBERS = Write(
    insert(node).from_select(
        [
            "store_id",
            "id",
            "resource_id",
            "is_coll",
            "type",
            "body_id",
            "etag",
            "length",
            "media_type",
            "created_us",
            "modified_us",
            "modified_by",
            "modseq",
        ],
        select(
            _s,
            _new_id,
            _RandomUUID(),
            node.c.is_coll,
            node.c.type,
            node.c.body_id,
            node.c.etag,
            node.c.length,
            node.c.media_type,
            _now,
            _now,
            _whose,
            _number,
        ).select_from(_member_nodes),
    )
)
_BIND_MEMBERS = Write(
    insert(binding).from_select(
        _BINDING,
        select(_s, _tops.c.new_id, binding.c.name, _new_id, _zero, _zero, _zero, _number, _number).select_from(
            _members
        ),
    )
)

_beneath: Subquery = table(bindparam("beneath"), "old_id", "new_id")
_copied = (
    select(_beneath.c.old_id, _beneath.c.new_id)
    .union_all(select(binding.c.node_id, _new_id).select_from(_members))
    .subquery()
)
_kept = _copied.join(property_, and_(property_.c.store_id == _s, property_.c.node_id == _copied.c.old_id))
_MEASURE_PROPERTIES = Statement[tuple[int]](
    select(func.coalesce(func.sum(func.length(property_.c.element)), 0)).select_from(_kept)
)
_COPY_PROPERTIES = Write(
    insert(property_).from_select(
        ["store_id", "node_id", "name", "element"],
        select(_s, _copied.c.new_id, property_.c.name, property_.c.element).select_from(_kept),
    )
)


def count_beneath(unit: Unit, store_id: int, node_ids: Iterable[int], *, limit: int) -> int:
    """Return how many bindings lie beneath collections; it counts no further than limit."""
    row = unit.one(_COUNT, {"s": store_id, "rows": json.dumps([(one,) for one in node_ids]), "limit": limit})
    return row[0] if row else 0


def find_depth(unit: Unit, store_id: int, node_id: int, *, limit: int, most: int) -> int:
    """Return how many levels lie beneath a collection; it looks at most collections, and not beneath limit levels."""
    row = unit.one(_DEEPEST, {"s": store_id, "p": node_id, "limit": limit, "most": most})
    return row[0] if row else 0


class Copied(NamedTuple):
    """The number of bindings that were made, and the bytes of their bodies and dead properties."""

    names: int
    size_bytes: int


def copy_beneath(
    unit: Unit, ledger: Ledger, source_id: int, copy_id: int, *, modified_us: int, modified_by: int
) -> Copied:
    """Copy all that lies beneath one collection to beneath another, and return how much it is.

    Each mapping has a number of its own, collections first and parents before children. Bodies are shared.
    """
    store_id, new_ids = ledger.store_id, {source_id: copy_id}
    collections: list[tuple[int, int, int, int]] = []
    for above_id, _, old_id, _ in list_collections_beneath(unit, store_id, source_id):
        new_ids[old_id] = ledger.new_id()
        collections.append((old_id, new_ids[old_id], new_ids[above_id], ledger.number()))
    times = {"modified_us": modified_us, "modified_by": modified_by}
    values = {
        "s": store_id,
        **times,
        "rows": json.dumps([*new_ids.items()]),
        "beneath": json.dumps([(old_id, new_id) for old_id, new_id, _, _ in collections]),
        "last_id": ledger.next_id - 1,
        "last_number": ledger.seq,
    }
    count, length = unit.one(_MEASURE, values) or (0, 0)
    elements = unit.one(_MEASURE_PROPERTIES, values) or (0,)
    for statement in (_COPY_COLLECTIONS, _BIND_COLLECTIONS):
        unit.run(statement, {"s": store_id, **times, "rows": json.dumps(collections)})
    unit.run(_COPY_MEMBERS, values)
    if elements[0]:
        unit.run(_COPY_PROPERTIES, values)
    unit.run(_BIND_MEMBERS, values)
    ledger.take(count)
    return Copied(len(collections) + count, int(length) + int(elements[0]))
