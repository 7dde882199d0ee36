"""The element `{DAV:}prop` in requests: names alone, or names with values (RFC 4918 §14.18)."""

from __future__ import annotations

from typing import Final

from lxml import etree

from davstore.errors import Malformed, TooLarge
from davstore.protocol.names import MAX_NAME_BYTES, PROP
from davstore.protocol.xml import standalone

MAX_PROPERTIES: Final = 1000
MAX_VALUE_BYTES: Final = 64 * 1024


def name_of(element: etree._Element) -> str:
    """Return the Clark name of a property. Raises Malformed if it is longer than 255 bytes."""
    name = str(element.tag)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise Malformed("a property name is longer than 255 bytes")
    return name


def names(parent: etree._Element) -> tuple[str, ...]:
    """Return the names of the properties that parent lists, each once, in order."""
    found = tuple(dict.fromkeys(name_of(element) for element in parent))
    if len(found) > MAX_PROPERTIES:
        raise TooLarge(f"{len(found)} properties in one request")
    return found


def value_of(element: etree._Element) -> bytes:
    """Return the whole property element as standalone XML. Raises TooLarge above 64 KiB."""
    value = standalone(element)
    if len(value) > MAX_VALUE_BYTES:
        raise TooLarge(f"a property of {len(value)} bytes")
    return value


def text_of(element: bytes) -> str:
    """Return the text in a property element that `value_of` made, without the space around it."""
    root = etree.fromstring(element, etree.XMLParser(resolve_entities=False))
    return str(root.xpath("string()")).strip(" \t\r\n")


def only_child(parent: etree._Element, name: str) -> etree._Element:
    """Return the one child of that name. Raises Malformed if there is none or more than one."""
    found = parent.findall(name)
    if len(found) != 1:
        raise Malformed(f"{parent.tag} needs exactly one {name}")
    return found[0]


def properties(instruction: etree._Element) -> etree._Element:
    """Return the `prop` of a `set` or `remove`."""
    return only_child(instruction, PROP)
