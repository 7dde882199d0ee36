"""Members that are there: those that changed by themselves, and those that a moved collection carried along.

Only a collection mapped by MOVE can hold members older than its own mapping: MKCOL maps an empty one, and COPY maps
each collection before its members. So the members that are new by their path alone are found below the moved
collections, and nowhere else (docs/adr/0001).
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter

from davstore.metadata import changed_members, changes
from davstore.metadata.changed_members import Batch, merge
from davstore.metadata.changes import Moved
from davstore.metadata.listings import NO_LIMIT
from davstore.model.changes import Level, Position
from davstore.model.visibility import Hides
from davstore.sync import moved
from davstore.sync.ancestry import Ancestry
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived, Due
from davstore.sync.tokens import AFTER_ALL

AT_ONCE = 64
"""Collections of a scope whose members are merged; where there are more, those of the whole store are read."""
MOVED_AT_ONCE = 64
"""Moved collections located together: most reports end before the next ones."""


def changed(asked: Inquiry) -> Iterator[Arrived]:
    """Yield the members that changed by themselves after the position, in the order of their numbers."""
    start = asked.start
    after = max(start.number if _is_whole(start) else start.number - 1, asked.scope.fresh)
    one = asked.level is Level.ONE
    runs = _changed_in(asked, [asked.scope.node_id], after) if one else _changed_below(asked, after)
    return runs if asked.see.is_whole else _in_sight(asked, runs)


def _in_sight(asked: Inquiry, runs: Iterator[Arrived]) -> Iterator[Arrived]:
    """Yield the members that are in sight, and that changed since they came into sight again."""
    see = asked.see
    for rows, _ in runs:
        kept = rows.keep(
            [not see.hides(row.node_id) and see.shown(row.node_id) < row.changed for row in rows.columns[2]]
        )
        if len(kept):
            yield Arrived(kept)


def _changed_below(asked: Inquiry, after: int) -> Iterator[Arrived]:
    """Read the changes of the store and keep those of the scope, unless that is a small part of it."""
    batches = changed_members.each_changed(asked.unit, asked.facts, asked.changed, after=after, wanted=asked.wanted)
    for count, batch in enumerate(batches):
        rows = _inside(asked.ancestry, batch)
        if len(rows):
            yield Arrived(rows)
        if count == 0 and len(batch) == changed_members.FIRST and asked.scope.names:
            collections = asked.ancestry.walk(asked.scope.node_id, limit=AT_ONCE)
            if collections is not None:
                yield from _changed_in(asked, collections, batch.changed[-1])
                return


def _inside(ancestry: Ancestry, batch: Batch) -> Batch:
    """Return the members, of a batch, that lie in the scope and changed since a collection above was mapped."""
    parents = set(batch.parents)
    ancestry.locate(parents)
    found = {parent: ancestry.find(parent) for parent in parents}
    oldest = batch.changed[0]
    if all(one is not None and one.fresh < oldest for one in found.values()):
        return batch
    since = {parent: NO_LIMIT if one is None else one.fresh for parent, one in found.items()}
    return batch.keep([since[parent] < changed for parent, changed in zip(*batch.columns[:2], strict=True)])


def _changed_in(asked: Inquiry, collections: list[int], after: int) -> Iterator[Arrived]:
    """Yield the members of some collections that changed after a number, in that order."""
    streams = []
    for node_id in collections:
        found = asked.ancestry.find(node_id)
        if found is not None:
            since = max(after, found.fresh)
            streams.append(
                changed_members.each_changed_in(
                    asked.unit, asked.facts.id, asked.changed, node_id, after=since, wanted=asked.wanted
                )
            )
    return map(Arrived, streams[0] if len(streams) == 1 else _merged(streams))


def _merged(streams: list[Iterator[Batch]]) -> Iterator[Batch]:
    """Merge the members of several collections: those up to the end of any batch are all known."""
    waiting = [(batch, stream) for stream in streams if (batch := next(stream, None)) is not None]
    while waiting:
        last = min(batch.changed[-1] for batch, _ in waiting)
        taken, left = [], []
        for batch, stream in waiting:
            at = bisect_right(batch.changed, last)
            taken.append(batch.cut(0, at))
            rest = batch.cut(at) if at < len(batch) else next(stream, None)
            if rest is not None:
                left.append((rest, stream))
        yield merge([batch for batch in taken if len(batch)])
        waiting = left


def carried(asked: Inquiry) -> Iterator[Due]:
    """Yield the trees that lie in the scope by a MOVE, with the members that they carried along, after the position."""
    start = asked.start
    first = start.number + 1 if _is_whole(start) else start.number
    for top in _tops(asked, first):
        cursor = start.key if top.mapped == start.number else (top.mapped, 0, 0)
        yield Due(top.mapped, moved.carried(asked, top, cursor))


def _is_whole(start: Position) -> bool:
    """Tell whether all rows of the position's number were given: a member that changed by itself comes last."""
    return start.tie == AFTER_ALL or start.key == (start.number, 0, start.number)


def _tops(asked: Inquiry, first: int) -> Iterator[Moved]:
    """Yield the tops of the trees that were moved at a number or later, unless a later move took them along."""
    scope = asked.scope
    whole = Moved(scope.node_id, scope.fresh)
    own = [whole] if scope.moved and scope.fresh >= first else []
    if asked.level is Level.ONE:
        yield from own
        return
    after = max(first - 1, scope.fresh)
    yield from heapq.merge(own, _moved_below(asked, after), _opened_below(asked, after), key=itemgetter(1))


def _opened_below(asked: Inquiry, after: int) -> Iterator[Moved]:
    """Yield the collections whose members came into sight again after a number, unless a later mapping gives them."""
    some = asked.see.list_shown(after, Hides.MEMBERS)
    asked.ancestry.locate(node_id for _, node_id in some)
    for number, node_id in some:
        found = asked.ancestry.find(node_id)
        if found is not None and found.fresh == number:
            yield Moved(node_id, number)


def shown(asked: Inquiry) -> Iterator[Due]:
    """Yield the members that came into sight again after the position, each before the tree beneath it."""
    some = asked.see.list_shown(max(asked.start.number, asked.scope.fresh), Hides.RESOURCE)
    if not some:
        return
    rows = changed_members.list_bound(asked.unit, asked.facts, [node_id for _, node_id in some])
    asked.ancestry.locate(row.parent_id for row in rows)
    at = {row.node_id: row for row in rows}
    for number, node_id in some:
        row = at.get(node_id)
        parent = None if row is None else asked.ancestry.find(row.parent_id)
        if row is None or parent is None or max(parent.fresh, row.changed) > number:
            continue
        if asked.level is Level.INFINITE or row.parent_id == asked.scope.node_id:
            yield Due(number, iter([Arrived(Batch([[row.parent_id], [row.changed], [row]]), number)]))


def _moved_below(asked: Inquiry, after: int) -> Iterator[Moved]:
    some: list[Moved] = []
    while not some or len(some) == MOVED_AT_ONCE:
        some = changes.list_moved(asked.unit, asked.facts.id, after=after, limit=MOVED_AT_ONCE)
        if not some:
            return
        asked.ancestry.locate(top.node_id for top in some)
        for top in some:
            found = asked.ancestry.find(top.node_id)
            if found is not None and found.fresh == top.mapped:
                yield top
        after = some[-1].mapped
