"""PROPPATCH (RFC 4918 §9.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from davstore.dav.properties.proppatch import Patch, sort_changes
from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import DavstoreError, FailedDependency, PropertiesRefused, QuotaExceeded
from davstore.middleware.errors import group_by_row
from davstore.protocol.dav import proppatch
from davstore.protocol.dav.elements import CONTENT_TYPE, empty
from davstore.protocol.dav.multistatus import PropStat, proppatch_response
from davstore.protocol.dav.xml import USUAL_BYTES
from davstore.protocol.http.prefer import Prefer
from davstore.store import patching


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
    prefer = Prefer(minimal=request.prefer.minimal)
    body = request.read_xml()
    changes, patch, changed, done = _usual(body) if len(body) <= USUAL_BYTES else _ask(body)
    path = request.path
    resource, refusal = patching.patch_properties(
        request.context,
        path,
        patch.dead,
        request.conditions,
        refused=patch.refused,
        live=patch.live,
    )
    if refusal is None:
        groups = [PropStat(HTTPStatus.OK, done)]
    else:
        if isinstance(refusal, QuotaExceeded):  # for the properties set; removals depend on them (RFC 4918 §9.2.1)
            refusal = PropertiesRefused({name: refusal for name, element in changes if element is not None})
        groups, prefer = group_by_row(with_dependent(changed, refusal)), Prefer()
    headers = [*request.located(is_collection=resource.is_collection), *prefer.applied()]
    if prefer.minimal and groups[0].status == HTTPStatus.OK:
        return Response(HTTPStatus.OK, headers)
    href = request.hrefs(path).of(resource)
    headers.insert(0, ("Content-Type", CONTENT_TYPE))
    return Response(HTTPStatus.MULTI_STATUS, headers, proppatch_response(href, groups))


def with_dependent(changed: Iterable[str], error: PropertiesRefused) -> dict[str, DavstoreError]:
    """Return the error of each property: 424 for those that could have been set without the others."""
    return {name: error.reasons.get(name) or FailedDependency(name) for name in changed}
