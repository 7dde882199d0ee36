"""The URLs of resources and conversations that are known by their ids alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.errors import NotFound, UnsupportedReport
from davstore.metadata import bindings, places, stores, threads
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import Facets, Facts
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path
from davstore.model.views import EVERYTHING, View
from davstore.policy.threading import key_of_conversation, key_of_thread
from davstore.sync.lenses import lens_on, show


class Found(NamedTuple):
    """Resources of one area, the store as that area has it, and the facets that were asked for."""

    facts: StoreFacts
    resources: list[Resource]
    facets: Facts


def resolve(
    context: Context,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    conversations: Collection[str],
    resource_ids: Collection[str],
    facets: Facets,
    view: View = EVERYTHING,
) -> list[Found]:
    """Return each URL of the resources with some ids, and those of the threads of some conversations, area by area.

    An id that nothing has leads to nothing. path is the collection that is asked, whose store is searched.

    Raises:
        NotFound, PreconditionFailed. UnsupportedReport: it is no collection.
    """

    def work(unit: Unit) -> list[Found]:
        facts, place, _ = bindings.find(unit, path)
        sight = rights.require(context, unit, facts, path, place)
        require_list(context, unit, facts, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        if not place.resource.is_collection:
            raise UnsupportedReport
        keys = [*map(key_of_conversation, conversations), *map(key_of_thread, resource_ids)]
        known = threads.find_threads(unit, facts.id, keys) if keys else {}
        node_ids = [*places.find_nodes(unit, facts.id, resource_ids), *known.values()]
        found = []
        for area, resources in places.list_resources(unit, facts, {*node_ids}).items():
            there = facts._replace(area=int(area), root_id=stores.get_root(unit, facts, area))
            lens = lens_on(view, context.now_us, area)
            some = show(unit, facts.id, lens, resources)
            if sight is not None:
                some = sight.opened(some, area)
            ids = [one.node_id for one in some]
            found.append(Found(there, some, load(unit, there, lens.told(facets), ids, now_us=context.now_us)))
        return found

    return context.services.database.read(work)
