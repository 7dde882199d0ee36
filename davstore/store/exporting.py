"""Export: all resources beneath a collection, folder by folder, from one snapshot."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import Final

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.errors import CorruptBlob, NotFound
from davstore.interchange.items import Folder, Outgoing
from davstore.metadata import bindings, bodies, instance, listings, stores
from davstore.metadata.database import Database
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.facets import KEYWORDS
from davstore.model.nodes import Resource, ResourceType, StoreFacts
from davstore.model.paths import Path

MAIL_TYPE: Final = "message/rfc822"
MAIL_ENDING: Final = ".eml"


def each_outgoing(context: Context, path: Path) -> Generator[Folder | Outgoing, None, None]:
    """Yield the collection at a path and those beneath it, each in front of its files in the order of their names.

    All come from one snapshot, which is open until the last is taken or this is closed: nothing else may be read
    meanwhile. Bytes are read when they are asked for; then CorruptBlob tells that a body was damaged, or replaced since
    the snapshot.

    Raises:
        NotFound: no collection is there.
    """
    with context.services.database.snapshot() as unit:
        rights.require_owner(context.asker, path)
        facts, place, _ = bindings.find(unit, path)
        top = place.resource
        if top is None or not top.is_collection:
            raise NotFound(f"{path.store} has no folder {path.key or '/'}")
        names = {top.node_id: top.names}
        for row in listings.list_collections_beneath(unit, facts.id, top.node_id):
            names[row.node_id] = (*names[row.parent_id], row.name)
        for node_id, of_folder in sorted(names.items(), key=lambda item: item[1]):
            folder = of_folder[len(path.names) :]
            yield Folder(folder, "/".join(of_folder))
            for page in listings.each_members(
                unit,
                facts.id,
                top._replace(parent=of_folder[:-1], name=of_folder[-1] if of_folder else "", node_id=node_id),
            ):
                yield from _each_of_page(context, unit, facts, folder, page)


def find_instance(database: Database) -> str | None:
    """Return the id of the instance of davstore that a database belongs to."""
    return database.read(instance.get).id


def sum_bytes(context: Context, path: Path) -> int:
    """Return the bytes of all bodies of a store, about."""
    rights.require_owner(context.asker, path)
    return context.services.database.look(lambda unit: stores.get(unit, path.store)).used_bytes


def _each_of_page(
    context: Context, unit: Unit, facts: StoreFacts, folder: tuple[str, ...], page: list[Resource]
) -> Iterator[Outgoing]:
    files = [one for one in page if not one.is_collection]
    keywords = load(unit, facts, {KEYWORDS}, [one.node_id for one in files], now_us=context.now_us).of(KEYWORDS)
    for one in files:
        yield Outgoing(
            folder=folder,
            name=one.name,
            length=one.length or 0,
            etag=one.etag or "",
            modified_us=one.modified_us,
            flags=one.flags,
            keywords=tuple(keywords.get(one.node_id, ())),
            is_mail=_is_mail(one),
            pieces=partial(_each_piece, context, unit, facts.id, one.node_id),
        )


def _is_mail(resource: Resource) -> bool:
    """Tell whether a resource is a message, or calls itself one."""
    is_called = resource.content_type == MAIL_TYPE or resource.name.lower().endswith(MAIL_ENDING)
    return resource.type != ResourceType.MEDIA or is_called


def _each_piece(context: Context, unit: Unit, store_id: int, node_id: int) -> Iterator[bytes]:
    """Yield the bytes of a resource. Raises CorruptBlob."""
    stored = bodies.find_body(unit, store_id, node_id)
    if stored is None:
        raise CorruptBlob(f"node {node_id} of store {store_id} has no body")
    if stored.blob is None:
        yield stored.inline or b""
        return
    reader = context.services.blobs.open(store_id, stored.blob)
    try:
        yield from reader.read(0, stored.length)
    finally:
        reader.close()
