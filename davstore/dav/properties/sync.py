"""The live properties of synchronisation (RFC 6578 §4)."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import COLLECTION, STORED, Column, Live, PropertyContext
from davstore.model.functions import Function
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path
from davstore.model.views import View
from davstore.protocol.dav import names, sync_token
from davstore.protocol.dav.elements import text_element
from davstore.sync.lenses import lens_on
from davstore.sync.tokens import current_token

_ROOT: Final = text_element(names.ROOT, "T")


def _root(_context: PropertyContext, resource: Resource) -> bytes | None:
    return None if resource.name else _ROOT


def _sync_token(context: PropertyContext, resource: Resource) -> bytes | None:
    if context.store is None or not context.may_list(resource.node_id):
        return None
    token = render_token(context.store, context.store.at(resource.names), context.shown(), now_us=context.now_us)
    return text_element(names.SYNC_TOKEN, token)


def render_token(store: StoreFacts, path: Path, shown: View, *, now_us: int) -> str:
    """Return the sync token of a collection as a snapshot of its store shows it in a view."""
    stamp = lens_on(shown, now_us, path.area).stamp
    if stamp.at_s:  # who leaves next is not looked up: the next report tells the difference to its own time
        stamp = stamp._replace(next_s=stamp.at_s)
    return sync_token.render(current_token(store, path, stamp.text))


MODSEQ: Final = (Live(names.MODSEQ, STORED, column=Column("modseq", "<C:modseq>%s</C:modseq>")),)

SYNC: Final = (
    Live(names.ROOT, COLLECTION, each=_root),
    Live(names.SYNC_TOKEN, COLLECTION, each=_sync_token, function=Function.SYNCHRONIZATION),
)
