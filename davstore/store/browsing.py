"""A sorted page of a collection, for a browser."""

from __future__ import annotations

from typing import NamedTuple

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.errors import NotFound
from davstore.metadata import bindings, sorted_pages
from davstore.metadata.unit import Unit
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.pages import Mark, Sort
from davstore.model.paths import Path


class Page(NamedTuple):
    """A resource, some of its members if it is a collection, and the mark behind them if there are more."""

    facts: StoreFacts
    top: Resource
    members: list[Resource]
    more: Mark | None


def list_page(
    context: Context, path: Path, sort: Sort, *, descending: bool = False, after: Mark | None = None, limit: int
) -> Page:
    """Return at most limit members of a collection, behind a mark: collections first, the rest sorted.

    Raises:
        NotFound: nothing is there.
    """

    def work(unit: Unit) -> Page:
        rights.require(context.asker, path)
        facts, place, _ = bindings.find(unit, path)
        top = place.resource
        if top is None:
            raise NotFound(path.name)
        if not top.is_collection:
            return Page(facts, top, [], None)
        found = sorted_pages.list_page(unit, facts.id, top, sort, descending=descending, after=after, limit=limit + 1)
        return Page(facts, top, found[:limit], _mark(found[limit - 1], sort) if len(found) > limit else None)

    return context.services.database.read(work)


def _mark(member: Resource, sort: Sort) -> Mark:
    values = {Sort.NAME: 0, Sort.SIZE: member.length or 0, Sort.TIME: member.modified_us}
    return Mark(member.is_collection, values[sort], member.name)
