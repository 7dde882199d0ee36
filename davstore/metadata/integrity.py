"""Rows that contradict each other: one statement for each kind of damage, of one store or of the whole database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    union_all,
)

from davstore.metadata import integrity_of_people
from davstore.metadata.integrity_of_rights import OF_RIGHTS
from davstore.metadata.integrity_of_threads import DAMAGE
from davstore.metadata.jobs import WHOLE_SERVER
from davstore.metadata.statements import Statement
from davstore.metadata.stores import ROOTS
from davstore.metadata.tables import (
    USER,
    WEAK,
    binding,
    body,
    gone,
    instance,
    job,
    keyword,
    lock,
    message,
    metadata,
    node,
    principal,
    property_,
    store,
    store_root,
    user,
)
from davstore.metadata.unit import Unit
from davstore.model.nodes import COLLECTIONS, HOLDS_LOCKS, ResourceType


class BodyRow(NamedTuple):
    """A body as its row says it is."""

    id: int
    inline: bytes | None
    blob: str | None
    length: int
    sha256: str


class Counters(NamedTuple):
    """The counters of a store, and the sums that they must be."""

    used_bytes: int
    lengths: int
    elements: int
    next_id: int
    last_node: int
    last_body: int
    last_job: int
    seq: int
    floor: int
    entries: int
    names: int


_s: BindParameter[int] = bindparam("s")
_other = binding.alias("other")
_later = gone.alias("later")
_inside = binding.alias("inside")
_infos = node.alias("infos")


def _rows(table: FromClause, what: ColumnElement[Any], *damaged: ColumnElement[bool]) -> Statement[tuple[int | str]]:
    return Statement[tuple[int | str]](select(what).select_from(table).where(table.c.store_id == _s, *damaged))


def _no_node(row: FromClause, column: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~exists().where(node.c.store_id == row.c.store_id, node.c.id == column)


def _seq(row: FromClause) -> Any:
    return select(store.c.seq).where(store.c.id == row.c.store_id).scalar_subquery()


_bound = exists().where(binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id, binding.c.area != WEAK)
_in_threads = exists().where(
    binding.c.store_id == node.c.store_id, binding.c.node_id == node.c.id, binding.c.area == WEAK
)
_wrong_kind = exists().where(
    node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id, node.c.is_coll != binding.c.is_coll
)
_parent_lives = or_(
    exists().where(store_root.c.store_id == binding.c.store_id, store_root.c.node_id == binding.c.parent_id),
    exists().where(
        _other.c.store_id == binding.c.store_id, _other.c.node_id == binding.c.parent_id, _other.c.is_coll == 1
    ),
)
_no_root: CompoundSelect[Any] = union_all(
    *(
        select(literal_column(str(area))).where(
            store.c.id == _s,
            ~exists().where(store_root.c.store_id == store.c.id, store_root.c.area == literal_column(str(area))),
        )
        for area in ROOTS
    )
)
_roots = exists().where(store_root.c.store_id == node.c.store_id, store_root.c.node_id == node.c.id)
_owning = user.join(principal, and_(principal.c.id == user.c.principal_id, principal.c.kind == USER))
_DAMAGE: dict[str, Statement[tuple[int | str]]] = {
    "store of no user": Statement[tuple[int | str]](
        select(store.c.owner).where(
            store.c.id == _s,
            ~exists().select_from(_owning).where(user.c.store_id == store.c.id, principal.c.name == store.c.owner),
        )
    ),
    "area without its root": Statement[tuple[int | str]](_no_root),
    "root of an unknown area": _rows(store_root, store_root.c.area, *(store_root.c.area != area for area in ROOTS)),
    "root names no collection": _rows(
        store_root,
        store_root.c.area,
        ~exists().where(
            node.c.store_id == store_root.c.store_id, node.c.id == store_root.c.node_id, node.c.is_coll == 1
        ),
    ),
    "root of two areas": Statement[tuple[int | str]](
        select(store_root.c.node_id)
        .where(store_root.c.store_id == _s)
        .group_by(store_root.c.node_id)
        .having(func.count() > 1)
    ),
    "binding names a missing node": _rows(binding, binding.c.name, _no_node(binding, binding.c.node_id)),
    "binding in a missing node": _rows(binding, binding.c.name, _no_node(binding, binding.c.parent_id)),
    "binding of another kind than its node": _rows(binding, binding.c.name, _wrong_kind),
    "binding out of reach": _rows(binding, binding.c.name, ~_parent_lives),
    "collection bound twice": _rows(
        binding,
        binding.c.name,
        binding.c.is_coll == 1,
        exists().where(
            _other.c.store_id == binding.c.store_id,
            _other.c.node_id == binding.c.node_id,
            _other.c.mapped != binding.c.mapped,
        ),
    ),
    "tombstone names a missing node": _rows(gone, gone.c.name, _no_node(gone, gone.c.node_id)),
    "tombstone in a missing node": _rows(gone, gone.c.name, _no_node(gone, gone.c.parent_id)),
    "property of a missing node": _rows(property_, property_.c.name, _no_node(property_, property_.c.node_id)),
    "keyword of a missing node": _rows(keyword, keyword.c.name, _no_node(keyword, keyword.c.node_id)),
    "keyword of a collection": _rows(
        keyword,
        keyword.c.name,
        exists().where(node.c.store_id == keyword.c.store_id, node.c.id == keyword.c.node_id, node.c.is_coll == 1),
    ),
    "flags of a collection": _rows(node, node.c.id, node.c.is_coll == 1, node.c.flags != 0),
    "node changed after its store": _rows(node, node.c.id, node.c.modseq > _seq(node)),
    "lock of a missing node": _rows(lock, lock.c.token, _no_node(lock, lock.c.node_id)),
    "lock in a store that says it holds none": _rows(
        lock,
        lock.c.token,
        exists().where(store.c.id == lock.c.store_id, store.c.traits.bitwise_and(literal(HOLDS_LOCKS)) == 0),
    ),
    "node names a missing body": _rows(
        node,
        node.c.id,
        node.c.body_id.is_not(None),
        ~exists().where(body.c.store_id == node.c.store_id, body.c.id == node.c.body_id),
    ),
    "node without its body": _rows(node, node.c.id, node.c.is_coll == 0, node.c.body_id.is_(None), _bound),
    "node of another length or digest than its body": _rows(
        node,
        node.c.id,
        exists().where(
            body.c.store_id == node.c.store_id,
            body.c.id == node.c.body_id,
            or_(body.c.length != node.c.length, body.c.sha256 != node.c.etag),
        ),
    ),
    "node of another type than its body": _rows(
        node,
        node.c.id,
        node.c.body_id.is_not(None),
        node.c.type
        != func.coalesce(
            select(message.c.kind)
            .where(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id)
            .scalar_subquery(),
            int(ResourceType.MEDIA),
        ),
    ),
    "collection of a type that none has": _rows(
        node, node.c.id, node.c.is_coll == 1, *[node.c.type != int(type_) for type_ in COLLECTIONS]
    ),
    "session history with several session infos": _rows(
        node,
        node.c.id,
        node.c.type == int(ResourceType.SESSION_HISTORY),
        select(func.count())
        .select_from(
            _inside.join(_infos, and_(_infos.c.store_id == _inside.c.store_id, _infos.c.id == _inside.c.node_id))
        )
        .where(
            _inside.c.store_id == node.c.store_id,
            _inside.c.parent_id == node.c.id,
            _infos.c.type == int(ResourceType.SESSION_INFO),
        )
        .scalar_subquery()
        > 1,
    ),
    "body that no node uses": _rows(
        body, body.c.id, ~exists().where(node.c.store_id == body.c.store_id, node.c.body_id == body.c.id)
    ),
    "body both inline and in a blob, or neither": _rows(
        body, body.c.id, body.c.inline.is_(None) == body.c.blob.is_(None)
    ),
    "body of another length than its row": _rows(body, body.c.id, func.length(body.c.inline) != body.c.length),
    "broken interval": _rows(
        binding, binding.c.name, or_(binding.c.mapped > binding.c.changed, binding.c.changed > _seq(binding))
    ),
    "broken closed interval": _rows(
        gone, gone.c.name, or_(gone.c.mapped >= gone.c.unmapped, gone.c.unmapped > _seq(gone))
    ),
    "overlapping intervals": _rows(
        gone,
        gone.c.name,
        or_(
            exists().where(
                binding.c.store_id == gone.c.store_id,
                binding.c.parent_id == gone.c.parent_id,
                binding.c.name == gone.c.name,
                binding.c.mapped < gone.c.unmapped,
            ),
            exists().where(
                _later.c.store_id == gone.c.store_id,
                _later.c.parent_id == gone.c.parent_id,
                _later.c.name == gone.c.name,
                _later.c.unmapped > gone.c.unmapped,
                _later.c.mapped < gone.c.unmapped,
            ),
        ),
    ),
}
_instances = select(func.count().label("rows")).select_from(instance).subquery()
_DAMAGE_OF_DATABASE: dict[str, Statement[tuple[int | str]]] = {
    "database without the one row that names it": Statement[tuple[int | str]](
        select(_instances.c.rows).where(_instances.c.rows != 1)
    ),
    **integrity_of_people.DAMAGE,
}
_STRAY = {
    table.name: Statement[tuple[int]](
        select(table.c.store_id)
        .where(
            ~exists().where(store.c.id == table.c.store_id),
            table.c.store_id != WHOLE_SERVER if table is job else literal_column("1 = 1"),
        )
        .distinct()
    )
    for table in metadata.sorted_tables
    if table.primary_key.columns.keys()[0] == "store_id"
}
_lengths: Select[Any] = select(func.coalesce(func.sum(node.c.length), 0)).where(node.c.store_id == _s, _bound)
_elements: Select[Any] = (
    select(func.coalesce(func.sum(func.length(property_.c.element)), 0))
    .select_from(property_.join(node, and_(node.c.store_id == property_.c.store_id, node.c.id == property_.c.node_id)))
    .where(
        property_.c.store_id == _s,
        or_(_bound, _roots, and_(node.c.type == int(ResourceType.THREAD), _in_threads)),
    )
)


def _names(table: Table) -> ScalarSelect[int]:
    is_charged = table.c.area != WEAK
    return select(func.count()).select_from(table).where(table.c.store_id == _s, is_charged).scalar_subquery()


_COUNTERS = Statement(
    select(
        store.c.used_bytes,
        _lengths.scalar_subquery(),
        _elements.scalar_subquery(),
        store.c.next_id,
        select(func.coalesce(func.max(node.c.id), 0)).where(node.c.store_id == _s).scalar_subquery(),
        select(func.coalesce(func.max(body.c.id), 0)).where(body.c.store_id == _s).scalar_subquery(),
        select(func.coalesce(func.max(job.c.id), 0)).where(job.c.store_id == _s).scalar_subquery(),
        store.c.seq,
        store.c.floor,
        store.c.entries,
        _names(binding) + _names(gone),
    ).where(store.c.id == _s),
    Counters,
)
_BODIES = Statement(
    select(body.c.id, body.c.inline, body.c.blob, body.c.length, body.c.sha256)
    .where(body.c.store_id == _s, body.c.id > bindparam("after"))
    .order_by(body.c.id)
    .limit(100),
    BodyRow,
)
_STORES = Statement[tuple[int, str]](select(store.c.id, store.c.owner).order_by(store.c.id))
_PAGES = Statement[tuple[str]](text("PRAGMA integrity_check"))


def list_stores(unit: Unit) -> list[tuple[int, str]]:
    """Return id and owner of every store, whatever of it is missing."""
    return unit.all(_STORES, {})


def each_damage_of_database(unit: Unit) -> Iterator[tuple[str, str]]:
    """Yield a kind of damage and the row that has it, for rows that are of no store, or of one that is not there."""
    for kind, statement in _DAMAGE_OF_DATABASE.items():
        for (what,) in unit.all(statement, {}):
            yield kind, str(what)
    for name, stray in _STRAY.items():
        for (store_id,) in unit.all(stray, {}):
            yield "row of a missing store", f"{name} of store {store_id}"


def each_damage(unit: Unit, store_id: int) -> Iterator[tuple[str, str]]:
    """Yield a kind of damage and the row that has it, for every row of a store that contradicts another."""
    for kind, statement in (_DAMAGE | DAMAGE | OF_RIGHTS).items():
        for (what,) in unit.all(statement, {"s": store_id}):
            yield kind, str(what)
    found = unit.one(_COUNTERS, {"s": store_id})
    if found is not None:
        yield from (("counter does not add up", told) for told in _each_wrong_counter(found))


def _each_wrong_counter(found: Counters) -> Iterator[str]:
    if found.used_bytes != found.lengths + found.elements:
        yield f"{found.used_bytes} bytes used, {found.lengths + found.elements} counted"
    if found.entries != found.names:
        yield f"{found.entries} names charged, {found.names} counted"
    last_id = max(found.last_node, found.last_body, found.last_job)
    if found.next_id <= last_id:
        yield f"the next id is {found.next_id}, {last_id} is given"
    if found.floor > found.seq:
        yield f"floor {found.floor} is above {found.seq}"


def each_body(unit: Unit, store_id: int) -> Iterator[BodyRow]:
    """Yield every body of a store."""
    after = 0
    while rows := unit.all(_BODIES, {"s": store_id, "after": after}):
        yield from rows
        after = rows[-1].id


def each_bad_page(unit: Unit) -> Iterator[str]:
    """Yield the findings of SQLite's own check of its pages; PostgreSQL checks its pages itself."""
    if unit.dialect.name == "sqlite":
        yield from (told for (told,) in unit.all(_PAGES, {}) if told != "ok")
