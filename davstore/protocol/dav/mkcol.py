"""The body of extended MKCOL (RFC 5689 §3, §5)."""

from __future__ import annotations

from typing import NamedTuple

from davstore.errors import InvalidResourceType, Malformed, TooLarge
from davstore.protocol.dav import names, prop, xml


class MkCol(NamedTuple):
    """A collection to be made. `types` are the Clark names in its resourcetype, `{DAV:}collection` among them."""

    types: frozenset[str]
    properties: dict[str, bytes]
    """The other properties: Clark name to standalone XML element. The last of a name counts."""


def parse(body: bytes) -> MkCol | None:
    """Return the collection to make, or None for an empty body: a plain one.

    Raises:
        Malformed, ExternalEntities: see `xml.parse`; or not an mkcol, or one without resourcetype.
        InvalidResourceType: the type is not a collection at all. Which other types exist is the caller's to judge.
        TooLarge: as `xml.parse`; a value above 64 KiB, values above 1 MiB together, or more than 1,000 properties.
    """
    root = xml.parse(body)
    if root is None:
        return None
    if root.tag != names.MKCOL:
        raise Malformed("the body is not an mkcol")
    types: frozenset[str] | None = None
    properties: dict[str, bytes] = {}
    values = prop.Values()
    for instruction in root.iterchildren(names.SET):
        for element in prop.properties(instruction):
            if element.tag == names.RESOURCETYPE:
                types = frozenset(str(child.tag) for child in element)
            else:
                properties[prop.name_of(element)] = values.of(element)
                if len(properties) > prop.MAX_PROPERTIES:
                    raise TooLarge("more than 1,000 properties in one request")
    if types is None:
        raise Malformed("an mkcol without resourcetype")
    if names.COLLECTION not in types:
        raise InvalidResourceType("MKCOL makes collections")
    return MkCol(types, properties)
