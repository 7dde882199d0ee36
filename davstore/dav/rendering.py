"""What is asked of each resource, decided once for a request; then one tuple and one template for each resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF, PROTECTED, Piece, PropertyContext, Value
from davstore.model.changes import Removed
from davstore.model.nodes import Resource
from davstore.protocol.dav import owncloud, propfind
from davstore.protocol.dav.elements import empty
from davstore.protocol.dav.hrefs import Spelling, encode_segment_for_xml, for_xml
from davstore.protocol.dav.multistatus import Multistatus, render_response, render_template
from davstore.protocol.dav.names import LOCKDISCOVERY, is_ours
from davstore.protocol.dav.propfind import PropFind

Rendered = tuple[bytes, bytes]
"""The elements of the properties that are there, and empty ones of those that were asked for and are not."""
Respond = Callable[[Resource, bytes], bytes]
DeadProperties = Mapping[int, Mapping[str, bytes]]

_NOTHING: Mapping[str, bytes] = {}


def asks_for_dead(question: PropFind) -> bool:
    """Tell whether dead properties have to be looked up to answer."""
    return question.kind is not propfind.Kind.PROP or not PROTECTED.issuperset(question.names)


def asks_for_checksums(question: PropFind) -> bool:
    """Tell whether checksums have to be looked up to answer: also to tell their name."""
    if question.kind is propfind.Kind.PROPNAME:
        return True
    return owncloud.CHECKSUMS in (question.names if question.kind is propfind.Kind.PROP else question.include)


def asks_for_locks(question: PropFind) -> bool:
    """Tell whether locks have to be looked up to answer."""
    return question.kind is propfind.Kind.ALLPROP or LOCKDISCOVERY in question.names


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
            if not name or len(parent) < self._depth:  # the request-URI names it, or what lies beneath
                return for_xml(self.path(resource))
            self._parent = parent
            self._above = for_xml(self.spelling.href((*self._root, *parent), slash=True)).decode("ascii")
        slash = "/" if resource.is_collection else ""
        return f"{self._above}{encode_segment_for_xml(name)}{slash}".encode("ascii")

    def path(self, resource: Resource | Removed) -> str:
        """Return the absolute path of a resource as headers tell it."""
        return self.spelling.href((*self._root, *resource.names), slash=bool(resource.is_collection))

    def collection(self, names: tuple[str, ...]) -> bytes:
        """Return the absolute path of a collection."""
        return for_xml(self.spelling.href((*self._root, *names), slash=True))


class Plan:
    """Renders the properties of one question; minimal leaves out those that are not there (RFC 8144 §2.1)."""

    def __init__(
        self, question: PropFind, view: PropertyContext, dead: DeadProperties, *, minimal: bool = False
    ) -> None:
        self._question = question
        self._minimal = minimal
        self._view = view
        self._dead = dead

    def of(self, kind: Kind) -> Respond:
        """Return the function that renders the response of a resource of a kind under an href."""
        if self._question.kind is propfind.Kind.PROP:
            return self._respond(self._pieces(kind, self._question.names))
        render = self._all(kind, names_only=self._question.kind is propfind.Kind.PROPNAME)
        return lambda resource, href: self._whole(href, *render(resource))

    def _respond(self, pieces: _Pieces) -> Respond:
        """Fill one template where a resource has all that varies, as most have."""
        same, varying = _parted(pieces)
        lacking = b"" if self._minimal else b"".join(empty(name) for name, piece in pieces.items() if piece is None)
        template = render_template(b"".join(same.values()), len(varying), lacking)
        functions = list(varying.values())
        render: Callable[[Resource], Rendered] | None = None  # made for the first that needs it: most never do

        def respond(resource: Resource, href: bytes) -> bytes:
            nonlocal render
            values = [piece(resource) for piece in functions]
            if None in values:
                render = render or _asked(pieces)
                return self._whole(href, *render(resource))
            return template % (href, *values)

        return respond

    def _whole(self, href: bytes, found: bytes, missing: bytes) -> bytes:
        return render_response(href, found, b"" if self._minimal else missing)

    def _pieces(self, kind: Kind, names: Iterable[str]) -> _Pieces:
        live = LIVE_OF[kind]
        return {name: live[name].piece(self._view, kind) if name in live else self._dead_piece(name) for name in names}

    def _dead_piece(self, name: str) -> Piece | None:
        dead = self._dead
        if not dead or is_ours(name):  # clients could once write such a name: what they wrote is nothing we say
            return None
        return lambda resource: dead.get(resource.node_id, _NOTHING).get(name)

    def _all(self, kind: Kind, *, names_only: bool) -> Callable[[Resource], Rendered]:
        """Render allprop, or propname: the names of all that is there, also of what allprop leaves out."""
        live = {name: row for name, row in LIVE_OF[kind].items() if row.in_allprop or names_only}
        pieces = self._pieces(kind, live)
        included = self._pieces(kind, [name for name in self._question.include if name not in live])
        asked = _asked(included)
        same, varying = _parted(pieces)
        dead = self._dead

        def render(resource: Resource) -> Rendered:
            found, missing = asked(resource)
            values = {name: value for name, piece in varying.items() if (value := piece(resource)) is not None}
            values |= same
            own = dead.get(resource.node_id, _NOTHING)
            values |= {name: value for name, value in own.items() if name not in included and not is_ours(name)}
            parts = map(empty, values) if names_only else values.values()
            return b"".join((*parts, found)), missing

        return render


_Pieces = Mapping[str, Piece | Value]


def _parted(pieces: _Pieces) -> tuple[dict[str, bytes], dict[str, Piece]]:
    """Return what is the same for every resource, and what is not."""
    same = {name: piece for name, piece in pieces.items() if isinstance(piece, bytes)}
    varying = {name: piece for name, piece in pieces.items() if not isinstance(piece, bytes) and piece is not None}
    return same, varying


def _asked(pieces: _Pieces) -> Callable[[Resource], Rendered]:
    same, varying = _parted(pieces)
    constant = b"".join(same.values())
    lacking = b"".join(empty(name) for name, piece in pieces.items() if piece is None)
    functions, blanks = list(varying.values()), list(map(empty, varying))

    def render(resource: Resource) -> Rendered:
        values = [piece(resource) for piece in functions]
        missing = [blank for value, blank in zip(values, blanks, strict=True) if value is None]
        return constant + b"".join(filter(None, values)), lacking + b"".join(missing)

    return render


def write_stored(answer: Multistatus, plan: Plan, hrefs: Hrefs, rows: Iterable[Resource | Removed]) -> None:
    """Tell the properties of resources of a store, and that others are gone, in the order of rows."""
    responders: dict[int, Respond] = {}
    href, add = hrefs.of, answer.add
    for row in rows:
        if isinstance(row, Removed):
            answer.removed(href(row))
            continue
        respond = responders.get(row.is_collection)
        if respond is None:
            kind = Kind.COLLECTION if row.is_collection else Kind.RESOURCE
            respond = responders[row.is_collection] = plan.of(kind)
        add(respond(row, href(row)))
