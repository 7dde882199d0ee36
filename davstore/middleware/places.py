"""The place that a request is about, found once: behind sign-in, before the gate and the handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from davstore.engine.rights import known_to, may_ask, may_deliver, may_enrol, owns
from davstore.errors import NotFound
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import MOUNTS, TARGET
from davstore.model.paths import AddPath, PartPath, Path
from davstore.model.principals import Asker, Principal, Service
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import Mount, Target, enter
from davstore.protocol.http.queries import names_sub_resource
from davstore.protocol.urls import Place
from davstore.store.sharing import Share

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PLACE: Final = "davstore.place"
"""The key of the `Place` in the environ; None when the target names nothing that the asker may know of."""


class Places:
    """Puts the place into the environ. The dispatch raises NotFound for none, after it has looked at the method.

    To a service all but a POST to the drop of a user is as if unmapped, whatever the method, here already.
    acquaint returns an asker with the devices, lists and groups that it may see; it is called for requests about
    principals alone. may_know tells whether an asker may know of a place in the store of another user: what is not to
    be known of is no place, whatever the method. list_shares returns what others opened to an asker; it is called for
    requests about that alone.
    """

    def __init__(
        self,
        application: WSGIApplication,
        acquaint: Callable[[Principal], Principal] = lambda asker: asker,
        may_know: Callable[[Principal, Path], bool] = lambda _asker, _path: False,
        list_shares: Callable[[Principal], Sequence[Share]] = lambda _asker: (),
    ) -> None:
        self._application = application
        self._acquaint = acquaint
        self._may_know = may_know
        self._list_shares = list_shares

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on. Raises NotFound: a service asks for anything else than to deliver."""
        target, asker = environ[TARGET], environ[PRINCIPAL]
        if isinstance(asker, Service):
            place = find_place(target, asker) if environ["REQUEST_METHOD"] == "POST" else None
            if place is None:
                raise NotFound("a service may know of nothing else")
            environ[PLACE] = place
            return self._application(environ, start_response)
        place = find_place(target, asker)
        path = place if type(place) is Path else path_of(place)
        if path is None and target.segments[: len(urls.SHARED)] == urls.SHARED != target.segments:
            target, asker = self._enter(environ, target, asker)
            place = find_place(target, asker)
            path = path_of(place)
        if path is None:
            is_report = environ["REQUEST_METHOD"] == "REPORT"
            if is_report or target.segments[: len(urls.PRINCIPALS)] == urls.PRINCIPALS:
                asker = environ[PRINCIPAL] = self._acquaint(asker)
                place = find_place(target, asker)
        elif not owns(asker, path.store) and not self._may_know(asker, path):
            place = None
        environ[PLACE] = place
        return self._application(environ, start_response)

    def _enter(self, environ: WSGIEnvironment, target: Target, asker: Principal) -> tuple[Target, Principal]:
        """Return the target without its mount, and the asker with the names of its shares."""
        user = target.segments[len(urls.SHARED)]
        above = urls.shared_with(user).segments
        shares = self._list_shares(asker) if user in known_to(asker).stores else ()
        mounts = tuple([Mount((*above, one.name), urls.segments_of(one.path), one.is_collection) for one in shares])
        here = tuple([one for one in mounts if target.segments[: len(one.outer)] == one.outer])
        environ[MOUNTS] = here or mounts
        asker = environ[PRINCIPAL] = asker._replace(shares=tuple([one.name for one in shares]))
        return target._replace(segments=enter(target.segments, here)), asker


def path_of(place: Place | None) -> Path | None:
    """Return the path in a store that a place is at; None: it is in no store."""
    if isinstance(place, AddPath | PartPath):
        return place.path
    return place if isinstance(place, Path) else None


def find_place(target: Target, asker: Asker) -> Place | None:
    """Return the place that a target names, if the asker may know of it."""
    if target.query and names_sub_resource(target.query):
        sub = urls.find_sub_resource(target)
        return sub if sub is not None and may_ask(asker) else None
    if isinstance(asker, Service):
        drop = urls.find_drop(target.segments)
        return drop if drop is not None and may_deliver(asker, drop.segments[-1]) else None
    path = urls.find_path(target.segments)
    if path is None:
        known = known_to(asker)
        place = urls.find_fixed(target.segments, known)
        return urls.find_vacant(target.segments, known) if place is None and may_enrol(asker) else place
    return path if may_ask(asker) else None
