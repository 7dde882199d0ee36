"""The live properties of locks (RFC 4918 §15.8, §15.10)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.live import STORED, Live, PropertyContext
from davstore.model.facets import LOCKS as HELD
from davstore.model.functions import Function
from davstore.model.locks import Lock
from davstore.model.nodes import Resource
from davstore.protocol import urls
from davstore.protocol.dav import lockinfo, names
from davstore.protocol.dav.elements import element, empty

_UNLOCKED: Final = empty(names.LOCKDISCOVERY)
_UNSUPPORTED: Final = empty(names.SUPPORTEDLOCK)


def discover(context: PropertyContext, locks: Sequence[Lock]) -> bytes:
    """Return `D:lockdiscovery` of the locks on a resource.

    Only the holder of a lock sees its token (RFC 4918 §20.7).
    """
    user_id = context.principal.user.id
    return element(
        names.LOCKDISCOVERY,
        *(
            lockinfo.render_active(
                lock,
                root=context.spelling.href(urls.segments_of(lock.root), slash=lock.is_collection),
                seconds=max(lock.expires_us - context.now_us, 0) // 1_000_000,
                shown=lock.user_id == user_id,
            )
            for lock in locks
        ),
    )


def _supportedlock(context: PropertyContext, _kind: Kind) -> bytes:
    return lockinfo.SUPPORTED if Function.LOCKING in context.functions else _UNSUPPORTED


def _unlocked(context: PropertyContext, _kind: Kind) -> bytes | None:
    return None if context.facets.of(HELD) else _UNLOCKED


def _lockdiscovery(context: PropertyContext, resource: Resource) -> bytes:
    if context.store is None:
        return _UNLOCKED
    path, held = context.store.at(resource.names), chain.from_iterable(context.facets.of(HELD).values())
    return discover(context, [lock for lock in held if lock.reaches(resource.node_id, path)])


LOCKS: Final = (
    Live(names.SUPPORTEDLOCK, STORED, same=_supportedlock, in_allprop=True),
    Live(names.LOCKDISCOVERY, STORED, same=_unlocked, each=_lockdiscovery, facet=HELD, in_allprop=True),
)
