"""PROPPATCH (RFC 4918 §9.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from http import HTTPStatus

from davstore.dav.properties.proppatch import sort_changes, sort_changes_of_principal
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.errors import DavstoreError, FailedDependency, MethodNotAllowed, PropertiesRefused, QuotaExceeded
from davstore.middleware.errors import group_by_row
from davstore.model.paths import Path
from davstore.model.principals import PrincipalName
from davstore.protocol import urls
from davstore.protocol.dav import preferences, proppatch
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import PropStat
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed
from davstore.store import patching
from davstore.store.preferring import set_preferences, voice_of


def handle_proppatch(request: Request) -> Response:
    """Set and remove properties, all or none; the answer is 207 also when none was (RFC 4918 §9.2).

    It has no Depth; clients that send one mean the resource. A minimal answer says that all went well (RFC 8144 §2.2).
    """
    changes = proppatch.parse(request.read_xml())
    patch, path = sort_changes(changes), request.path
    resource, refusal = patching.patch_properties(
        request.context,
        path,
        patch.dead,
        request.conditions,
        refused=patch.refused,
        live=patch.live,
    )
    if isinstance(refusal, QuotaExceeded):  # for the properties set; removals depend on them (RFC 4918 §9.2.1)
        refusal = PropertiesRefused({name: refusal for name, element in changes if element is not None})
    href = request.hrefs(path).of(resource)
    return _answer(request, changes, refusal, href, is_collection=bool(resource.is_collection))


def handle_proppatch_of_fixed(request: Request, place: Fixed) -> Response:
    """Set and remove the preferences of a principal. Raises MethodNotAllowed for any other fixed collection."""
    if not place.is_principal:
        raise MethodNotAllowed
    changes = proppatch.parse(request.read_xml())
    name = urls.name_of(place)
    read = partial(preferences.parse, voice=voice_of(name), find_names=partial(_find_names, request, name))
    patch = sort_changes_of_principal(changes, read)
    refusal = set_preferences(request.context, name, patch.preferences, request.conditions, refused=patch.refused)
    return _answer(request, changes, refusal, for_xml(request.with_slash), is_collection=True)


def _find_names(request: Request, owner: PrincipalName, href: str) -> tuple[str, ...] | None:
    """Return the names that an href leads along from the root of the store of a principal's user, there or not."""
    place = request.find_place(href)
    return place.names if isinstance(place, Path) and Path(owner.user).holds(place) else None


def _answer(
    request: Request,
    changes: list[tuple[str, bytes | None]],
    refusal: PropertiesRefused | None,
    href: bytes,
    *,
    is_collection: bool,
) -> Response:
    changed = dict.fromkeys(name for name, _ in changes)
    prefer = Prefer(minimal=request.prefer.minimal) if refusal is None else Prefer()
    headers = [*request.located(is_collection=is_collection), *prefer.applied()]
    if prefer.minimal:
        return Response(HTTPStatus.OK, headers)
    groups = [PropStat(HTTPStatus.OK, b"".join(map(empty, changed)))]
    if refusal is not None:
        groups = group_by_row(with_dependent(changed, refusal))
    return multistatus(lambda answer: answer.propstats(href, groups), headers)


def with_dependent(changed: Iterable[str], error: PropertiesRefused) -> dict[str, DavstoreError]:
    """Return the error of each property: 424 for those that could have been set without the others."""
    return {name: error.reasons.get(name) or FailedDependency(name) for name in changed}
