"""DELETE, MKCOL, COPY and MOVE: the methods of names (RFC 4918 §9.3, §9.6, §9.8, §9.9; RFC 5689)."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from davstore.dav.handlers.made import made
from davstore.dav.handlers.proppatch import with_dependent
from davstore.dav.properties.proppatch import sort_changes
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import InvalidResourceType, PropertiesOverQuota, PropertiesRefused, QuotaExceeded
from davstore.model.nodes import ResourceType
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.dav import mkcol, names
from davstore.protocol.dav.mkcol import MkCol
from davstore.protocol.http import owncloud
from davstore.protocol.http.headers import parse_overwrite
from davstore.protocol.http.prefer import Prefer
from davstore.store import deleting, making, moving
from davstore.store.moving import Placed

_TYPES: Final = {
    frozenset({names.COLLECTION}): ResourceType.COLLECTION,
    frozenset({names.COLLECTION, names.SESSION_HISTORY}): ResourceType.SESSION_HISTORY,
}
"""The types of collections that clients make, by the elements of `D:resourcetype`."""


def handle_delete(request: Request) -> Response:
    """Delete a resource with all beneath it (RFC 4918 §9.6)."""
    request.refuse_body()
    request.require_no_share(request.target.segments)
    depth = request.depth()
    gone = deleting.delete(request.context, request.path, request.conditions, depth=depth)
    return Response(HTTPStatus.NO_CONTENT, request.located(is_collection=gone.is_collection))


def handle_mkcol(request: Request) -> Response:
    """Make a collection, with properties if the body says so (RFC 4918 §9.3, RFC 5689)."""
    path, wanted = request.path, read_mkcol(request)
    type_ = ResourceType.COLLECTION if wanted is None else _TYPES.get(wanted.types)
    if type_ is None:
        raise InvalidResourceType("a type of collection that is not made here")
    properties = {} if wanted is None else wanted.properties
    patch = sort_changes(properties.items())
    try:
        making.make_collection(
            request.context,
            path,
            request.conditions,
            type_=type_,
            elements={name: element for name, element in patch.dead if element is not None},
            refused=patch.refused,
            live=patch.live,
        )
    except PropertiesRefused as error:
        raise PropertiesRefused(with_dependent(properties, error)) from error
    except QuotaExceeded as error:
        if not properties:
            raise
        raise PropertiesOverQuota(dict.fromkeys(properties, error)) from error
    prefer = Prefer(minimal=wanted is not None and request.prefer.minimal)
    headers = [*request.located(is_collection=True), *prefer.applied()]
    return Response(HTTPStatus.CREATED, headers)


def read_mkcol(request: Request) -> MkCol | None:
    """Return what the body of an extended MKCOL asks for, None without one. Raises as `mkcol.parse`."""
    if not request.has_xml:
        request.refuse_body()
    return mkcol.parse(request.read_xml())


def handle_copy(request: Request) -> Response:
    """Copy resources (RFC 4918 §9.8); Depth 0 copies a collection without its members."""
    return _transfer(request, moving.copy)


def handle_move(request: Request) -> Response:
    """Give a resource, with all beneath it, another URL (RFC 4918 §9.9)."""
    return _transfer(request, moving.move)


def _transfer(request: Request, transfer: Callable[..., Placed]) -> Response:
    request.refuse_body()
    if request.method == "MOVE":
        request.require_no_share(request.target.segments)
    destination, modified_us = request.destination, modified_us_of(request)
    request.check_transfer(destination, is_deep=request.depth() != 0)
    placed = transfer(
        request.context,
        request.path,
        destination,
        request.conditions,
        overwrite=parse_overwrite(request.header("OVERWRITE")),
        depth=request.depth(),
        modified_us=modified_us,
    )
    located = request.located(is_collection=placed.is_collection)
    return made(request, destination, created=placed.created, headers=located, timed=modified_us is not None)


def modified_us_of(request: Request) -> int | None:
    """Return the time of modification that the client sets, if it does."""
    seconds = owncloud.parse_mtime(request.header("X_OC_MTIME"))
    return None if seconds is None else seconds * SECOND_US
