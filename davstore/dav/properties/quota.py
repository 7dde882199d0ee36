"""The live properties of quota (RFC 4331)."""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.live import COLLECTION, Live, PropertyContext
from davstore.model.nodes import StoreFacts
from davstore.policy.quota import charged_bytes
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import text_element


def _used(context: PropertyContext, _kind: Kind) -> bytes | None:
    return None if context.store is None else text_element(names.QUOTA_USED_BYTES, str(_charged(context.store)))


def _available(context: PropertyContext, _kind: Kind) -> bytes | None:
    """Return the bytes that are available: the lesser of quota and disk (RFC 4331 §3)."""
    store = context.store
    if store is None:
        return None
    room = context.free_bytes()
    if store.quota_bytes is not None:
        room = min(room, max(store.quota_bytes - _charged(store), 0))
    return text_element(names.QUOTA_AVAILABLE_BYTES, str(room))


def _charged(store: StoreFacts) -> int:
    return charged_bytes(store.used_bytes, store.entries)


QUOTA: Final = (
    Live(names.QUOTA_AVAILABLE_BYTES, COLLECTION, same=_available),
    Live(names.QUOTA_USED_BYTES, COLLECTION, same=_used),
)
