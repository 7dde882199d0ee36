"""The difference of two instants of one scope, in the order of its keys (SYNC.md, "Report").

A row's key is (number, tie, changed). For a URL that is there, number is `eff`: the newest of its own change and of
the mappings of the collections above it; tie is 0. For one that is gone it is the last death of the URL, with shallow
before deep in the tie. Keys never sink, so a page may end at any row and the next begins right after it.

Only a collection mapped by MOVE can hold members older than its own mapping: whoever else is mapped is mapped empty.
So the members that are new by their path alone are found beneath the moved collections, and nowhere else.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from davstore.errors import NotFound, UnsupportedReport
from davstore.metadata import bindings, changes, listings
from davstore.metadata.changes import Former
from davstore.metadata.listings import Member
from davstore.metadata.unit import Unit
from davstore.model.changes import Level, Removed
from davstore.model.nodes import Resource, StoreFacts

Key = tuple[int, int, int]
Keyed = tuple[Key, Resource | Removed]
_key = operator.itemgetter(0)
_changed = operator.attrgetter("changed")


class Span(NamedTuple):
    """A node that a URL named over [since, until)."""

    node_id: int
    since: int
    until: int


class Scope(NamedTuple):
    """The collection a report is about. `former` are the collections that its URL named before, since the base."""

    names: tuple[str, ...]
    node_id: int
    fresh: int
    moved: bool
    died: int
    former: list[Span]


def find_scope(unit: Unit, facts: StoreFacts, names: tuple[str, ...], *, base: int) -> Scope:
    """Resolve a collection with its former incarnations that ended after base.

    Raises:
        NotFound, UnsupportedReport: nothing is there, or no collection.
    """
    place = bindings.resolve(unit, facts, names)
    if place.resource is None or place.last is None:
        raise NotFound(names[-1] if names else "")
    if not place.resource.is_collection:
        raise UnsupportedReport
    steps = [*place.steps, place.last]
    newest = max(steps, key=lambda step: step.mapped)
    died, spans = _former(unit, facts, steps, names, base) if base < facts.seq else (0, [])
    return Scope(names, place.last.node_id, newest.mapped, bool(newest.moved), died, spans)


def _former(
    unit: Unit, facts: StoreFacts, steps: list[bindings.Step], names: tuple[str, ...], base: int
) -> tuple[int, list[Span]]:
    """Return the last death of a URL, and the collections it named before; those ended by base do not count."""
    spans: list[Span] = []
    died, fresh = 0, 0
    for step, name in zip(steps, names, strict=False):
        fresh = max(fresh, step.mapped)
        parents = [(Span(step.node_id, fresh, facts.seq + 1), False), *((span, True) for span in spans)]
        found = [one for parent, was in parents for one in _incarnations(unit, facts, parent, name, was)]
        ended = [one for one in found if one[0].until > base]
        died = max((span.until for span, _ in ended), default=0)
        spans = [span for span, is_coll in ended if is_coll]
    return died, spans


def _incarnations(unit: Unit, facts: StoreFacts, parent: Span, name: str, was: bool) -> Iterator[tuple[Span, bool]]:
    """Yield what a name in a (former) collection meant, cut to the collection's own time."""
    for row in changes.list_incarnations(unit, facts.id, parent.node_id, name):
        if row.unmapped is None and not was:
            continue  # what is there now is not former
        span = Span(row.node_id, max(row.mapped, parent.since), min(row.unmapped or parent.until, parent.until))
        if span.since < span.until:
            yield span, bool(row.is_coll)


class Tree:
    """The collections of a scope that were met so far: node -> (names, fresh), None for one outside."""

    def __init__(self, unit: Unit, store_id: int, scope: Scope) -> None:
        self._unit = unit
        self._store_id = store_id
        self._known: dict[int, tuple[tuple[str, ...], int] | None] = {scope.node_id: (scope.names, scope.fresh)}

    def locate(self, node_ids: Iterable[int]) -> None:
        """Climb from many collections at once: a statement for each level that is still unknown."""
        above: dict[int, changes.Above] = {}
        wanted = set(node_ids) - self._known.keys()
        while wanted:
            rows = changes.list_above(self._unit, self._store_id, wanted)
            above |= {row.node_id: row for row in rows}
            for lost in wanted - above.keys():  # the root of the store, or nothing that lives
                self._known[lost] = None
            wanted = {row.parent_id for row in rows} - self._known.keys() - above.keys()
        for node_id in above:
            self._settle(node_id, above)

    def _settle(self, node_id: int, above: dict[int, changes.Above]) -> None:
        way = []
        while node_id not in self._known:
            way.append(above[node_id])
            node_id = above[node_id].parent_id
        for row in reversed(way):
            self._add(row.parent_id, row.name, row.node_id, row.mapped)

    def _add(self, parent_id: int, name: str, node_id: int, mapped: int) -> None:
        parent = self._known[parent_id]
        self._known[node_id] = None if parent is None else ((*parent[0], name), max(parent[1], mapped))

    def find(self, node_id: int) -> tuple[tuple[str, ...], int] | None:
        """Return names and fresh of a located collection; None when it is outside."""
        return self._known[node_id]

    def walk(self, node_id: int, *, limit: int = listings.NO_LIMIT) -> list[int] | None:
        """Return a located collection and all beneath it, which are located by it; None when more than limit."""
        beneath = listings.list_collections_beneath(self._unit, self._store_id, node_id, limit=limit)
        if len(beneath) >= limit:
            return None
        for row in beneath:
            self._add(*row)
        return [node_id, *(row.node_id for row in beneath)]


@dataclass(slots=True)
class _Url:
    """What is known of a URL that was closed: its last death, and the collections it named."""

    died: int = 0
    mapped: int = 0
    is_collection: int = 0
    live: int | None = None
    former: list[Span] = field(default_factory=list)

    def add(self, row: Former, span: Span, died: int) -> None:
        self.died = max(self.died, died)
        if row.mapped >= self.mapped:
            self.mapped, self.is_collection = row.mapped, row.is_coll
        self.live = row.live
        if row.is_coll:
            self.former.append(span)


class Difference:
    """What a device that is at `cursor` has to be told of a scope, in one snapshot."""

    def __init__(self, unit: Unit, facts: StoreFacts, scope: Scope, level: Level, *, wanted: int = 2**62) -> None:
        """Prepare to tell it; the reader wants so many rows and may take more."""
        self._unit = unit
        self._store_id = facts.id
        self._facts = facts
        self._scope = scope
        self._level = level
        self._wanted = wanted
        self._tree = Tree(unit, facts.id, scope)

    def rows(self, cursor: Key, base: int) -> Iterator[Keyed]:
        """Yield the rows after cursor in the order of their keys; removals are those after base."""
        streams = (self._changed(cursor), self._carried(cursor), iter(self._removed(base)))
        return itertools.dropwhile(lambda row: row[0] <= cursor, heapq.merge(*streams, key=_key))

    # What changed by itself

    def _changed(self, cursor: Key) -> Iterator[Keyed]:
        find = self._tree.find
        for row in self._changed_rows(cursor[0] - 1):
            place = find(row.parent_id)
            if place is not None and place[1] < row.changed:
                yield (row.changed, 0, row.changed), row.at(place[0])

    def _changed_rows(self, after: int) -> Iterator[Member]:
        if self._level is Level.ONE:
            yield from self._members([self._scope.node_id], after=after)
            return
        batches = changes.each_changed(self._unit, self._store_id, after=after, wanted=self._wanted)
        for number, batch in enumerate(batches):
            self._tree.locate(row.parent_id for row in batch)
            yield from batch
            if number == 0 and len(batch) == changes.BATCH and self._scope.names:
                # Much happened in the store: is the scope a small part of it?
                inside = self._tree.walk(self._scope.node_id, limit=changes.AT_ONCE)
                if inside is not None:
                    yield from self._members(inside, after=batch[-1].changed)
                    return

    def _members(self, collections: list[int], *, after: int, before: int = 2**62) -> Iterator[Member]:
        """Yield the members of many collections changed between two numbers, in that order."""
        unit, store_id, wanted = self._unit, self._store_id, self._wanted
        if len(collections) > changes.AT_ONCE:
            return changes.each_changed_in_many(unit, store_id, collections, after=after, before=before, wanted=wanted)
        streams = (
            changes.each_changed_in(unit, store_id, node_id, after=after, before=before, wanted=wanted)
            for node_id in collections
        )
        return heapq.merge(*streams, key=_changed)

    # What changed because a collection above it was moved

    def _carried(self, cursor: Key) -> Iterator[Keyed]:
        carriers: defaultdict[int, list[int]] = defaultdict(list)
        for node_id in self._moved(cursor[0]):
            place = self._tree.find(node_id)
            if place is not None and place[1] >= cursor[0]:
                carriers[place[1]].append(node_id)
        for fresh in sorted(carriers):
            after = cursor[2] if (fresh, 0) == cursor[:2] else 0
            for row in self._members(carriers[fresh], after=after, before=fresh):
                place = self._tree.find(row.parent_id)
                if place is not None:
                    yield (fresh, 0, row.changed), row.at(place[0])

    def _moved(self, since: int) -> set[int]:
        """Return the collections that lie in the scope by a MOVE at or after a number, of them or of one above."""
        scope = self._scope
        whole = scope.moved and scope.fresh >= since
        if self._level is Level.ONE:
            return {scope.node_id} if whole else set()
        tops = [scope.node_id] if whole else changes.list_moved(self._unit, self._store_id, since=since)
        self._tree.locate(tops)
        found: set[int] = set()
        for top in tops:
            if top not in found and self._tree.find(top) is not None:
                found.update(self._tree.walk(top) or ())
        return found

    # What is gone

    def _removed(self, base: int) -> list[Keyed]:
        urls: defaultdict[int, defaultdict[tuple[str, ...], _Url]] = defaultdict(lambda: defaultdict(_Url))
        if base < self._facts.seq:
            self._seed(urls, base)
        rows: list[Keyed] = []
        top = len(self._scope.names)
        depth = top + 1
        while depth <= max(urls, default=0):  # a level may be empty and the next not
            for names, url in urls[depth].items():
                if url.live is None:
                    parent = names[top:-1]
                    row = Removed(names[:-1], names[-1], url.is_collection)
                    rows.append(((url.died, len(parent) << 56 | _hash(parent), url.mapped), row))
                elif self._level is Level.INFINITE:
                    self._expand(urls, names, url.former, live=url.live, died=url.died, base=base)
            depth += 1
        rows.sort(key=lambda row: row[0])
        return rows

    def _seed(self, urls: _Urls, base: int) -> None:
        """Begin with what was closed in collections that are there, and with what the scope's URL named before."""
        scope = self._scope
        one = scope.node_id if self._level is Level.ONE else None
        rows = changes.list_gone(self._unit, self._store_id, after=base, parent_id=one)
        self._tree.locate(row.parent_id for row in rows)
        for row in rows:
            place = self._tree.find(row.parent_id)
            if place is not None and place[1] < row.unmapped:
                span = Span(row.node_id, max(row.mapped, place[1]), row.unmapped)
                urls[len(place[0]) + 1][(*place[0], row.name)].add(row, span, row.unmapped)
        self._expand(urls, scope.names, scope.former, live=scope.node_id, died=scope.died, base=base)

    def _expand(
        self, urls: _Urls, names: tuple[str, ...], former: list[Span], *, live: int, died: int, base: int
    ) -> None:
        """Add the members that a URL's former collections had: the URL lives again, so each is told by itself."""
        for span in former:
            rows = changes.list_former_members(
                self._unit,
                self._store_id,
                span.node_id,
                after=max(span.since, base),
                before=span.until,
                live_parent=live,
            )
            for row in rows:
                inner = Span(row.node_id, max(row.mapped, span.since), min(row.unmapped, span.until))
                if inner.since < inner.until and inner.until > base:
                    urls[len(names) + 1][(*names, row.name)].add(row, inner, died)


_Urls = defaultdict[int, defaultdict[tuple[str, ...], _Url]]


def _hash(names: tuple[str, ...]) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(names).encode(), digest_size=7).digest())
