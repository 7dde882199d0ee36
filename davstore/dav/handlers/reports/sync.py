"""REPORT `D:sync-collection` (RFC 6578 §3)."""

from __future__ import annotations

from davstore.dav.bulk import columns_of, write_changes
from davstore.dav.rendering import Plan, facets_of, write_applied
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.protocol.dav import sync_token
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.dav.reports import SyncQuery
from davstore.protocol.http.prefer import Prefer
from davstore.store import syncing


def handle_sync_collection(request: Request, query: SyncQuery) -> Response:
    """Report the changes since a sync token."""
    path, conditions = request.path, request.if_alone
    token = sync_token.parse(query.token) if query.token else None
    question = PropFind(PropFindKind.PROP, query.names)
    narrowed = request.view.in_area(path.area)
    changes = syncing.changes_since(
        request.context,
        path,
        token,
        conditions,
        level=query.level,
        limit=query.limit,
        facets=facets_of(question),
        columns=columns_of(question),
        view=narrowed.narrowed(query.view),
    )
    prefer = Prefer(minimal=request.prefer.minimal)  # no report holds the collection itself
    hrefs = request.hrefs(path)
    context = request.property_context(changes.facts, changes.facets, hrefs.spelling, rights=changes.rights)
    plan = Plan(question, context, minimal=prefer.minimal)
    given = sync_token.render(changes.token)

    def write(answer: Multistatus) -> str:
        write_changes(answer, plan, hrefs, changes)
        write_applied(answer, hrefs.spelling, request.principal, narrowed)
        if changes.truncated:
            answer.truncated(hrefs.collection(path.names))
        return given

    headers = [*request.located(is_collection=True), *prefer.applied()]
    return multistatus(write, headers, listed=Listed(given, changes.truncated))
