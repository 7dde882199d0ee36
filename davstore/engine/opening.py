"""Bodies of resources, and of parts of messages, opened for reading from one snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Final, NamedTuple, TypeVar

from davstore.blobs import Blobs, Reader
from davstore.engine import parts, rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.parts import PartBody
from davstore.engine.writer import Writer
from davstore.errors import CorruptBlob, NotFound
from davstore.metadata import bindings, bodies
from davstore.metadata.bodies import Stored
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE, NO_FACTS, Facets, Facts
from davstore.model.limits import BLOCK_BYTES
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import PartPath, Path

T = TypeVar("T")
SPOOL_BYTES: Final = 1 << 22
MOST_OPEN: Final = 64
"""Large bodies of one set that are open from the snapshot on."""


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


class Bodies:
    """The bodies of many resources as one snapshot saw them.

    Small ones are copied to a temporary file. Of large ones the first are open: the others are opened when their turn
    comes, and are lost if they are replaced or deleted before.
    """

    def __init__(self, blobs: Blobs, store_id: int) -> None:
        self._blobs = blobs
        self._store_id = store_id
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  `close` closes it
        self._small: dict[int, tuple[int, int]] = {}
        self._large: dict[int, tuple[str, int]] = {}
        self._open: dict[int, Reader] = {}

    def take(self, unit: Unit, resources: Sequence[Resource]) -> None:
        """Take the bodies of those resources that have one. Raises CorruptBlob: one of the first is not there."""
        ids: list[int] = []
        length = 0
        for resource in resources:
            if not resource.is_collection:
                ids.append(resource.node_id)
                length += min(resource.length or 0, BLOCK_BYTES)
            if length >= SPOOL_BYTES:
                self._take(unit, ids)
                ids, length = [], 0
        self._take(unit, ids)

    def _take(self, unit: Unit, ids: list[int]) -> None:
        for node_id, stored in bodies.each_body(unit, self._store_id, ids) if ids else ():
            if stored.blob is None:
                self._small[node_id] = (self._file.tell(), stored.length)
                self._file.write(stored.inline or b"")
            else:
                self._large[node_id] = (stored.blob, stored.length)
                if len(self._open) < MOST_OPEN:
                    self._open[node_id] = self._blobs.open(self._store_id, stored.blob)

    def read(self, node_id: int) -> Iterator[bytes]:
        """Yield the bytes of the body of a node in pieces, once. Raises CorruptBlob: they are not all there."""
        if node_id in self._small:
            start, length = self._small[node_id]
            self._file.seek(start)
            yield self._file.read(length)
            return
        if node_id not in self._large:
            raise CorruptBlob(f"node {node_id} of store {self._store_id} has no body")
        blob, length = self._large[node_id]
        with closing(
            self._open.pop(node_id) if node_id in self._open else self._blobs.open(self._store_id, blob)
        ) as opened:
            yield from opened.read(0, length)

    def close(self) -> None:
        """Close all that is open."""
        with ExitStack() as stack:
            stack.callback(self._file.close)
            for one in self._open.values():
                stack.callback(one.close)


def reader(
    context: Context, path: Path, conditions: Preconditions, facets: Facets = frozenset()
) -> Callable[[Callable[[Unit], T]], T]:
    """Return the function that reads a resource: one statement is a snapshot by itself, where no `If` asks more."""
    is_one = not facets and conditions.if_lists is None and bindings.finds_at_once(path.names)
    is_one = is_one and rights.is_owner(context.asker, path)
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
        facts, place, stored = bindings.find(unit, path, with_body=True)
        sight = rights.require(context, unit, facts, path, place)
        require_list(context, unit, facts, conditions)
        resource = place.resource
        if resource is None:
            raise NotFound(path.name)
        found = load(unit, facts, rights.told(sight, facets), [resource.node_id], now_us=context.now_us)
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
    with closing(writer.context.services.blobs.open(writer.ledger.store_id, stored.blob)) as opened:
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
