"""LOCK and UNLOCK (RFC 4918 §9.10, §9.11)."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.properties.locks import discover
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.errors import FailedDependency, LockConflict, Malformed
from davstore.middleware.errors import find_row
from davstore.model.paths import Path
from davstore.protocol import urls
from davstore.protocol.dav import lockinfo
from davstore.protocol.dav.elements import CONTENT_TYPE
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.store import locking


def handle_lock(request: Request) -> Response:
    """Take a lock, or refresh one when there is no body (RFC 4918 §9.10)."""
    path, info = request.path, lockinfo.parse(request.read_xml())
    conditions = request.conditions
    seconds = lockinfo.parse_timeout(request.header("TIMEOUT"))
    context = request.context
    if info is None:
        granted = locking.refresh(context, path, conditions, seconds=seconds)
    else:
        depth = request.depth()
        if depth == 1:
            raise Malformed("LOCK with Depth 1")
        try:
            granted = locking.lock(
                context,
                path,
                info,
                conditions,
                infinite=depth is None,
                seconds=seconds,
                creatable=not request.target.slash,
            )
        except LockConflict as error:
            if any(root == path or not path.holds(root) for root, _ in error.roots):
                raise
            return _conflicts_beneath(request, path, error)
    body = lockinfo.render_granted(discover(request.property_context(), granted.covering))
    headers = [("Content-Type", CONTENT_TYPE), *request.located(is_collection=granted.is_collection)]
    if info is not None:  # a refreshed lock has the token it had (RFC 4918 §9.10.2)
        headers.append(("Lock-Token", f"<{granted.lock.token}>"))
    status = HTTPStatus.CREATED if granted.created else HTTPStatus.OK
    return Response(status, headers, body)


def handle_unlock(request: Request) -> Response:
    """End a lock (RFC 4918 §9.11)."""
    request.refuse_body()
    path, token = request.path, lockinfo.parse_lock_token(request.header("LOCK_TOKEN"))
    there = locking.unlock(request.context, path, token, request.conditions, discard=_is_litter(request, path))
    return Response(HTTPStatus.NO_CONTENT, request.located(is_collection=there.is_collection))


def _is_litter(request: Request, path: Path) -> bool:
    """Tell whether this is a file that macOS keeps beside a user's, and the provider wants none of them.

    Finder writes these files under a lock, and reads them while it holds it: so they are accepted, and deleted at the
    UNLOCK. If they were refused, or not to be seen, Finder would not copy the file itself either.
    """
    if not request.context.services.drops_litter or not (request.header("USER_AGENT") or "").startswith("WebDAVFS/"):
        return False
    return path.name.startswith("._") or path.name == ".DS_Store"


def _conflicts_beneath(request: Request, path: Path, error: LockConflict) -> Response:
    """Return the multistatus of the locks that a lock with infinite depth meets beneath it (RFC 4918 §9.10.9).

    Only LOCK has one. A DELETE, COPY or MOVE that a member prevents changes nothing, and most clients read 207 as a
    success: it is refused as a whole, with the status of the member.
    """
    row, spelling = find_row(error), request.spelling

    def write(answer: Multistatus) -> None:
        for root, slash in error.roots:
            answer.status(for_xml(spelling.href(urls.segments_of(root), slash=slash)), row.status, row.condition)
        asked = spelling.href(urls.segments_of(path), slash=True)  # the request itself failed too
        answer.status(for_xml(asked), find_row(FailedDependency()).status)

    return multistatus(write, [])
