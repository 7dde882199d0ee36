"""The devices of a user at the URLs of their principals (docs/protocol.md#devices): enrolled, renamed, revoked.

A device may revoke itself, which is to sign out, and nothing else.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NoReturn

from davstore.dav.handlers.conditions import judge_if, require_met
from davstore.dav.handlers.namespace import read_mkcol
from davstore.dav.handlers.options import options
from davstore.dav.handlers.proppatch import with_dependent
from davstore.dav.kinds import AT_VACANT, UNMAPPED, Kind
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.engine.rights import may_enrol
from davstore.errors import (
    AlreadyExists,
    ConflictingValue,
    DavstoreError,
    InvalidResourceType,
    MethodNotAllowed,
    NameNotAllowed,
    NotFound,
    PreconditionFailed,
    PropertiesRefused,
    ProtectedProperty,
    Refused,
    SourceIsDestination,
)
from davstore.model.principals import DeviceClass
from davstore.protocol.dav import multistatus, names, prop
from davstore.protocol.dav.elements import CONTENT_TYPE, empty, text_element
from davstore.protocol.dav.multistatus import PropStat
from davstore.protocol.http.headers import parse_overwrite
from davstore.protocol.urls import DEVICES, Fixed, Vacant, is_device
from davstore.store import enrolling

_TYPES = frozenset({names.COLLECTION, names.PRINCIPAL})


def handle_options_of_vacant(request: Request, _place: Vacant) -> Response:
    """Return the methods of the URL of a device or a list that is not there."""
    request.refuse_body()
    judge_if(request)
    return options(request, AT_VACANT, is_collection=False)


def refuse_method(request: Request, place: Vacant) -> NoReturn:
    """Refuse a method where no device or list is. Raises MethodNotAllowed: it could make others."""
    if request.method in UNMAPPED[Kind.COLLECTION]:
        raise MethodNotAllowed(AT_VACANT)
    raise NotFound(place.name)


def handle_mkcol(request: Request, place: Vacant) -> Response:
    """Enrol a device (RFC 5689): a collection that is a principal. The answer has its secret, which is told once."""
    wanted = read_mkcol(request)
    if wanted is None or wanted.types != _TYPES:
        raise InvalidResourceType("here principals are made, of devices")
    device_class = _read_class(wanted.properties)
    require_met(request, exists=False)
    _require_name(place.name)
    services = request.context.services
    added = enrolling.add_device(
        services.database,
        place.user,
        place.name,
        device_class=device_class,
        now_us=request.context.now_us,
        most=services.limits.devices_per_user,
    )
    told = [text_element(names.SECRET, added.secret), *map(empty, (names.RESOURCETYPE, *wanted.properties))]
    headers = [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store"), *request.located(is_collection=True)]
    body = multistatus.mkcol_response([PropStat(HTTPStatus.OK, b"".join(told))])
    return Response(HTTPStatus.CREATED, headers, body)


def _read_class(properties: dict[str, bytes]) -> DeviceClass:
    """Return the class of a new device. Raises PropertiesRefused: there is no such class; any other property."""
    reasons: dict[str, DavstoreError] = {name: ProtectedProperty(name) for name in properties if name != names.CLASS}
    found = properties.get(names.CLASS)
    word = DeviceClass.OTHER.value if found is None else prop.text_of(found).strip()
    if word not in [one.value for one in DeviceClass]:
        reasons[names.CLASS] = ConflictingValue(names.CLASS)
    if reasons:
        raise PropertiesRefused(with_dependent(properties, PropertiesRefused(reasons)))
    return DeviceClass(word)


def handle_delete(request: Request, place: Fixed) -> Response:
    """Revoke a device. Raises MethodNotAllowed for any other fixed collection."""
    user, name = _require_device(place)
    request.refuse_body()
    request.depth()
    require_met(request, exists=True)
    enrolling.revoke_device(request.context.services.database, user, name)
    return Response(HTTPStatus.NO_CONTENT, request.located(is_collection=True))


def handle_move(request: Request, place: Fixed) -> Response:
    """Rename a device. Another one is never overwritten. Raises MethodNotAllowed for any other fixed collection."""
    user, name = _require_device(place)
    request.refuse_body()
    request.depth()
    if not may_enrol(request.principal):
        raise Refused("a device does not rename itself")
    destination, overwrites = request.destination_place, parse_overwrite(request.header("OVERWRITE"))
    if destination == place:
        raise SourceIsDestination(name)
    require_met(request, exists=True)
    if isinstance(destination, Fixed) and is_device(destination):
        raise _occupied(overwrites=overwrites)
    if not isinstance(destination, Vacant) or destination.collection != DEVICES:
        raise Refused("a device stays among devices")
    _require_name(destination.name)
    try:
        enrolling.rename_device(request.context.services.database, user, name, destination.name)
    except AlreadyExists as error:
        raise _occupied(overwrites=overwrites) from error
    return Response(HTTPStatus.CREATED, request.located(is_collection=True))


def _occupied(*, overwrites: bool) -> Refused | PreconditionFailed:
    return Refused("no device is overwritten") if overwrites else PreconditionFailed("there is such a device")


def _require_device(place: Fixed) -> tuple[str, str]:
    """Return the names of the user and of the device. Raises MethodNotAllowed: it is another fixed collection."""
    if not is_device(place):
        raise MethodNotAllowed
    user, name = place.segments[-2:]
    return user, name


def _require_name(name: str) -> None:
    if not enrolling.is_name(name):
        raise NameNotAllowed("not the name of a device")
