"""PROPPATCH (RFC 4918 §9.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from http import HTTPStatus
from typing import NamedTuple

from davstore.dav.properties.proppatch import Patch, sort_changes, sort_changes_of_principal
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import DavstoreError, FailedDependency, MethodNotAllowed, PropertiesRefused, QuotaExceeded
from davstore.middleware.errors import group_by_row
from davstore.model.paths import Area, Path
from davstore.model.principals import PrincipalName
from davstore.model.rules import names_at
from davstore.protocol import urls
from davstore.protocol.dav import preferences, proppatch
from davstore.protocol.dav.elements import CONTENT_TYPE, empty
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import PropStat, proppatch_response
from davstore.protocol.dav.xml import USUAL_BYTES
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed, is_device, is_group
from davstore.store import patching
from davstore.store.preferring import set_preferences, voice_of


class _Asked(NamedTuple):
    """The changes of a body in its order and by sort, the names of all, each once, and the elements of these."""

    changes: list[tuple[str, bytes | None]]
    patch: Patch
    changed: tuple[str, ...]
    done: bytes


def _ask(body: bytes) -> _Asked:
    changes = proppatch.parse(body)
    changed = tuple(dict.fromkeys(name for name, _ in changes))
    return _Asked(changes, sort_changes(changes), changed, b"".join(map(empty, changed)))


_usual = lru_cache(maxsize=64)(_ask)


def handle_proppatch(request: Request) -> Response:
    """Set and remove properties, all or none; the answer is 207 also when none was (RFC 4918 §9.2).

    It has no Depth; clients that send one mean the resource. A minimal answer says that all went well (RFC 8144 §2.2).
    """
    body, path = request.read_xml(), request.path
    asked = _usual(body) if len(body) <= USUAL_BYTES else _ask(body)
    resource, refusal = patching.patch_properties(
        request.context,
        path,
        asked.patch.dead,
        request.conditions,
        refused=asked.patch.refused,
        live=asked.patch.live,
    )
    if isinstance(refusal, QuotaExceeded):  # for the properties set; removals depend on them (RFC 4918 §9.2.1)
        refusal = PropertiesRefused({name: refusal for name, element in asked.changes if element is not None})
    href = request.hrefs(path).of(resource)
    return answer(request, asked.changed, asked.done, refusal, href, is_collection=bool(resource.is_collection))


def handle_proppatch_of_fixed(request: Request, place: Fixed) -> Response:
    """Set and remove the preferences of a principal, and set the state of a device.

    Raises:
        MethodNotAllowed: any other fixed collection.
    """
    if not place.is_principal or is_group(place):
        raise MethodNotAllowed
    changes = proppatch.parse(request.read_xml())
    name = urls.name_of(place)
    read = partial(preferences.parse, voice=voice_of(name), find_names=partial(_find_names, request, name))
    patch = sort_changes_of_principal(changes, read, has_state=is_device(place))
    refusal = set_preferences(
        request.context,
        name,
        patch.preferences,
        request.conditions,
        suspended=patch.suspended,
        refused=patch.refused,
    )
    changed = tuple(dict.fromkeys(name for name, _ in changes))
    done = b"".join(map(empty, changed))
    return answer(request, changed, done, refusal, for_xml(request.with_slash), is_collection=True)


def _find_names(request: Request, owner: PrincipalName, href: str) -> tuple[str, ...] | None:
    """Return the names by which patterns find a folder or a thread of a principal's user, there or not."""
    place = request.find_place(href)
    if not isinstance(place, Path) or place.store != owner.user:
        return None
    is_member = place.area == Area.THREADS and len(place.names) > 1
    return None if is_member else names_at(place)


def answer(
    request: Request,
    changed: tuple[str, ...],
    done: bytes,
    refusal: PropertiesRefused | None,
    href: bytes,
    *,
    is_collection: bool,
) -> Response:
    """Return the answer to a PROPPATCH of the properties changed; done are their elements, refusal why none was."""
    prefer = Prefer(minimal=request.prefer.minimal) if refusal is None else Prefer()
    headers = [*request.located(is_collection=is_collection), *prefer.applied()]
    if prefer.minimal:
        return Response(HTTPStatus.OK, headers)
    groups = [PropStat(HTTPStatus.OK, done)]
    if refusal is not None:
        groups = group_by_row(with_dependent(changed, refusal))
    headers.insert(0, ("Content-Type", CONTENT_TYPE))
    return Response(HTTPStatus.MULTI_STATUS, headers, proppatch_response(href, groups))


def with_dependent(changed: Iterable[str], error: PropertiesRefused) -> dict[str, DavstoreError]:
    """Return the error of each property: 424 for those that could have been set without the others."""
    return {name: error.reasons.get(name) or FailedDependency(name) for name in changed}
