"""Listings and bodies, each from one snapshot."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from davstore.engine import opening, parts, rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.opening import Bodies, Content, OpenPart
from davstore.engine.sight import Beneath
from davstore.errors import InfiniteDepth, LimitNotSupported, NotFound
from davstore.metadata import bindings, listings, messages
from davstore.metadata import unit as transaction
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.acl import Rights
from davstore.model.columns import Columns, Wanted
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE, NO_FACTS, Facets, Facts
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import PartPath, Path
from davstore.model.views import EVERYTHING, View
from davstore.sync.lenses import lens_on, show

_MESSAGES_AT_ONCE = 250
"""Resources whose facts of messages are in memory together, with all their parts."""


class Listing(NamedTuple):
    """A resource and some of the resources beneath it, with the facets that were asked for.

    The first listing of a resource begins with itself. Where there are columns they stand for resources. refused are
    resources of which the asker may know no more than that they are there.
    """

    facts: StoreFacts
    top: Resource
    resources: list[Resource]
    facets: Facts = NO_FACTS
    columns: Columns | None = None
    refused: Sequence[Resource] = ()
    rights: Mapping[int, Rights] | None = None
    """Those of the asker, by node; None: it owns the store."""

    @property
    def members(self) -> list[Resource]:
        """The resources without the one that is listed."""
        return [one for one in self.resources if one is not self.top]


def may_know(context: Context, path: Path) -> bool:
    """Tell whether the asker may know of a place in the store of another, or of the collection that it would be in.

    All methods answer of any other place as if no user had that name.
    """

    def work(unit: Unit) -> bool:
        facts, place, _ = bindings.find(unit, path)
        sight = rights.find_sight(context, unit, facts)
        return sight is None or sight.knows(place, path.area)

    try:
        return context.services.database.read(work)
    except NotFound:
        return False


def find(context: Context, path: Path, conditions: Preconditions = NONE) -> Resource:
    """Return a resource. Of the conditions only the `If` lists are judged.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds.
    """
    return opening.reader(context, path, conditions)(lambda unit: _find(context, unit, path, conditions).top)


class _Found(NamedTuple):
    """A resource, and what its asker sees of the resources beneath it; None: all of them."""

    facts: StoreFacts
    top: Resource
    beneath: Beneath | None


def _find(context: Context, unit: Unit, path: Path, conditions: Preconditions) -> _Found:
    facts, place, _ = bindings.find(unit, path)
    sight = rights.require(context, unit, facts, path, place)
    require_list(context, unit, facts, conditions)
    if place.resource is None:
        raise NotFound(path.name)
    return _Found(facts, place.resource, None if sight is None else sight.beneath(place, facts.area))


def describe(
    context: Context,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    depth: int | None,
    facets: Facets = frozenset(),
    columns: Wanted | None = None,
    view: View = EVERYTHING,
) -> Generator[Listing, None, None]:
    """Yield a resource, its members (depth 1) or all that lies beneath (None), with the facets asked for.

    With columns, members come by column as far as these allow; in a view they do not. Those that are not in it are left
    out.

    However many they are, they come some at a time, all from one snapshot, which is open until the last of them is
    taken or the iterator is closed: nothing else may be read meanwhile.

    Raises:
        NotFound, PreconditionFailed: as `find`.
        InfiniteDepth: more lies beneath than may be listed at once. LimitNotSupported: so with dead properties.
    """
    if depth == 0 and not facets:
        found = opening.reader(context, path, conditions)(lambda unit: _find(context, unit, path, conditions))
        yield Listing(found.facts, found.top, [found.top], rights=_rights(found.beneath))
        return
    with context.services.database.snapshot() as unit:
        facts, top, beneath = _find(context, unit, path, conditions)
        if beneath is not None:
            columns, view, facets = None, beneath.narrowed(view), rights.told(beneath.sight, facets)
            depth = depth if beneath.is_listed(view) else 0
        lens = lens_on(view, context.now_us, path.area)
        find_facts = partial(load, unit, facts, lens.told(facets), now_us=context.now_us)
        if columns is None or depth != 1 or not top.is_collection or not lens.is_whole:
            pages = _each_some(context, unit, facts.id, top, depth=depth)
        else:
            yield Listing(facts, top, [top], find_facts([top.node_id]))
            after = yield from _by_column(context, unit, facts, top, columns)
            pages = iter(()) if after is None else listings.each_members(unit, facts.id, top, after=after)
        most = _MESSAGES_AT_ONCE if MESSAGE in facets else transaction.PAGE_ROWS
        for resources in pages:
            for start in range(0, len(resources), most):
                some = show(unit, facts.id, lens, resources[start : start + most], top)
                refused = list[Resource]()
                if beneath is not None:
                    some, refused = beneath.shown(some)
                values = find_facts([resource.node_id for resource in some])
                yield Listing(facts, top, some, values, refused=refused, rights=_rights(beneath))


def _rights(beneath: Beneath | None) -> Mapping[int, Rights] | None:
    return None if beneath is None else beneath.rights


def _by_column(
    context: Context, unit: Unit, facts: StoreFacts, top: Resource, columns: Wanted
) -> Generator[Listing, None, str | None]:
    """Yield members by column; return the name behind which rows are needed, None when none are.

    They are for values of a facet, and where the facts of messages are too many for a page by column.
    """
    after, facets = "", columns.facets
    wanted = tuple(sorted({*columns.facts, "node_id"})) if facets else columns.facts
    for page in listings.each_columns(unit, facts.id, top, wanted):
        if MESSAGE in facets and page.has_messages:
            return after
        if facets:
            found = load(unit, facts, facets, list(map(int, page.facts["node_id"])), now_us=context.now_us)
            if any(found.values.values()):
                return after
        try:
            [page] = messages.add_to_columns(unit, facts, columns, [page])
        except LimitNotSupported:
            return after
        yield Listing(facts, top, [], columns=page)
        after = page.names[-1]
    return None


def _each_some(
    context: Context, unit: Unit, store_id: int, top: Resource, *, depth: int | None
) -> Iterator[list[Resource]]:
    """Yield resources with the facets asked for, some at a time."""
    if depth == 0 or not top.is_collection:
        yield [top]
    elif depth is None:
        yield [top, *_everything_beneath(unit, store_id, top, limit=context.services.limits.propfind_members)]
    else:
        pages = listings.each_members(unit, store_id, top)
        yield [top, *next(pages, [])]
        yield from pages


def _everything_beneath(unit: Unit, store_id: int, top: Resource, *, limit: int) -> list[Resource]:
    names = {top.node_id: top.names}
    for row in listings.list_collections_beneath(unit, store_id, top.node_id, limit=limit + 1):
        names[row.node_id] = (*names[row.parent_id], row.name)
    members = listings.list_members_of(unit, store_id, names, limit=limit + 1) if len(names) <= limit + 1 else []
    if len(names) > limit + 1 or len(members) > limit:  # names holds the top too
        raise InfiniteDepth(f"more than {limit} members")
    return members


class OpenSet(NamedTuple):
    """A collection and all beneath it, in the order of their names, with their bodies."""

    facts: StoreFacts
    resources: list[Resource]
    bodies: Bodies


def open_set(
    context: Context, path: Path, conditions: Preconditions = NONE, *, view: View = EVERYTHING, most_bytes: int
) -> OpenSet:
    """Return a collection and all beneath it that is in a view, open for reading.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds. CorruptBlob: a body is lost.
        LimitNotSupported: there are more members, or more bytes, than one answer may have.
    """
    with context.services.database.snapshot() as unit:
        facts, top, beneath = _find(context, unit, path, conditions)
        try:
            found = _everything_beneath(unit, facts.id, top, limit=context.services.limits.propfind_members)
        except InfiniteDepth as error:
            raise LimitNotSupported(str(error)) from error
        shown = sorted(
            show(unit, facts.id, lens_on(view, context.now_us, path.area), found, top), key=lambda one: one.names
        )
        if beneath is not None:
            shown = beneath.shown(shown)[0] if beneath.is_listed(EVERYTHING) else []
        if sum(one.length or 0 for one in shown) > most_bytes:
            raise LimitNotSupported(f"more than {most_bytes} bytes")
        bodies = Bodies(context.services.blobs, facts.id)
        try:
            bodies.take(unit, shown)
        except BaseException:
            bodies.close()
            raise
    return OpenSet(facts, [top, *shown], bodies)


def open_resource(
    context: Context, path: Path, conditions: Preconditions = NONE, *, facets: Facets = frozenset()
) -> Content:
    """Return a resource with its body open for reading, and the facets asked for.

    Of the conditions only the `If` lists are judged here: the others need no snapshot.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds.
        CorruptBlob: the body is lost.
    """
    return opening.open_resource(context, path, conditions, facets)


def open_part(context: Context, place: PartPath, conditions: Preconditions = NONE) -> OpenPart:
    """Return a part of a message, open for reading. Raises as `open_resource`; NotFound: there is no such part."""
    return opening.open_part(context, place, conditions)


def find_part(context: Context, place: PartPath, conditions: Preconditions = NONE) -> PartResource:
    """Return a part of a message. Raises as `find`; NotFound: the message has no such part."""

    def work(unit: Unit) -> PartResource:
        facts, top, _ = _find(context, unit, place.path, conditions)
        found = parts.find_part(load(unit, facts, {MESSAGE}, [top.node_id], now_us=context.now_us), top, place.number)
        if found is None:
            raise NotFound(place.number)
        return found[0]

    return context.services.database.read(work)
