"""The collection that a report is about: where it is, since when it is there, and what its URL named before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from davstore.errors import NotFound, UnsupportedReport
from davstore.metadata import bindings, changes
from davstore.metadata.bindings import Resolved
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.sync.visibility import Visibility


class Span(NamedTuple):
    """A node that a URL named over [since, until)."""

    node_id: int
    since: int
    until: int


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


def find(
    unit: Unit, facts: StoreFacts, names: tuple[str, ...], place: Resolved, see: Visibility, *, base: int
) -> Scope:
    """Return the collection that names met at a place, with its former incarnations that ended after base.

    Raises:
        NotFound, UnsupportedReport: the path names nothing, or no collection.
    """
    if place.resource is None or place.last is None:
        raise NotFound(names[-1] if names else "")
    steps = [*place.steps, place.last]
    if any(see.hides(step.node_id) for step in steps):
        raise NotFound(names[-1] if names else "")
    if not place.resource.is_collection:
        raise UnsupportedReport
    newest = max(steps, key=lambda step: step.mapped)
    fresh = max(newest.mapped, *(see.shown(step.node_id) for step in steps))
    died, spans = _former(unit, facts, steps, names, see, base) if base < facts.seq else (0, [])
    return Scope(names, place.last.node_id, fresh, bool(newest.moved), died, spans)


def _former(
    unit: Unit, facts: StoreFacts, steps: list[bindings.Step], names: tuple[str, ...], see: Visibility, base: int
) -> tuple[int, list[Span]]:
    """Return the last death of a URL, and the collections it named before; those ended by base do not count."""
    spans: list[Span] = []
    died, fresh = 0, 0
    for step, name in zip(steps, names, strict=False):
        fresh = max(fresh, step.mapped)
        parents = [(Span(step.node_id, fresh, facts.seq + 1), False), *((span, True) for span in spans)]
        found = [one for parent, was in parents for one in _incarnations(unit, facts, parent, name, see, was=was)]
        ended = [one for one in found if one[0].until > base]
        died = max((span.until for span, _ in ended), default=0)
        spans = [span for span, is_coll in ended if is_coll]
    return died, spans


def _incarnations(
    unit: Unit, facts: StoreFacts, parent: Span, name: str, see: Visibility, *, was: bool
) -> Iterator[tuple[Span, bool]]:
    """Yield the nodes that a name in a (former) collection meant, cut to the time in which both were seen."""
    for row in changes.list_incarnations(unit, facts.id, parent.node_id, name):
        if row.unmapped is None and not was:
            continue  # the open binding is not former
        since, until = max(row.mapped, parent.since), min(row.unmapped or parent.until, parent.until)
        if since < until:
            for part in see.spans(row.node_id, since, until):
                yield Span(row.node_id, *part), bool(row.is_coll)
