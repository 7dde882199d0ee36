"""The store as a WsgiDAV provider, so that WsgiDAV's own machinery works on it.

davstore's handlers do not come by here. Each call is a unit of its own: a request of several calls, as WsgiDAV's PUT,
is not atomic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgidav.dav_provider import DAVProvider

from davstore.dav.wsgidav.resources import Collection, FixedCollection, Leaf, to_target
from davstore.engine.context import Services
from davstore.errors import NotFound
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.places import find_place
from davstore.model.paths import Path
from davstore.protocol.urls import Fixed
from davstore.store import reading

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class StoreProvider(DAVProvider):  # type: ignore[misc]  # WsgiDAV has no types
    """Finds by path the resources that a principal may see."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    def get_resource_inst(self, path: str, environ: WSGIEnvironment) -> Collection | FixedCollection | Leaf | None:
        """Return the resource at a decoded path, None when it is unmapped."""
        context = self._services.context(environ[PRINCIPAL])
        place = find_place(to_target(path), context.asker)
        if isinstance(place, Fixed):
            return FixedCollection(path, environ, place)
        if not isinstance(place, Path):  # WsgiDAV knows no queries
            return None
        try:
            top = reading.find(context, place)
        except NotFound:
            return None
        kind = Collection if top.is_collection else Leaf
        return kind(path, environ, context, place, top)
