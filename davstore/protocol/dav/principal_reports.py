"""The bodies of the reports on principals (RFC 3744 §9.2 to §9.5), and the response of the one that is no multistatus.

Each is defined for Depth 0 alone, which is that of a request without a Depth header.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from davstore.errors import Malformed, TooLarge
from davstore.protocol.dav import names, prop
from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES, element, empty, escape, marked
from davstore.protocol.dav.names import DAV, clark

MOST_SEARCHES: Final = 100
"""Texts that a principal-property-search may look for."""

_PRINCIPAL_PROPERTY: Final = clark(DAV, "principal-property")
_SELF: Final = clark(DAV, "self")
_PROPERTY_SEARCH: Final = clark(DAV, "property-search")
_MATCH: Final = clark(DAV, "match")
_APPLY: Final = clark(DAV, "apply-to-principal-collection-set")


class PrincipalsQuery(NamedTuple):
    """The query of an acl-principal-prop-set report, and those of properties that it asks for."""

    names: tuple[str, ...]
    context: None = None
    token: None = None


class MatchQuery(NamedTuple):
    """The query of a principal-match report: for members whose property names the asker; None: that are the asker.

    names is None where no properties are asked for.
    """

    property: str | None
    names: tuple[str, ...] | None
    context: None = None
    token: None = None


class Search(NamedTuple):
    """A text, and the properties that must all hold it."""

    properties: tuple[str, ...]
    text: str


class SearchQuery(NamedTuple):
    """The query of a principal-property-search report, for principals that all searches find.

    is_everywhere: among all principals, and not only those beneath the collection. names as those of `MatchQuery`.
    """

    searches: tuple[Search, ...]
    names: tuple[str, ...] | None
    is_everywhere: bool = False
    context: None = None
    token: None = None


class SearchableQuery(NamedTuple):
    """The query of a principal-search-property-set report, which asks for nothing in particular."""

    context: None = None
    token: None = None


def read_principals(root: etree._Element, depth: int | None, _strict_depth: bool) -> PrincipalsQuery:
    """Return the query of acl-principal-prop-set (§9.2). Raises Malformed: another Depth, several `D:prop`."""
    _require_shallow(depth)
    return PrincipalsQuery(_names(root) or ())


def read_match(root: etree._Element, depth: int | None, _strict_depth: bool) -> MatchQuery:
    """Return the query of principal-match (§9.3).

    Raises:
        Malformed: another Depth; not exactly one principal-property, of one property, or self; several `D:prop`.
    """
    _require_shallow(depth)
    found = [child for child in root if child.tag in (_PRINCIPAL_PROPERTY, _SELF)]
    if len(found) != 1:
        raise Malformed("principal-match for neither one property nor self")
    (by,) = found
    if by.tag == _SELF:
        return MatchQuery(None, _names(root))
    if len(by) != 1:
        raise Malformed("a principal-property without exactly one property")
    return MatchQuery(prop.name_of(by[0]), _names(root))


def read_search(root: etree._Element, depth: int | None, _strict_depth: bool) -> SearchQuery:
    """Return the query of principal-property-search (§9.4).

    Raises:
        Malformed: another Depth; no property-search, or one without exactly one `D:prop`, of one property at least,
            and one text; several `D:prop` of what is asked for. TooLarge: more than 100 searches.
    """
    _require_shallow(depth)
    searches = list(root.iterchildren(_PROPERTY_SEARCH))
    if not searches:
        raise Malformed("principal-property-search without a property-search")
    if len(searches) > MOST_SEARCHES:
        raise TooLarge(f"more than {MOST_SEARCHES} searches")
    is_everywhere = prop.first_child(root, _APPLY) is not None
    return SearchQuery(tuple(map(_search, searches)), _names(root), is_everywhere)


def read_searchable(_root: etree._Element, depth: int | None, _strict_depth: bool) -> SearchableQuery:
    """Return the query of principal-search-property-set (§9.5). Raises Malformed: another Depth."""
    _require_shallow(depth)
    return SearchableQuery()


def _search(search: etree._Element) -> Search:
    searched, match = prop.only_child(search, names.PROP), prop.only_child(search, _MATCH)
    if not len(searched) or len(match):
        raise Malformed("a property-search without a property, or for more than text")
    return Search(prop.names(searched), (match.text or "").strip(" \t\r\n"))


def _names(root: etree._Element) -> tuple[str, ...] | None:
    return None if prop.first_child(root, names.PROP) is None else prop.names(prop.only_child(root, names.PROP))


def _require_shallow(depth: int | None) -> None:
    if depth != 0:
        raise Malformed("a report on principals with a Depth other than 0")


def render_searchable(properties: dict[str, str]) -> bytes:
    """Return the response of principal-search-property-set: properties that are searched, and their descriptions."""
    found = [
        element(
            clark(DAV, "principal-search-property"),
            element(names.PROP, empty(name)),
            marked(clark(DAV, "description"), {"xml:lang": "en"}, escape(description)),
        )
        for name, description in properties.items()
    ]
    return b"%b<D:principal-search-property-set%b>%b</D:principal-search-property-set>" % (
        DECLARATION,
        ROOT_NAMESPACES,
        b"".join(found),
    )
