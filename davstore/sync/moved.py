"""The members that a moved collection carried along, in an order in which a report can go on after any of them.

Under the number of its MOVE a tree is reported as it was at that moment, which nothing changes any more: the members of
its top; then of each collection, in this same order, the members of the collections in it, one of these after the other
by node id. Members that left the tree since, or changed, have a newer number and are left out. So the parent of the
last row says how far a device is, even when that collection is gone: its history is kept as long as the token is good.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from davstore.metadata import changed_members, changes
from davstore.metadata.changed_members import Batch
from davstore.metadata.changes import Collection, Moved, Once
from davstore.model.changes import Key, Level
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived

AT_ONCE = 256
"""Collections looked up together."""


def carried(asked: Inquiry, top: Moved, cursor: Key) -> Iterator[Arrived]:
    """Yield the members that a moved collection and those below it carried along, behind a cursor of its number."""
    rows = _in_tree(asked, top, cursor) if asked.level is Level.INFINITE else _in_top(asked, top, cursor)
    if not asked.see.is_whole:
        rows = (_in_sight(asked, some, top.mapped) for some in rows)
    return (Arrived(some, top.mapped) for some in rows if len(some))


def _in_sight(asked: Inquiry, rows: Batch, fresh: int) -> Batch:
    """Return the members that are in sight, and did not come into sight later than with the tree."""
    see = asked.see
    return rows.keep(
        [
            _is_carried(asked, row.parent_id, fresh) and not see.hides(row.node_id) and see.shown(row.node_id) < fresh
            for row in rows.columns[2]
        ]
    )


def _is_carried(asked: Inquiry, node_id: int, fresh: int) -> bool:
    """Tell whether a collection of the tree shows its members since the tree is there."""
    found = asked.ancestry.find(node_id)
    return found is not None and found.fresh == fresh


def members(asked: Inquiry, parent: int, fresh: int, after: int) -> Iterator[Batch]:
    """Yield the carried members of one collection."""
    return changed_members.each_changed_in(
        asked.unit, asked.facts.id, asked.form, parent, after=after, before=fresh, wanted=asked.wanted
    )


def way_down(asked: Inquiry, top: Moved, node_id: int) -> list[Once]:
    """Return the bindings from a top down to a collection as they were when it was moved; none: it was not below it."""
    way: list[Once] = []
    while node_id != top.node_id:
        step = changes.find_bound_at(asked.unit, asked.facts.id, node_id, top.mapped)
        if step is None:
            return []
        way.append(step)
        node_id = step.parent_id
    return way[::-1]


def _in_top(asked: Inquiry, top: Moved, cursor: Key) -> Iterator[Batch]:
    """Yield the members of the top: nothing behind a row from further down, which a report at another level gave."""
    _, parent, changed = cursor
    if parent in (0, top.node_id):
        yield from members(asked, top.node_id, top.mapped, changed if parent else 0)


def _in_tree(asked: Inquiry, top: Moved, cursor: Key) -> Iterator[Batch]:
    fresh = top.mapped
    waiting: list[Iterator[Collection]] = []  # of each collection on the way: those in it that are still to be entered
    way = way_down(asked, top, cursor[1]) if cursor[1] else []
    if way:
        yield from rest(asked, way, fresh, cursor[2], waiting)
    else:
        yield from members(asked, top.node_id, fresh, cursor[2] if cursor[1] == top.node_id else 0)
        yield from _enter(asked, top.node_id, fresh, waiting)
    while waiting:
        collection = next(waiting[-1], None)
        if collection is None:
            waiting.pop()
        elif collection.is_parent and _is_carried(asked, collection.node_id, fresh):
            yield from _enter(asked, collection.node_id, fresh, waiting)


def rest(
    asked: Inquiry, way: list[Once], fresh: int, changed: int, waiting: list[Iterator[Collection]]
) -> Iterator[Batch]:
    """Go on after a row whose parent is at the end of a way, as far as the way is still there."""
    *above, last = way
    for step in above:
        waiting.append(_each(asked, step.parent_id, fresh, step.node_id))
        if not step.is_open:
            return
        asked.ancestry.add(step.parent_id, step.name, step.node_id, step.mapped)
    if last.is_open:
        asked.ancestry.add(last.parent_id, last.name, last.node_id, last.mapped)
        yield from members(asked, last.node_id, fresh, changed)
    yield from _enter(asked, last.parent_id, fresh, waiting, after=last.node_id)


def _enter(
    asked: Inquiry, parent: int, fresh: int, waiting: list[Iterator[Collection]], *, after: int = 0
) -> Iterator[Batch]:
    """Yield the members of the collections in one, behind a node id, and let those be entered next."""
    waiting.append(_each(asked, parent, fresh, 0))
    for some in _batches(asked, parent, fresh, after):
        last = some[-1].node_id
        while after < last:
            rows = changed_members.list_carried_below(
                asked.unit, asked.facts.id, asked.form, parent, first=after, last=last, before=fresh, limit=asked.wanted
            )
            yield rows
            after = last
            if len(rows) == asked.wanted:  # the last parent's members may not be all
                after = rows.parents[-1]
                yield from members(asked, after, fresh, rows.changed[-1])


def _each(asked: Inquiry, parent: int, fresh: int, after: int) -> Iterator[Collection]:
    return itertools.chain.from_iterable(_batches(asked, parent, fresh, after))


def _batches(asked: Inquiry, parent: int, fresh: int, after: int) -> Iterator[list[Collection]]:
    """Yield the collections of the tree in one of them, by node id."""
    some: list[Collection] = []
    while not some or len(some) == AT_ONCE:
        some = changes.list_collections_in(asked.unit, asked.facts.id, parent, after=after, before=fresh, limit=AT_ONCE)
        if not some:
            return
        for one in some:
            asked.ancestry.add(parent, one.name, one.node_id, one.mapped)
        yield some
        after = some[-1].node_id
