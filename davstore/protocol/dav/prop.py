"""The element `{DAV:}prop` in requests: names alone, or names with values (RFC 4918 §14.18)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lxml import etree

from davstore.errors import Malformed, TooLarge
from davstore.protocol.dav.names import GROUP_MEMBER_SET, MAX_PROPERTY_NAME_BYTES, PROP
from davstore.protocol.dav.xml import MAX_BODY_BYTES, standalone

MAX_PROPERTIES: Final = 1000
MAX_NAMES_CHARACTERS: Final = 32 * 1024
"""Bytes of all names together: the answer repeats them for each member, 10,000 times in a large collection."""
MAX_VALUE_BYTES: Final = 64 * 1024


def name_of(element: etree._Element) -> str:
    """Return the Clark name of a property. Raises Malformed if it is longer than 255 bytes."""
    name = str(element.tag)
    if len(name.encode()) > MAX_PROPERTY_NAME_BYTES:
        raise Malformed("a property name is longer than 255 bytes")
    return name


def names(parent: etree._Element) -> tuple[str, ...]:
    """Return the names of the properties that parent lists, each once, in order.

    Raises:
        Malformed: see `name_of`. TooLarge: more than 1,000, or longer than 32 KiB together.
    """
    found = tuple(dict.fromkeys(name_of(element) for element in parent))
    require_few(found)
    return found


def require_few(found: Collection[str]) -> None:
    """Raise TooLarge when names are more than 1,000, or longer than 32 KiB together."""
    if len(found) > MAX_PROPERTIES or sum(map(len, found)) > MAX_NAMES_CHARACTERS:
        raise TooLarge(f"{len(found)} properties in one request")


class Values:
    """The values of one request. Each declares all namespaces in scope, so that together they outgrow the body."""

    def __init__(self) -> None:
        self._left_bytes = MAX_BODY_BYTES

    def of(self, element: etree._Element) -> bytes:
        """Return the whole property element as standalone XML.

        Raises:
            TooLarge: above 64 KiB, but for the members of a group, or above 1 MiB together with those before.
        """
        value = standalone(element)
        self._left_bytes -= len(value)
        is_long = len(value) > MAX_VALUE_BYTES and element.tag != GROUP_MEMBER_SET
        if is_long or self._left_bytes < 0:
            raise TooLarge(f"a property of {len(value)} bytes")
        return value


def text_of(element: bytes) -> str:
    """Return the text in a property element that `value_of` made, without the space around it."""
    root = etree.fromstring(element, etree.XMLParser(resolve_entities=False))
    return str(root.xpath("string()")).strip(" \t\r\n")


def only_child(parent: etree._Element, name: str) -> etree._Element:
    """Return the one child of that name. Raises Malformed if there is none or more than one."""
    found = list(parent.iterchildren(name))
    if len(found) != 1:
        raise Malformed(f"{parent.tag} needs exactly one {name}")
    return found[0]


def first_child(parent: etree._Element, name: str) -> etree._Element | None:
    """Return the first child of that name, None if there is none, in half the time of `find`."""
    return next(parent.iterchildren(name), None)


def properties(instruction: etree._Element) -> etree._Element:
    """Return the `prop` of a `set` or `remove`."""
    return only_child(instruction, PROP)
