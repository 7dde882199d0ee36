"""The lists of a user at the URLs of their principals (docs/sharing.md#lists): made, changed, ended."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from davstore.dav.handlers.conditions import require_met
from davstore.dav.handlers.namespace import read_mkcol
from davstore.dav.handlers.proppatch import answer, with_dependent
from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.engine.rights import may_keep_lists
from davstore.errors import (
    ConflictingValue,
    DavstoreError,
    InvalidResourceType,
    NameNotAllowed,
    PropertiesRefused,
    ProtectedProperty,
    Refused,
    RequestError,
)
from davstore.protocol.dav import groups, names, prop, proppatch
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed, Vacant
from davstore.store import enrolling, grouping
from davstore.store.grouping import ListPatch

_TYPES = frozenset({names.COLLECTION, names.PRINCIPAL})
_KINDS = ("whitelist", "blacklist")
"""The kinds of lists: labels, for the entries that name a list say what it is for."""
MOST_CHARACTERS = 255
"""Those of a name for people."""


def handle_mkcol(request: Request, place: Vacant) -> Response:
    """Make a list (RFC 5689): a collection that is a principal, with its members if the body names them."""
    wanted = read_mkcol(request)
    if wanted is None or wanted.types != _TYPES:
        raise InvalidResourceType("here principals are made, of lists")
    require_met(request, exists=False)
    if not enrolling.is_name(place.name):
        raise NameNotAllowed("not the name of a list")
    patch = _sort(request, wanted.properties.items())
    try:
        grouping.make_list(request.context, place.name, patch)
    except PropertiesRefused as error:
        raise PropertiesRefused(with_dependent(wanted.properties, error)) from error
    prefer = Prefer(minimal=request.prefer.minimal)
    return Response(HTTPStatus.CREATED, [*request.located(is_collection=True), *prefer.applied()])


def handle_proppatch(request: Request, place: Fixed) -> Response:
    """Replace the members of a list, and set its kind and its name for people."""
    changes = proppatch.parse(request.read_xml())
    require_met(request, exists=True)
    patch = _sort(request, changes)
    refusal = grouping.patch_list(request.context, place.segments[-1], patch)
    done = b"".join(map(empty, patch.changed))
    return answer(request, patch.changed, done, refusal, for_xml(request.with_slash), is_collection=True)


def handle_delete(request: Request, place: Fixed) -> Response:
    """End a list, with the access control entries that name it."""
    request.refuse_body()
    request.depth()
    if not may_keep_lists(request.principal):
        raise Refused("a device does not end lists")
    require_met(request, exists=True)
    grouping.end_list(request.context, place.segments[-1])
    return Response(HTTPStatus.NO_CONTENT, request.located(is_collection=True))


def _sort(request: Request, changes: Iterable[tuple[str, bytes | None]]) -> ListPatch:
    """Return the changes of a list; it has no dead properties. The last of a name counts."""
    refused: dict[str, DavstoreError] = {}
    patch, changed = ListPatch(), dict[str, None]()
    for name, element in changes:
        changed[name] = None
        try:
            patch = _read(request, patch, name, element)
        except RequestError as error:
            refused[name] = error
    return patch._replace(changed=tuple(changed), refused=refused)


def _read(request: Request, patch: ListPatch, name: str, element: bytes | None) -> ListPatch:
    """Return a patch with one change more. Raises ProtectedProperty, ConflictingValue."""
    match name:
        case names.GROUP_MEMBER_SET if element is not None:
            hrefs = groups.parse_members(element)
            return patch._replace(members={href: request.find_principal(href) for href in hrefs})
        case names.LIST_KIND:
            kind = None if element is None else prop.text_of(element)
            if kind not in (None, *_KINDS):
                raise ConflictingValue(name)
            return patch._replace(labels={**patch.labels, name: kind})
        case names.DISPLAYNAME:
            text = None if element is None else prop.text_of(element)
            if text is not None and not 0 < len(text) <= MOST_CHARACTERS:
                raise ConflictingValue(name)
            return patch._replace(labels={**patch.labels, name: text})
        case _ if element is not None or name in LIVE_OF[Kind.LIST] or names.is_ours(name):
            raise ProtectedProperty(name)
    return patch  # a property that is not there is removed: no error (RFC 4918 §14.23)
