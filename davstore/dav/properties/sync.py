"""The live properties of synchronisation (RFC 6578 §4)."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import COLLECTION, STORED, Column, Live, PropertyContext
from davstore.model.functions import Function
from davstore.model.nodes import Resource
from davstore.protocol.dav import names as dav
from davstore.protocol.dav import sync_token
from davstore.protocol.dav.elements import text_element
from davstore.sync.lenses import lens_on
from davstore.sync.tokens import current_token

_ROOT: Final = text_element(dav.ROOT, "T")


def _root(_context: PropertyContext, resource: Resource) -> bytes | None:
    return None if resource.name else _ROOT


def token_of(context: PropertyContext, names: tuple[str, ...]) -> str | None:
    """Return the sync token of the collection that names lead to from the root of an area, as the asker is shown it."""
    if context.store is None or Function.SYNCHRONIZATION not in context.functions:
        return None
    stamp = lens_on(context.shown(), context.now_us).stamp
    if stamp.at_s:  # who leaves next is not looked up: the next report tells the difference to its own time
        stamp = stamp._replace(next_s=stamp.at_s)
    return sync_token.render(current_token(context.store, context.store.at(names), stamp.text))


def _sync_token(context: PropertyContext, resource: Resource) -> bytes | None:
    token = token_of(context, resource.names)
    return None if token is None else text_element(dav.SYNC_TOKEN, token)


MODSEQ: Final = (Live(dav.MODSEQ, STORED, column=Column("modseq", "<C:modseq>%s</C:modseq>")),)

SYNC: Final = (
    Live(dav.ROOT, COLLECTION, each=_root),
    Live(dav.SYNC_TOKEN, COLLECTION, each=_sync_token, function=Function.SYNCHRONIZATION),
)
