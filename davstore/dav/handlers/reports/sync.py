"""REPORT `D:sync-collection` (RFC 6578 §3)."""

from __future__ import annotations

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.properties import PropertyContext
from davstore.dav.rendering import Hrefs, Plan, asks_for_checksums, asks_for_dead, asks_for_locks, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.model.changes import Changes
from davstore.protocol.dav import propfind, sync_token
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind
from davstore.protocol.http.prefer import Prefer
from davstore.store import syncing


def handle_sync_collection(request: Request) -> Response:
    """Report what changed since a sync token."""
    query, path = request.read_report(), request.path
    judge_if(request)  # nobody gains by a report and a condition in one snapshot
    token = sync_token.parse(query.token) if query.token else None
    question = PropFind(propfind.Kind.PROP, query.names)
    changes = syncing.changes_since(
        request.context,
        path,
        token,
        level=query.level,
        limit=query.limit,
        dead=asks_for_dead(question),
        sums=asks_for_checksums(question),
        locks=asks_for_locks(question),
    )
    prefer = Prefer(minimal=request.prefer.minimal)  # no report holds the collection itself
    hrefs = request.hrefs(path)
    view = _view(request, changes, hrefs)
    plan = Plan(question, view, changes.properties, minimal=prefer.minimal)
    given = sync_token.render(changes.token)

    def write(answer: Multistatus) -> str:
        write_stored(answer, plan, hrefs, changes.rows)
        if changes.truncated:
            answer.truncated(hrefs.collection(path.names))
        return given

    headers = [*request.located(is_collection=True), *prefer.applied()]
    return multistatus(write, headers, listed=Listed(given, changes.truncated))


def _view(request: Request, changes: Changes, hrefs: Hrefs) -> PropertyContext:
    now_us, free_bytes = request.context.now_us, request.context.services.blobs.free_bytes
    locks, checksums = changes.locks, changes.checksums
    return PropertyContext(request.principal, changes.facts, locks, checksums, now_us, hrefs.spelling, free_bytes)
