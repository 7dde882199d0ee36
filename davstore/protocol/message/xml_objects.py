"""XML bodies that are objects of a message store: a cheap look at the root, and reading them with distrust."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from davstore.errors import RequestError
from davstore.protocol.dav import xml

_LOOK_BYTES: Final = 4_096
"""The root's start tag lies in them: before it are at most a declaration and comments."""

_START_TAG: Final = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)([^<>]*)>")
_DECLARATION: Final = re.compile(rb"""\sxmlns(?::([A-Za-z_][\w.-]*))?\s*=\s*["']([^"'<>]*)["']""")


def root_name(content: bytes) -> str | None:
    """Return the name of the root element in Clark notation as the first bytes show it; None: they show none.

    It is no promise that the rest is well-formed.
    """
    head = content[:_LOOK_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    while head.startswith((b"<?", b"<!--")):
        head = head.partition(b"?>" if head.startswith(b"<?") else b"-->")[2].lstrip()
    found = _START_TAG.match(head)
    if found is None:
        return None
    prefix, local, attributes = found.groups()
    namespace = dict(_DECLARATION.findall(attributes)).get(prefix or b"", b"")
    return (b"{%b}%b" % (namespace, local) if namespace else local).decode("ascii", "replace")


def read_xml(content: bytes) -> etree._Element | None:
    """Return the root element; None for what is not well-formed, has a DOCTYPE, or is larger than the caps."""
    try:
        return xml.parse(content)
    except RequestError:
        return None
