"""REPORT `C:conversation-history`: the newest messages of a conversation, for a device that begins with it."""

from __future__ import annotations

from davstore.dav.kinds import Kind
from davstore.dav.rendering import Plan, facets_of, write_applied
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.model.histories import ContentAsked, HistoryAsked
from davstore.model.nodes import Resource
from davstore.model.paths import Area, Path
from davstore.protocol import urls
from davstore.protocol.dav import sync_token
from davstore.protocol.dav.history import render_before, render_content, render_left_out, render_thread
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.dav.reports import HistoryQuery
from davstore.protocol.http.prefer import Prefer
from davstore.store import conversing
from davstore.store.conversing import History


def handle_conversation_history(request: Request, query: HistoryQuery) -> Response:
    """Report a page of a conversation, oldest first, and where the device goes on, before it and after."""
    path, question, view = request.path, PropFind(PropFindKind.PROP, query.names), request.view
    content = query.content
    if content is not None and view.list_only:
        content = content._replace(most_bytes=0)
    begun = sync_token.parse(query.begun) if query.begun else None
    found = conversing.history(
        request.context,
        path,
        HistoryAsked(query.conversation_id, begun, query.before, query.limit, content),
        request.if_alone,
        facets=facets_of(question),
        view=view,
    )
    prefer = Prefer(minimal=request.prefer.minimal)
    hrefs = request.hrefs(Path(path.store, (), Area.THREADS))
    plan = Plan(question, request.property_context(found.facts, found.facets, hrefs.spelling), minimal=prefer.minimal)
    compiled = plan.compile(Kind.MEMBER)

    def write(answer: Multistatus) -> str:
        for one in found.rows:
            values, missing = compiled.render(one)
            answer.add(plan.whole(hrefs.of(one), values + _content(one, found, content), missing))
        if found.earlier is not None:
            answer.truncated(for_xml(request.with_slash))
            answer.add(render_before(found.earlier))
        thread = hrefs.spelling.href(urls.segments_of(found.facts.at(found.thread)), slash=True)
        state = None if found.group_state is None else Path(path.store, found.group_state)
        told = None if state is None else hrefs.spelling.href(urls.segments_of(state), slash=False)
        answer.add(render_thread(thread, told))
        write_applied(answer, hrefs.spelling, request.principal, view)
        return sync_token.render(found.token)

    return multistatus(write, [*request.located(is_collection=True), *prefer.applied()], listed=Listed())


def _content(resource: Resource, found: History, asked: ContentAsked | None) -> bytes:
    if asked is None:
        return b""
    body = found.contents.get(resource.node_id)
    return render_left_out(resource.length or 0) if body is None else render_content(body, asked.encoding)
