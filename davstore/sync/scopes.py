"""The collection that a report is about: where it is, since when it is there, and what its URL named before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from davstore.errors import NotFound, UnsupportedReport
from davstore.metadata import bindings, changes
from davstore.metadata.bindings import Resolved
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts


class Span(NamedTuple):
    """A node that a URL named over [since, until); ended is the change number that tells its end."""

    node_id: int
    since: int
    until: int
    ended: int


class Scope(NamedTuple):
    """A collection by its path. `former` are the collections that its URL named before, since the base of the run.

    fresh is the newest number at which it or a collection above it was mapped; moved: a MOVE did that;
    died is when its URL last ceased to name something, after the base.
    """

    names: tuple[str, ...]
    node_id: int
    fresh: int
    moved: bool
    died: int
    former: list[Span]


def find(unit: Unit, facts: StoreFacts, names: tuple[str, ...], place: Resolved, *, base: int) -> Scope:
    """Return the collection that names met at a place, with its former incarnations that ended after base.

    Raises:
        NotFound, UnsupportedReport: the path names nothing, or no collection.
    """
    if place.resource is None or place.last is None:
        raise NotFound(names[-1] if names else "")
    steps = [*place.steps, place.last]
    if not place.resource.is_collection:
        raise UnsupportedReport
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
        parents = [(Span(step.node_id, fresh, facts.seq + 1, facts.seq + 1), False), *((span, True) for span in spans)]
        found = [one for parent, was in parents for one in _incarnations(unit, facts, parent, name, was=was)]
        ended = [one for one in found if one[0].until > base]
        died = max((span.until for span, _ in ended), default=0)
        spans = [span for span, is_coll in ended if is_coll]
    return died, spans


def _incarnations(unit: Unit, facts: StoreFacts, parent: Span, name: str, *, was: bool) -> Iterator[tuple[Span, bool]]:
    """Yield the nodes that a name in a (former) collection meant, cut to the time of both."""
    for row in changes.list_incarnations(unit, facts.id, parent.node_id, name):
        if row.unmapped is None and not was:
            continue  # the open binding is not former
        since, until = max(row.mapped, parent.since), min(row.unmapped or parent.until, parent.until)
        if since < until:
            yield Span(row.node_id, since, until, until), bool(row.is_coll)
