"""The live properties of synchronisation (RFC 6578 §4)."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import COLLECTION, STORED, Column, Live, PropertyContext
from davstore.model.functions import Function
from davstore.model.nodes import Resource
from davstore.protocol.dav import names, sync_token
from davstore.protocol.dav.elements import text_element
from davstore.sync.lenses import lens_on
from davstore.sync.tokens import current_token

_ROOT: Final = text_element(names.ROOT, "T")


def _root(_context: PropertyContext, resource: Resource) -> bytes | None:
    return None if resource.name else _ROOT


def _sync_token(context: PropertyContext, resource: Resource) -> bytes | None:
    if context.store is None:
        return None
    path = context.store.at(resource.names)
    stamp = lens_on(context.shown(), context.now_us, path.area).stamp
    if stamp.at_s:  # who leaves next is not looked up: the next report tells the difference to its own time
        stamp = stamp._replace(next_s=stamp.at_s)
    token = current_token(context.store, path, stamp.text)
    return text_element(names.SYNC_TOKEN, sync_token.render(token))


MODSEQ: Final = (Live(names.MODSEQ, STORED, column=Column("modseq", "<C:modseq>%s</C:modseq>")),)

SYNC: Final = (
    Live(names.ROOT, COLLECTION, each=_root),
    Live(names.SYNC_TOKEN, COLLECTION, each=_sync_token, function=Function.SYNCHRONIZATION),
)
