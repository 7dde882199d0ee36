"""Compile a question about properties into a function that renders the response of one resource."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

from davstore.dav.kinds import Kind, kind_in
from davstore.dav.message_texts import in_order
from davstore.dav.properties import LIVE_OF, PROTECTED, TABLE, find_live
from davstore.dav.properties.live import PropertyContext
from davstore.model.changes import Removed
from davstore.model.facets import KEYWORDS, PROPERTIES, Facets
from davstore.model.nodes import Resource
from davstore.model.principals import Principal
from davstore.model.views import EVERYTHING, View
from davstore.protocol import urls
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.hrefs import Spelling, encode_segment_for_xml, for_xml
from davstore.protocol.dav.multistatus import Multistatus, render_response
from davstore.protocol.dav.names import KEYWORD, clark, is_keyword, is_ours
from davstore.protocol.dav.propfind import PropFind, PropFindKind

Rendered = tuple[bytes, bytes]
"""The elements of properties that a resource has, and empty ones of those that it lacks."""
Piece = Callable[[Any], bytes | None]
"""Returns the element of a property of a resource, None when the resource does not have it."""
Respond = Callable[[Any, bytes], bytes]
"""Renders the response of a resource, or of a fixed collection, under an href."""

_NOTHING: Mapping[str, bytes] = {}


@lru_cache(maxsize=256)
def facets_of(question: PropFind) -> Facets:
    """Return the facets that an answer needs: those of the properties that are asked for."""
    if question.kind is PropFindKind.PROPNAME:  # names of properties that every resource has need no facet
        return {PROPERTIES, KEYWORDS, *(live.facet for live in TABLE if live.facet is not None and live.same is None)}
    asked = {*question.names, *question.include}
    in_all = question.kind is PropFindKind.ALLPROP
    facets = {live.facet for live in TABLE if live.facet and (live.name in asked or (in_all and live.in_allprop))}
    if any(map(is_keyword, asked)):
        facets.add(KEYWORDS)
    if in_all or any(name not in PROTECTED and not is_ours(name) for name in asked):
        facets.add(PROPERTIES)
    return facets


class Hrefs:
    """Makes the hrefs of many resources below one root; the collections among them end in a slash."""

    def __init__(self, spelling: Spelling, root: tuple[str, ...]) -> None:
        self.spelling = spelling
        self._root = root
        self._depth = spelling.depth - len(root)
        self._parent: tuple[str, ...] | None = None
        self._above = ""

    def of(self, resource: Resource | Removed) -> bytes:
        """Return the absolute path of a resource."""
        parent, name = resource.parent, resource.name
        if parent is not self._parent:  # rows of one listing share the tuple
            if not name or len(parent) < self._depth:  # it is at or above the request-URI
                return for_xml(self.path(resource))
            self._parent = parent
            self._above = self.above(parent)
        slash = "/" if resource.is_collection else ""
        return f"{self._above}{encode_segment_for_xml(name)}{slash}".encode("ascii")

    def above(self, parent: tuple[str, ...]) -> str:
        """Return the beginning of the hrefs of the members of a collection at or beneath the request-URI."""
        return self.collection(parent).decode("ascii")

    def path(self, resource: Resource | Removed) -> str:
        """Return the absolute path of a resource, as headers have it."""
        return self.spelling.href((*self._root, *resource.names), slash=bool(resource.is_collection))

    def collection(self, names: tuple[str, ...]) -> bytes:
        """Return the absolute path of a collection."""
        return for_xml(self.spelling.href((*self._root, *names), slash=True))


class Compiled:
    """Properties of one kind of resource: those that are alike for all, those of each, and those that none has."""

    __slots__ = ("_constant", "_missing", "_varying", "each", "same")

    def __init__(self, names: Collection[str], same: dict[str, bytes], each: dict[str, Piece]) -> None:
        self.same = same
        self.each = each
        self._varying = [name for name in names if name not in same]
        self._constant = b"".join(same.values())
        self._missing = self.missing(())

    def missing(self, absent: Collection[str]) -> bytes:
        """Return empty elements of the properties that none has, and of those that are absent, in the order asked."""
        return b"".join([empty(name) for name in self._varying if name in absent or name not in self.each])

    def render(self, resource: Any) -> Rendered:
        """Return the properties of one resource."""
        values = [piece(resource) for piece in self.each.values()]
        found = self._constant + b"".join(filter(None, values))
        if None in values:
            return found, self.missing([name for name, value in zip(self.each, values, strict=True) if value is None])
        return found, self._missing


class Plan:
    """Renders the properties of one question; minimal leaves out those that a resource lacks (RFC 8144 §2.1)."""

    def __init__(self, question: PropFind, context: PropertyContext, *, minimal: bool = False) -> None:
        self._question = question
        self.minimal = minimal
        self._context = context
        self._dead = context.facets.of(PROPERTIES)

    def of(self, kind: Kind) -> Respond:
        """Return the function that renders the response of a resource of a kind under an href."""
        asked = self._question.kind
        names_only = asked is PropFindKind.PROPNAME
        render: Callable[[Any], Rendered]
        render = self.compile(kind).render if asked is PropFindKind.PROP else self._all(kind, names_only=names_only)
        return lambda resource, href: self.whole(href, *render(resource))

    def kind_of(self, *, is_collection: bool | int) -> Kind:
        """Return the kind of a resource in the area that the question is about."""
        return kind_in(0 if self._context.store is None else self._context.store.area, is_collection=is_collection)

    def whole(self, href: bytes, found: bytes, missing: bytes) -> bytes:
        """Return the response of one resource, with the properties that it has and those that it lacks."""
        return render_response(href, found, b"" if self.minimal else missing)

    def compile(self, kind: Kind) -> Compiled:
        """Return the renderer of the question's properties for a kind of resource."""
        return self._compile(kind, in_order(self._question.names))

    def _compile(self, kind: Kind, names: Collection[str]) -> Compiled:
        same: dict[str, bytes] = {}
        each: dict[str, Piece] = {}
        context = self._context
        for name in names:
            live = find_live(kind, name)
            piece: Piece | None = None
            if live is None or (live.function is not None and live.function not in context.functions):
                piece = self._dead_piece(name)
            elif live.column is not None:
                piece = live.column.piece(context.facets)
            elif live.same is not None and (value := live.same(context, kind)) is not None:
                same[name] = value
                continue
            elif live.each is not None and (live.facet is None or context.facets.of(live.facet)):
                piece = partial(live.each, context)
            if piece is not None:
                each[name] = piece
        return Compiled(names, same, each)

    def _dead_piece(self, name: str) -> Piece | None:
        dead = self._dead
        if not dead or is_ours(name):  # older versions let clients write such a name: it is not shown
            return None
        return lambda resource: dead.get(resource.node_id, _NOTHING).get(name)

    def _all(self, kind: Kind, *, names_only: bool) -> Callable[[Any], Rendered]:
        """Render allprop, or propname: the names of all properties, also of those that allprop leaves out."""
        live = {name: row for name, row in LIVE_OF[kind].items() if row.in_allprop or names_only}
        own = self._compile(kind, tuple(live))
        own.same |= {name: row.in_its_place for name, row in live.items() if row.in_its_place is not None}
        include = [name for name in self._question.include if name not in live]
        included = self._compile(kind, include)
        dead = self._dead
        keywords = self._context.facets.of(KEYWORDS) if names_only else {}

        def render(resource: Any) -> Rendered:
            found, missing = included.render(resource)
            values = {name: value for name, piece in own.each.items() if (value := piece(resource)) is not None}
            values |= own.same
            written = dead.get(resource.node_id, _NOTHING) if dead else _NOTHING
            values |= {name: value for name, value in written.items() if name not in include and not is_ours(name)}
            if keywords:
                values |= {clark(KEYWORD, word): b"" for word in keywords.get(resource.node_id, ())}
            parts = map(empty, values) if names_only else values.values()
            return b"".join((*parts, found)), missing

        return render


def write_applied(answer: Multistatus, spelling: Spelling, principal: Principal, view: View) -> None:
    """Write that policy and preferences narrowed what a device is shown, and the principal that tells them."""
    if view is not EVERYTHING:
        href = for_xml(spelling.href(urls.principal_segments(principal), slash=True))
        answer.policy_applied(href, list_only=view.list_only)


def write_stored(answer: Multistatus, plan: Plan, hrefs: Hrefs, rows: Iterable[Resource | Removed]) -> None:
    """Write the properties of resources of a store, and that others are gone, in the order of rows."""
    responders: dict[int, Respond] = {}
    href, add = hrefs.of, answer.add
    for row in rows:
        if isinstance(row, Removed):
            answer.out_of_view(href(row)) if row.out_of_view else answer.removed(href(row))
            continue
        respond = responders.get(row.is_collection)
        if respond is None:
            respond = responders[row.is_collection] = plan.of(plan.kind_of(is_collection=row.is_collection))
        add(respond(row, href(row)))
