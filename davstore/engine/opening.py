"""Bodies of resources, and of parts of messages, opened for reading from one snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from davstore.blobs import Reader
from davstore.engine import parts, rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.parts import PartBody
from davstore.engine.writer import Writer
from davstore.errors import CorruptBlob, NotFound
from davstore.metadata import bindings
from davstore.metadata.bodies import Stored
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE, NO_FACTS, Facets, Facts
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import PartPath, Path

T = TypeVar("T")


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
        """Close the blob; the bytes cannot be read any more."""
        if self._reader is not None:
            self._reader.close()


class Content(NamedTuple):
    """A resource and its body, with the facets that were asked for; a collection has no body."""

    facts: StoreFacts
    resource: Resource
    body: Body | None
    facets: Facts = NO_FACTS


class OpenPart(NamedTuple):
    """A part of a message and its body."""

    facts: StoreFacts
    resource: PartResource
    body: PartBody


def reader(
    context: Context, path: Path, conditions: Preconditions, facets: Facets = frozenset()
) -> Callable[[Callable[[Unit], T]], T]:
    """Return the function that reads a resource: one statement is a snapshot by itself, where no `If` asks more."""
    is_one = not facets and conditions.if_lists is None and bindings.finds_at_once(path.names)
    return context.services.database.look if is_one else context.services.database.read


def open_resource(
    context: Context, path: Path, conditions: Preconditions = NONE, facets: Facets = frozenset()
) -> Content:
    """Return a resource with its body open for reading, and the facets asked for.

    Of the conditions only the `If` lists are judged here: the others need no snapshot.

    Raises:
        NotFound: nothing is there. PreconditionFailed: no `If` list holds.
        CorruptBlob: the body is lost.
    """

    def work(unit: Unit) -> Content:
        rights.require(context.asker, path)
        facts, place, stored = bindings.find(unit, path, with_body=True)
        require_list(context, unit, facts, conditions)
        resource = place.resource
        if resource is None:
            raise NotFound(path.name)
        found = load(unit, facts, facets, [resource.node_id], now_us=context.now_us)
        if resource.is_collection:
            return Content(facts, resource, None, found)
        if stored is None:
            raise CorruptBlob(f"node {resource.node_id} of store {facts.id} has no body")
        blob = None if stored.blob is None else context.services.blobs.open(facts.id, stored.blob)
        return Content(facts, resource, Body(stored, blob), found)

    read, missing = reader(context, path, conditions, facets), None
    while True:
        try:
            return read(work)
        except CorruptBlob as error:
            if error.blob == missing:  # else it may be that of a body that was replaced since the snapshot
                raise
            missing = error.blob


def read_beginning(writer: Writer, stored: Stored, length_bytes: int) -> bytes:
    """Return the first bytes of a body of the store, whether a row names it yet or not. Raises CorruptBlob."""
    return b"".join(each_piece(writer, stored, 0, length_bytes))


def each_piece(writer: Writer, stored: Stored, start: int, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a body from one place to another, as `read_beginning` does. Raises CorruptBlob."""
    stop = stored.length if stop is None else min(stop, stored.length)
    if stored.blob is None:
        yield (stored.inline or b"")[start:stop]
        return
    with contextlib.closing(writer.context.services.blobs.open(writer.ledger.store_id, stored.blob)) as opened:
        yield from opened.read(start, stop)


def open_part(context: Context, place: PartPath, conditions: Preconditions = NONE) -> OpenPart:
    """Return a part of a message, open for reading. Raises as `open_resource`; NotFound: there is no such part."""
    content = open_resource(context, place.path, conditions, {MESSAGE})
    found = parts.find_part(content.facets, content.resource, place.number)
    if content.body is None:
        raise NotFound(place.number)
    if found is None:
        content.body.close()
        raise NotFound(place.number)
    resource, part = found
    return OpenPart(content.facts, resource, PartBody(content.body, part))
