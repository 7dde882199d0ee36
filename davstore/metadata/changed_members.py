"""Members of collections in the order of their change numbers, some at a time, with the facts that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, compress
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, and_, bindparam, case, false, func, literal_column, or_, select

from davstore.metadata.columns import ByColumn, by_column, read_columns
from davstore.metadata.conditions import WITH_MESSAGE, source_of, truth_of
from davstore.metadata.listings import BOUND, COLUMN_OF, FACTS, NO_LIMIT, THREAD_FACTS, MemberRow, with_threads
from davstore.metadata.statements import Statement, among, array
from davstore.metadata.tables import binding, message, node
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.where import Where

FIRST = 256
"""Members fetched at first where the reader may stop at any of them: most reports end within them."""

_in_store = binding.c.store_id == bindparam("s")
_window = and_(binding.c.changed > bindparam("after"), binding.c.changed < bindparam("before"))
_child = binding.alias("child")
_below = _child.join(
    binding, and_(binding.c.store_id == _child.c.store_id, binding.c.parent_id == _child.c.node_id)
).join(node, and_(node.c.store_id == binding.c.store_id, node.c.id == binding.c.node_id))


class _Selects(NamedTuple):
    """The rows of members that changed, in an area and in one collection, and of those one level further down."""

    changed: Select[Any]
    changed_in: Select[Any]
    carried_below: Select[Any]


def _selects(extend: Callable[[FromClause], FromClause] = lambda source: source) -> _Selects:
    members = select(binding.c.parent_id, *FACTS).select_from(extend(BOUND)).order_by(binding.c.changed)
    members = members.where(_in_store, _window).limit(bindparam("limit"))
    carried_below = (
        select(binding.c.parent_id, *FACTS)
        .select_from(extend(_below))
        .where(
            _child.c.store_id == bindparam("s"),
            _child.c.parent_id == bindparam("p"),
            _child.c.is_coll == literal_column("1"),
            _child.c.node_id > bindparam("first"),
            _child.c.node_id <= bindparam("last"),
            _child.c.mapped < bindparam("before"),
            binding.c.changed < bindparam("before"),
        )
        .order_by(_child.c.node_id, binding.c.changed)
        .limit(bindparam("limit"))
    )
    of_area = members.where(binding.c.area == bindparam("area"))
    return _Selects(of_area, members.where(binding.c.parent_id == bindparam("p")), carried_below)


_SELECTS = _selects()
_WITH_THREADS = _selects(with_threads)


class Batch(NamedTuple):
    """Some members by column, all in one order: their parents, their changes, and the facts that are asked for."""

    columns: list[Any]

    @property
    def parents(self) -> list[int]:
        """The node of the collection that each is in."""
        parents: list[int] = self.columns[0]
        return parents

    @property
    def changed(self) -> list[int]:
        """The change number of each."""
        changed: list[int] = self.columns[1]
        return changed

    def __len__(self) -> int:
        return len(self.columns[0])

    def cut(self, start: int, stop: int | None = None) -> Batch:
        """Return the members from one position to another."""
        return Batch([column[start:stop] for column in self.columns])

    def keep(self, chosen: list[bool]) -> Batch:
        """Return the chosen members."""
        return Batch([list(compress(column, chosen)) for column in self.columns])


def merge(batches: list[Batch]) -> Batch:
    """Return the members of some batches in the order of their changes."""
    if len(batches) == 1:
        return batches[0]
    columns = [list(chain.from_iterable(parts)) for parts in zip(*(batch.columns for batch in batches), strict=True)]
    changed = columns[1]
    order = sorted(range(len(changed)), key=changed.__getitem__)
    return Batch([[column[at] for at in order] for column in columns])


class Form(NamedTuple):
    """A way to read members: the statements that find them, and the function that runs one of these."""

    changed: Statement[Any]
    changed_in: Statement[Any]
    carried_below: Statement[Any]
    read: Callable[[Unit, Statement[Any], Mapping[str, object], int | None], Batch]
    """Takes the collection that all members are in, where it is one, which `changed_in` need not return then."""
    own: Mapping[str, object] = MappingProxyType({})
    """Values that its statements need beside those of a report."""


def _read_rows(unit: Unit, statement: Statement[MemberRow], values: Mapping[str, object], _parent: int | None) -> Batch:
    rows = unit.all(statement, values)
    return Batch([[row.parent_id for row in rows], [row.changed for row in rows], rows])


_BOUND = Statement(
    select(binding.c.parent_id, *FACTS)
    .select_from(BOUND)
    .where(_in_store, binding.c.area == bindparam("area"), among(binding.c.node_id, bindparam("ids"))),
    MemberRow,
)
ROWS = Form(
    Statement(_SELECTS.changed, MemberRow),
    Statement(_SELECTS.changed_in, MemberRow),
    Statement(_SELECTS.carried_below, MemberRow),
    _read_rows,
)
"""Each member whole, as a `MemberRow`."""


@lru_cache(maxsize=64)
def by_column_form(facts: tuple[str, ...]) -> Form:
    """Return the form that reads types, names and some facts, fields of `Resource`, as text."""
    selects = _SELECTS if THREAD_FACTS.keys().isdisjoint(facts) else _WITH_THREADS
    columns = [binding.c.changed, binding.c.name, *(COLUMN_OF[fact] for fact in facts)]
    with_parent = [binding.c.parent_id, *columns]
    return Form(
        by_column(selects.changed, with_parent),
        by_column(selects.changed_in, columns),
        by_column(selects.carried_below, with_parent),
        _read,
    )


def difference_form(now: Where | None, before: Where | None, *, base: int) -> Form | None:
    """Return the form that reads rows, of those that changed up to a number only what one of two conditions selects.

    None: the databases cannot tell.
    """
    form = _difference_form(now, before)
    return None if form is None else form._replace(own={"base": base})


@lru_cache(maxsize=256)
def _difference_form(now: Where | None, before: Where | None) -> Form | None:
    is_shown, was_shown = truth_of(now), truth_of(before)
    if is_shown is None or was_shown is None:
        return None
    other = func.coalesce(is_shown, false()) != func.coalesce(was_shown, false())
    differs = or_(
        binding.c.changed > bindparam("base"),
        and_(binding.c.is_coll == literal_column("0"), other),
    )
    changed = select(binding.c.parent_id, *FACTS).select_from(source_of(now, before)).order_by(binding.c.changed)
    members = changed.where(_in_store, _window, differs).limit(bindparam("limit"))
    changed = members.where(binding.c.area == bindparam("area"))
    changed_in = members.where(binding.c.parent_id == bindparam("p"))
    return ROWS._replace(changed=Statement(changed, MemberRow), changed_in=Statement(changed_in, MemberRow))


def find_oldest(unit: Unit, store: StoreFacts, where: Where) -> int | None:
    """Return the least time of the non-collections of an area that a condition selects.

    It is the date of a message, else the time of storing.

    None: there are none. Raises ValueError: a condition that the databases cannot tell.
    """
    row = unit.one(_oldest(where), {"s": store.id, "area": store.area})
    return None if row is None else row[0]


@lru_cache(maxsize=256)
def _oldest(where: Where) -> Statement[tuple[int | None]]:
    truth = truth_of(where)
    if truth is None:
        raise ValueError(where)
    stored_us = case((node.c.modified_us > node.c.created_us, node.c.modified_us), else_=node.c.created_us)
    time_us = func.coalesce(message.c.date_us, stored_us)
    is_leaf = binding.c.is_coll == literal_column("0")
    dated = (
        select(func.min(time_us))
        .select_from(WITH_MESSAGE)
        .where(_in_store, binding.c.area == bindparam("area"), is_leaf, truth)
    )
    return Statement[tuple[int | None]](dated)


def _read(unit: Unit, statement: ByColumn, values: Mapping[str, object], parent: int | None) -> Batch:
    types, columns = read_columns(unit, statement, values)
    parents = list(map(int, columns.pop(0))) if parent is None else [parent] * len(types)
    changed, *texts = columns
    return Batch([parents, list(map(int, changed)), types, *texts])


def each_changed(unit: Unit, store: StoreFacts, form: Form, *, after: int, wanted: int) -> Iterator[Batch]:
    """Yield every member in the area of a store that changed after a number.

    Any number of them may be read; no more than wanted is fetched before the reader has taken so many.
    """
    values = {"s": store.id, "area": store.area, "before": NO_LIMIT}
    return _batches(unit, form, form.changed, values, after, wanted)


def each_changed_in(
    unit: Unit, store_id: int, form: Form, parent_id: int, *, after: int, before: int = NO_LIMIT, wanted: int
) -> Iterator[Batch]:
    """Yield as `each_changed`, of the members of one collection changed between two numbers, both left out."""
    values = {"s": store_id, "p": parent_id, "before": before}
    return _batches(unit, form, form.changed_in, values, after, wanted, parent_id)


def list_carried_below(
    unit: Unit, store_id: int, form: Form, parent_id: int, *, first: int, last: int, before: int, limit: int
) -> Batch:
    """Return the members of the collections in one, by the node id of these and then by change.

    Those of collections with a node id behind first and up to last, as far as both were mapped and changed before a
    number.
    """
    values = {"s": store_id, "p": parent_id, "first": first, "last": last, "before": before, "limit": limit}
    return form.read(unit, form.carried_below, values, None)


def list_bound(unit: Unit, store: StoreFacts, node_ids: Iterable[int]) -> list[MemberRow]:
    """Return the members, of the area of a store, that are some nodes."""
    return unit.all(_BOUND, {"s": store.id, "area": store.area, "ids": array(node_ids)})


def _batches(
    unit: Unit,
    form: Form,
    statement: Statement[Any],
    values: Mapping[str, object],
    after: int,
    wanted: int,
    parent: int | None = None,
) -> Iterator[Batch]:
    size = FIRST
    values = {**form.own, **values}
    while True:
        batch = form.read(unit, statement, {**values, "after": after, "limit": size}, parent)
        if len(batch):
            yield batch
        if len(batch) < size:
            return
        after = batch.changed[-1]
        wanted -= size
        size = min(2 * size, 32 * FIRST, wanted if wanted > 0 else 32 * FIRST)
