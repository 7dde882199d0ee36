"""REPORT `C:multiget`: properties and bytes of resources that a client names, and of parts of messages."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import NamedTuple

from davstore.dav.handlers.named import Named
from davstore.dav.kinds import Kind, kind_in
from davstore.dav.rendering import Plan, facets_of, write_applied
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.engine.bulk import Choice, Target
from davstore.middleware.errors import find_condition, find_row
from davstore.model.histories import ContentAsked
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource
from davstore.model.paths import PartPath
from davstore.protocol.dav.history import render_content, render_left_out
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.dav.reports import MultigetQuery
from davstore.protocol.http.prefer import Prefer
from davstore.store import collecting
from davstore.store.collecting import Collected


def handle_multiget(request: Request, query: MultigetQuery) -> Response:
    """Answer with a response for each place that is named: its properties, or why there are none."""
    path, view, content, conditions = request.path, request.view, query.content, request.if_alone
    question, named = PropFind(PropFindKind.PROP, query.names), Named(request, query.hrefs)
    if content is not None and view.list_only:
        content = content._replace(most_bytes=0)
    prefer, spelling = Prefer(minimal=request.prefer.minimal), request.spelling
    wanted = partial(collecting.collect, facets=facets_of(question), content=content, view=view)

    def write(answer: Multistatus) -> None:
        start = 0
        with closing(wanted(request.context, path, named.targets, conditions)) as pages:
            for page in pages:
                context = request.property_context(page.facts, page.facets, spelling)
                told = _Told(answer, Plan(question, context, minimal=prefer.minimal), page, content)
                for href, target, choice in named.each(path, page.choices, start):
                    if choice.refusal is None:
                        told.write(href, target, choice)
                    else:
                        condition = find_condition(choice.refusal, request.hrefs_of_errors)
                        answer.failed(href, find_row(choice.refusal).status, condition)
                start += len(page.choices)
        write_applied(answer, spelling, request.principal, view)

    return multistatus(write, [*request.located(is_collection=True), *prefer.applied()], listed=Listed())


class _Told(NamedTuple):
    """The answer, and what is known of some resources."""

    answer: Multistatus
    plan: Plan
    page: Collected
    content: ContentAsked | None

    def write(self, href: bytes, target: Target, choice: Choice) -> None:
        """Write the properties, and the bytes if these are asked for, of a resource or a part that is there."""
        if isinstance(target, PartPath):
            part = self.page.parts[target]
            self._add(href, Kind.PART, part.resource._replace(length=part.length), part.content)
        elif choice.resource is not None:
            resource = choice.resource
            kind = kind_in(self.page.facts.area, is_collection=resource.is_collection)
            self._add(href, kind, resource, self.page.contents.get(resource.node_id))

    def _add(self, href: bytes, kind: Kind, resource: Resource | PartResource, body: bytes | None) -> None:
        found, missing = self.plan.compile(kind).render(resource)
        if self.content is not None and body is not None:
            found += render_content(body, self.content.encoding)
        elif self.content is not None and resource.length is not None:
            found += render_left_out(resource.length)
        self.answer.add(self.plan.whole(href, found, missing))
