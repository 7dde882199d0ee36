"""PUT, DELETE, MKCOL, PROPPATCH, COPY and MOVE: parse, one store call, render."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from davstore.dav.conditions import read_conditions
from davstore.dav.content import find_content_type, send_representation
from davstore.dav.promises import read_promises
from davstore.dav.properties.proppatch import sort_changes
from davstore.dav.rendering import Hrefs
from davstore.dav.request import Request
from davstore.dav.responses import Headers, send, send_multistatus, validators
from davstore.errors import (
    DavstoreError,
    FailedDependency,
    InvalidResourceType,
    Malformed,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    PropertiesOverQuota,
    PropertiesRefused,
    QuotaExceeded,
    UnsupportedMediaType,
)
from davstore.middleware.errors import find_row, group_by_row
from davstore.middleware.xml_body import content_length, read_xml
from davstore.model.paths import Path
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.dav import mkcol, names, owncloud, proppatch
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.multistatus import PropStat
from davstore.protocol.http.headers import parse_depth, parse_overwrite
from davstore.protocol.http.media_types import guess_media_type
from davstore.protocol.http.prefer import Prefer, parse_prefer
from davstore.store import moving, reading, writing
from davstore.store.writing import NewContent

_XML_TYPES = ("application/xml", "text/xml")


def handle_put(request: Request) -> Iterable[bytes]:
    """Store a body under a URL, as sent: so the answer may carry its ETag (RFC 9110 §9.3.4, RFC 4918 §9.7)."""
    path = request.path
    if request.target.slash:
        raise MethodNotAllowed
    if request.header("CONTENT_RANGE") is not None:
        raise Malformed("PUT of a part (RFC 9110 §14.4)")
    if request.header("CONTENT_ENCODING") not in (None, "identity"):
        raise UnsupportedMediaType("a content coding")
    content = NewContent(
        request.environ["wsgi.input"],
        content_length(request.environ),
        find_content_type(request),
        read_promises(request),
        _modified_us(request),
        guess_media_type(path.name),
    )
    try:
        written = writing.put(request.context, path, content, read_conditions(request))
    except PreconditionFailed as error:  # what is there instead spares who asks a GET (RFC 8144 §3.2)
        answer = _represent(request, path, find_row(error).status, [])
        if answer is None:
            raise
        return answer
    return _answer_made(request, path, created=written.created, headers=validators(written.resource))


def handle_delete(request: Request) -> Iterable[bytes]:
    """Delete a resource with all beneath it (RFC 4918 §9.6)."""
    request.refuse_body()
    depth = parse_depth(request.header("DEPTH"), default=None)
    gone = writing.delete(request.context, request.path, read_conditions(request), depth=depth)
    return send(request.environ, HTTPStatus.NO_CONTENT, headers=request.located(is_collection=gone.is_collection))


def handle_mkcol(request: Request) -> Iterable[bytes]:
    """Make a collection, with properties if the body says so (RFC 4918 §9.3, RFC 5689)."""
    path = request.path
    if not _is_xml(request.environ.get("CONTENT_TYPE", "")):
        request.refuse_body()
    wanted = mkcol.parse(read_xml(request.environ))
    if wanted is not None and wanted.types != {names.COLLECTION}:
        raise InvalidResourceType("a type of collection that is not made here")
    properties = {} if wanted is None else wanted.properties
    patch = sort_changes(properties.items())
    try:
        writing.make_collection(
            request.context,
            path,
            read_conditions(request),
            elements={name: element for name, element in patch.dead if element is not None},
            refused=patch.refused,
            live=patch.live,
        )
    except PropertiesRefused as error:
        raise PropertiesRefused(_with_dependent(properties, error)) from error
    except QuotaExceeded as error:
        if not properties:
            raise
        raise PropertiesOverQuota(dict.fromkeys(properties, error)) from error
    prefer = Prefer(minimal=wanted is not None and parse_prefer(request.header("PREFER")).minimal)
    headers = [*request.located(is_collection=True), *prefer.applied()]
    return send(request.environ, HTTPStatus.CREATED, headers=headers)


def handle_proppatch(request: Request) -> Iterable[bytes]:
    """Set and remove properties, all or none; the answer is 207 also when none was (RFC 4918 §9.2).

    It has no Depth, and those who send one mean the resource. A minimal answer says that all went well (RFC 8144 §2.2).
    """
    prefer = Prefer(minimal=parse_prefer(request.header("PREFER")).minimal)
    changes = proppatch.parse(read_xml(request.environ))
    changed = dict.fromkeys(name for name, _ in changes)
    patch = sort_changes(changes)
    try:
        resource = writing.patch_properties(
            request.context,
            request.path,
            patch.dead,
            read_conditions(request),
            refused=patch.refused,
            live=patch.live,
        )
    except (PropertiesRefused, QuotaExceeded) as error:
        resource = reading.find(request.context, request.path)  # for its href
        if isinstance(error, QuotaExceeded):  # by what is set; removals depend on it (RFC 4918 §9.2.1)
            error = PropertiesRefused({name: error for name, element in changes if element is not None})
        groups = group_by_row(_with_dependent(changed, error))
        prefer = Prefer()
    else:
        groups = [PropStat(HTTPStatus.OK, b"".join(map(empty, changed)))]
    headers = [*request.located(is_collection=resource.is_collection), *prefer.applied()]
    if prefer.minimal and groups[0].status == HTTPStatus.OK:
        return send(request.environ, HTTPStatus.OK, headers=headers)
    href = Hrefs(request.spelling, request.root).of(resource)
    return send_multistatus(request.environ, lambda answer: answer.propstats(href, groups), headers=headers)


def handle_copy(request: Request) -> Iterable[bytes]:
    """Make new resources like others (RFC 4918 §9.8); Depth 0 copies a collection without its members."""
    request.refuse_body()
    destination = request.destination
    placed = moving.copy(
        request.context,
        request.path,
        destination,
        read_conditions(request),
        overwrite=parse_overwrite(request.header("OVERWRITE")),
        depth=parse_depth(request.header("DEPTH"), default=None),
        modified_us=_modified_us(request),
    )
    located = request.located(is_collection=placed.is_collection)
    return _answer_made(request, destination, created=placed.created, headers=located)


def handle_move(request: Request) -> Iterable[bytes]:
    """Give a resource, with all beneath it, another URL (RFC 4918 §9.9)."""
    request.refuse_body()
    destination = request.destination
    placed = moving.move(
        request.context,
        request.path,
        destination,
        read_conditions(request),
        overwrite=parse_overwrite(request.header("OVERWRITE")),
        depth=parse_depth(request.header("DEPTH"), default=None),
        modified_us=_modified_us(request),
    )
    located = request.located(is_collection=placed.is_collection)
    return _answer_made(request, destination, created=placed.created, headers=located)


def _modified_us(request: Request) -> int | None:
    """Return when what is written was modified, if the client says it."""
    seconds = owncloud.parse_mtime(request.header("X_OC_MTIME"))
    return None if seconds is None else seconds * SECOND_US


def _answer_made(request: Request, path: Path, *, created: bool, headers: Headers) -> Iterable[bytes]:
    """Tell with headers that something is at a place now; or what it is, if the client prefers that (RFC 8144 §3.1)."""
    accepted = [] if _modified_us(request) is None else [("X-OC-Mtime", "accepted")]
    answer = _represent(request, path, HTTPStatus.CREATED if created else HTTPStatus.OK, accepted)
    if answer is not None:
        return answer
    status = HTTPStatus.CREATED if created else HTTPStatus.NO_CONTENT
    return send(request.environ, status, headers=[*headers, *accepted])


def _represent(request: Request, path: Path, status: HTTPStatus, headers: Headers) -> Iterable[bytes] | None:
    """Return the answer that holds what is at a place; None if nobody would like it, or nothing there has a body."""
    prefer = Prefer(representation=parse_prefer(request.header("PREFER")).representation)
    if not prefer.representation:
        return None
    try:
        content = reading.open_resource(request.context, path)
    except NotFound:
        return None
    if content.body is None:
        return None
    return send_representation(request, status, content.resource, content.body, [*headers, *prefer.applied()])


def _is_xml(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in _XML_TYPES


def _with_dependent(changed: Iterable[str], error: PropertiesRefused) -> dict[str, DavstoreError]:
    """Return the fate of each property: those that could have been set failed with the others."""
    return {name: error.reasons.get(name) or FailedDependency(name) for name in changed}
