"""What is there: members that changed by themselves, and those that a moved collection carried along.

Only a collection mapped by MOVE can hold members older than its own mapping: MKCOL maps an empty one, and COPY maps
each collection before its members. So the members that are new by their path alone are found below the moved
collections, and nowhere else (docs/adr/0001).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from operator import attrgetter, itemgetter

from davstore.metadata import changes
from davstore.metadata.changes import Moved
from davstore.metadata.listings import Member
from davstore.model.changes import Level
from davstore.sync import moved
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived, Due
from davstore.sync.tokens import AFTER_ALL

MOVED_AT_ONCE = 64
"""Moved collections located together: most reports end before the next ones."""


def changed(asked: Inquiry) -> Iterator[Arrived]:
    """Yield what changed by itself after the position, in the order of its numbers."""
    number = asked.start.number
    after = max(number if asked.start.key >= (number, 0, number) else number - 1, asked.scope.fresh)
    if asked.level is Level.ONE:
        return _changed_in(asked, [asked.scope.node_id], after)
    return _changed_below(asked, after)


def _changed_below(asked: Inquiry, after: int) -> Iterator[Arrived]:
    """Read the changes of the store and keep those of the scope, unless that is a small part of it."""
    ancestry = asked.ancestry
    batches = changes.each_changed(asked.unit, asked.facts.id, after=after, wanted=asked.wanted)
    for count, batch in enumerate(batches):
        ancestry.locate({row.parent_id for row in batch})
        places = ancestry.known
        rows = [row for row in batch if (at := places[row.parent_id]) is not None and at.fresh < row.changed]
        if rows:
            yield Arrived(rows)
        if count == 0 and len(batch) == changes.BATCH and asked.scope.names:
            inside = ancestry.walk(asked.scope.node_id, limit=changes.AT_ONCE)
            if inside is not None:
                yield from _changed_in(asked, inside, batch[-1].changed)
                return


def _changed_in(asked: Inquiry, collections: list[int], after: int) -> Iterator[Arrived]:
    """Yield the members of some collections that changed after a number, in that order."""
    streams = []
    for node_id in collections:
        place = asked.ancestry.find(node_id)
        if place is not None:
            since = max(after, place.fresh)
            streams.append(
                changes.each_changed_in(asked.unit, asked.facts.id, node_id, after=since, wanted=asked.wanted)
            )
    return (Arrived(rows) for rows in (streams[0] if len(streams) == 1 else _merged(streams)))


def _merged(streams: list[Iterator[list[Member]]]) -> Iterator[list[Member]]:
    rows = heapq.merge(*map(itertools.chain.from_iterable, streams), key=attrgetter("changed"))
    while some := list(itertools.islice(rows, changes.BATCH)):
        yield some


def carried(asked: Inquiry) -> Iterator[Due]:
    """Yield the trees that lie in the scope by a MOVE, with the members that they carried along, after the position."""
    start = asked.start
    first = start.number + 1 if start.tie == AFTER_ALL else start.number
    for top in _tops(asked, first):
        cursor = start.key if top.mapped == start.number else (top.mapped, 0, 0)
        yield Due(top.mapped, moved.carried(asked, top, cursor))


def _tops(asked: Inquiry, first: int) -> Iterator[Moved]:
    """Yield the tops of the trees that were moved at a number or later and no move since then took along."""
    scope = asked.scope
    whole = Moved(scope.node_id, scope.fresh)
    own = [whole] if scope.moved and scope.fresh >= first else []
    if asked.level is Level.ONE:
        yield from own
        return
    yield from heapq.merge(own, _moved_below(asked, max(first - 1, scope.fresh)), key=itemgetter(1))


def _moved_below(asked: Inquiry, after: int) -> Iterator[Moved]:
    some: list[Moved] = []
    while not some or len(some) == MOVED_AT_ONCE:
        some = changes.list_moved(asked.unit, asked.facts.id, after=after, limit=MOVED_AT_ONCE)
        if not some:
            return
        asked.ancestry.locate(top.node_id for top in some)
        for top in some:
            place = asked.ancestry.find(top.node_id)
            if place is not None and place.fresh == top.mapped:
                yield top
        after = some[-1].mapped
