"""The body of PROPPATCH (RFC 4918 §9.2, §14.19)."""

from __future__ import annotations

from lxml import etree

from davstore.errors import Malformed, TooLarge
from davstore.protocol.dav import names, prop, xml


def parse(body: bytes) -> list[tuple[str, bytes | None]]:
    """Return the changes in document order: Clark name and the property element, or None to remove it.

    The element is standalone XML (`xml.standalone`). A name may come more than once, and there may be no change at all.

    Raises:
        Malformed, ExternalEntities: see `xml.parse`; or not a propertyupdate.
        TooLarge: as `xml.parse`; a value above 64 KiB, values above 1 MiB together, or more than 1,000 changes.
    """
    root = xml.parse(body)
    if root is None or root.tag != names.PROPERTYUPDATE:
        raise Malformed("the body is not a propertyupdate")
    return read(root)


def read(root: etree._Element) -> list[tuple[str, bytes | None]]:
    """Return the changes that an element holds, as `parse` does, and raise as it."""
    changes: list[tuple[str, bytes | None]] = []
    values = prop.Values()
    for instruction in root:
        if instruction.tag not in (names.SET, names.REMOVE):
            continue
        setting = instruction.tag == names.SET
        for element in prop.properties(instruction):
            if len(changes) == prop.MAX_PROPERTIES:
                raise TooLarge("more than 1,000 properties in one request")
            changes.append((prop.name_of(element), values.of(element) if setting else None))
    return changes
