"""Looking: listings and bodies, each from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from davstore.blobs import Reader
from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.locks import list_held
from davstore.errors import CorruptBlob, InfiniteDepth, NotFound
from davstore.metadata import bindings, listings, nodes, properties, sorted_pages
from davstore.metadata.nodes import Stored
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.locks import Lock
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.pages import Mark, Sort
from davstore.model.paths import Path

T = TypeVar("T")


class Listing(NamedTuple):
    """A resource and some of what lies beneath it, with what else is asked of those.

    The first listing of a resource begins with itself. `properties` and `checksums` are by node id, `locks` are all
    that the store holds: each only if asked for.
    """

    facts: StoreFacts
    top: Resource
    resources: list[Resource]
    properties: dict[int, dict[str, bytes]]
    checksums: dict[int, str]
    locks: list[Lock]

    @property
    def members(self) -> list[Resource]:
        """The resources without the one that is listed."""
        return [one for one in self.resources if one is not self.top]


class Page(NamedTuple):
    """A resource, some of its members if it is a collection, and where they end if there are more."""

    facts: StoreFacts
    top: Resource
    members: list[Resource]
    more: Mark | None


class Body:
    """The bytes of a resource as one snapshot saw them; they stay readable whatever happens to the resource."""

    __slots__ = ("_inline", "_reader", "checksums", "length", "sha256")

    def __init__(self, stored: Stored, reader: Reader | None) -> None:
        self.length = stored.length
        self.sha256 = stored.sha256
        self.checksums = stored.checksums
        self._inline = stored.inline
        self._reader = reader

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of [start, stop) in pieces. Raises CorruptBlob when they are not all there."""
        if self._reader is not None:
            yield from self._reader.read(start, stop)
        elif self._inline is not None:
            yield self._inline[start:stop]

    def close(self) -> None:
        """Let go of the bytes."""
        if self._reader is not None:
            self._reader.close()


class Content(NamedTuple):
    """A resource and its body; a collection has none."""

    facts: StoreFacts
    resource: Resource
    body: Body | None


def find(context: Context, path: Path, conditions: Preconditions = NONE) -> Resource:
    """Return a resource. Of the conditions only the `If` lists are judged.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds.
    """
    return _reader(context, path, conditions)(lambda unit: _find(context, unit, path, conditions)[1])


def _find(context: Context, unit: Unit, path: Path, conditions: Preconditions) -> tuple[StoreFacts, Resource]:
    rights.require(context.asker, path)
    facts, place, _ = bindings.find(unit, path.store, path.names)
    require_list(context, unit, facts, conditions)
    if place.resource is None:
        raise NotFound(path.name)
    return facts, place.resource


def describe(
    context: Context,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    tell: Callable[[Listing], object],
    depth: int | None,
    dead: bool = False,
    sums: bool = False,
    locks: bool = False,
) -> None:
    """Tell a resource, its members (depth 1) or all that lies beneath (None), with what else is asked for.

    However many they are, some are told at a time, all in one snapshot.

    Raises:
        NotFound, PreconditionFailed: as `find`.
        InfiniteDepth: more lies beneath than may be listed at once. LimitNotSupported: so with dead properties.
    """

    def work(unit: Unit) -> None:
        facts, top = _find(context, unit, path, conditions)
        held = list_held(context, unit, facts.id) if locks else []
        for resources in _each_some(context, unit, facts.id, top, depth=depth):
            ids = [resource.node_id for resource in resources] if dead or sums else []
            tell(
                Listing(
                    facts,
                    top,
                    resources,
                    properties.list_properties(unit, facts.id, ids) if dead else {},
                    nodes.list_checksums(unit, facts.id, ids) if sums else {},
                    held,
                )
            )

    read = context.services.database.read if depth != 0 or dead or sums or locks else _reader(context, path, conditions)
    read(work)


def _each_some(
    context: Context, unit: Unit, store_id: int, top: Resource, *, depth: int | None
) -> Iterator[list[Resource]]:
    """Yield a resource and what is asked for with it, some at a time."""
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


def _reader(context: Context, path: Path, conditions: Preconditions) -> Callable[[Callable[[Unit], T]], T]:
    """Return what reads a resource: it is found by one statement, which is a snapshot itself, and no `If` asks more."""
    is_one = len(path.names) <= bindings.HOP and conditions.if_lists is None
    return context.services.database.look if is_one else context.services.database.read


def list_page(
    context: Context, path: Path, sort: Sort, *, descending: bool = False, after: Mark | None = None, limit: int
) -> Page:
    """Return at most limit members of a collection, behind a mark: collections first, the rest sorted.

    Raises:
        NotFound: nothing is there.
    """

    def work(unit: Unit) -> Page:
        rights.require(context.asker, path)
        facts, place, _ = bindings.find(unit, path.store, path.names)
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


def open_resource(context: Context, path: Path, conditions: Preconditions = NONE) -> Content:
    """Return a resource with its body open for reading.

    Of the conditions only the `If` lists are judged here: the others need no snapshot.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds.
        CorruptBlob: the body is lost.
    """

    def work(unit: Unit) -> Content:
        rights.require(context.asker, path)
        facts, place, stored = bindings.find(unit, path.store, path.names, with_body=True)
        require_list(context, unit, facts, conditions)
        resource = place.resource
        if resource is None:
            raise NotFound(path.name)
        if resource.is_collection:
            return Content(facts, resource, None)
        if stored is None:
            raise CorruptBlob(f"node {resource.node_id} of store {facts.id} has no body")
        reader = None if stored.blob is None else context.services.blobs.open(facts.id, stored.blob)
        return Content(facts, resource, Body(stored, reader))

    read, lost = _reader(context, path, conditions), ""
    while True:
        try:
            return read(work)
        except CorruptBlob as error:
            if str(error) == lost:  # else it was replaced since the snapshot: the blob of the new body is there
                raise
            lost = str(error)
