"""REPORT `C:resolve`: the URLs of resources and conversations that are known by their ids."""

from __future__ import annotations

from davstore.dav.rendering import Plan, facets_of, write_applied, write_stored
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.model.paths import Area
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.dav.reports import ResolveQuery
from davstore.protocol.http.prefer import Prefer
from davstore.store import resolving


def handle_resolve(request: Request, query: ResolveQuery) -> Response:
    """Answer with a response for each URL that the ids lead to."""
    path, view = request.path, request.view
    question = PropFind(PropFindKind.PROP, query.names)
    found = resolving.resolve(
        request.context,
        path,
        request.if_alone,
        conversations=query.conversations,
        resource_ids=query.resources,
        facets=facets_of(question),
        view=view,
    )
    prefer = Prefer(minimal=request.prefer.minimal)

    def write(answer: Multistatus) -> None:
        for one in found:
            hrefs = request.hrefs(path._replace(area=Area(one.facts.area)))
            context = request.property_context(one.facts, one.facets, hrefs.spelling)
            write_stored(answer, Plan(question, context, minimal=prefer.minimal), hrefs, one.resources)
        write_applied(answer, request.spelling, request.principal, view)

    return multistatus(write, [*request.located(is_collection=True), *prefer.applied()], listed=Listed())
