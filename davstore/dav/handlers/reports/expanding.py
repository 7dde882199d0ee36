"""REPORT `D:expand-property` (RFC 3253 §3.8): properties, and those of the resources that their hrefs lead to.

The live properties that lead anywhere are marked in their table. They lead to parts of the message itself and to fixed
collections, so that one snapshot of the resource answers all levels.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from functools import partial
from typing import Any, Final

from davstore.dav.handlers.conditions import judge_if
from davstore.dav.kinds import Kind, kind_in, kind_of
from davstore.dav.properties import LIVE_OF
from davstore.dav.properties.live import PropertyContext
from davstore.dav.rendering import Plan, facets_of
from davstore.dav.request import Request
from davstore.dav.responses import Listed, Response, multistatus
from davstore.engine.opening import Content
from davstore.engine.parts import PartBody, find_part
from davstore.errors import LimitNotSupported, Malformed
from davstore.model.facets import NO_FACTS
from davstore.model.paths import PartPath
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import replace_hrefs
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus, render_gone
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.dav.reports import Asked, ExpandQuery
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.urls import Fixed
from davstore.store import reading

MOST_VALUES: Final = 10_000
"""Properties of all resources that one answer expands hrefs to: it holds them in memory."""


def handle_expand_property(request: Request, query: ExpandQuery) -> Response:
    """Report properties of a resource of a store."""
    path, conditions = request.path, request.if_alone
    prefer = Prefer(minimal=request.prefer.minimal)
    headers = prefer.applied()

    def write(answer: Multistatus) -> None:
        question = _question(query.properties)
        found = reading.open_resource(request.context, path, conditions, facets=facets_of(question))
        with closing(found.body) if found.body is not None else nullcontext():
            resource, hrefs = found.resource, request.hrefs(path)
            if resource.is_collection:
                _require_shallow(query)
            context = request.property_context(found.facts, found.facets, hrefs.spelling)
            expansion = _Expansion(request, found, minimal=prefer.minimal)
            kind = kind_in(path.area, is_collection=resource.is_collection)
            answer.add(expansion.respond(kind, resource, hrefs.of(resource), query.properties, context))
            headers.extend(request.located(is_collection=resource.is_collection))

    return multistatus(write, headers, listed=Listed())


def handle_expand_property_of_fixed(request: Request, place: Fixed, query: ExpandQuery) -> Response:
    """Report properties of a fixed collection."""
    judge_if(request)
    _require_shallow(query)
    prefer = Prefer(minimal=request.prefer.minimal)

    def write(answer: Multistatus) -> None:
        context = request.property_context()
        expansion = _Expansion(request, None, minimal=prefer.minimal)
        href = for_xml(request.spelling.href(place.segments, slash=True))
        answer.add(expansion.respond(kind_of(place), place, href, query.properties, context))

    return multistatus(write, [*prefer.applied(), *request.located(is_collection=True)])


def _require_shallow(query: ExpandQuery) -> None:
    """Raise Malformed for a report on the members of a collection too (RFC 3253 §3.6), which no client asks for."""
    if query.is_deep:
        raise Malformed("expand-property on a collection with a Depth other than 0")


class _Expansion:
    """One answer: the resource that was asked about, and how much was put into the answer."""

    def __init__(self, request: Request, found: Content | None, *, minimal: bool) -> None:
        self._request = request
        self._found = found
        self._minimal = minimal
        self._values = 0

    def respond(
        self, kind: Kind, resource: Any, href: bytes, asked: tuple[Asked, ...], context: PropertyContext
    ) -> bytes:
        """Return the response of a resource. Raises LimitNotSupported: with it the answer would be too long."""
        self._values += len(asked)
        if self._values > MOST_VALUES:
            raise LimitNotSupported(f"more than {MOST_VALUES} properties")
        table = LIVE_OF[kind]
        expanded = {one.name: one for one in asked if one.nested and one.name in table and table[one.name].leads}
        plain = PropFind(PropFindKind.PROP, tuple([one.name for one in asked if one.name not in expanded]))
        plan = Plan(plain, context, minimal=self._minimal)
        found, missing = plan.compile(kind).render(resource)
        inner = context._replace(facets=NO_FACTS)  # those are of the resource that was asked about
        for one in expanded.values():
            value, lacking = Plan(_question((one,)), context).compile(kind).render(resource)
            found += replace_hrefs(value, partial(self._follow, one.nested, inner))
            missing += lacking
        return plan.whole(href, found, missing)

    def _follow(self, asked: tuple[Asked, ...], context: PropertyContext, href: bytes) -> bytes:
        """Return the response of the resource that an href of ours leads to; 404 for one that the asker cannot see."""
        place = self._request.find_place(href.decode("ascii").replace("&amp;", "&"))
        if isinstance(place, Fixed):
            return self.respond(kind_of(place), place, href, asked, context)
        return self._follow_part(place, href, asked, context) if isinstance(place, PartPath) else render_gone(href)

    def _follow_part(self, place: PartPath, href: bytes, asked: tuple[Asked, ...], context: PropertyContext) -> bytes:
        """Return the response of a part of the message that the report is about."""
        content = self._found
        found = None if content is None else find_part(content.facets, content.resource, place.number)
        if content is None or content.body is None or found is None:
            return render_gone(href)
        resource, part = found
        if any(one.name == names.GETCONTENTLENGTH for one in asked):
            resource = resource._replace(length=PartBody(content.body, part).length)
        return self.respond(Kind.PART, resource, href, asked, context)


def _question(asked: tuple[Asked, ...]) -> PropFind:
    return PropFind(PropFindKind.PROP, tuple([one.name for one in asked]))
