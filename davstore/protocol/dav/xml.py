"""Parse the XML body of a request, distrusting it (RFC 4918 §8.2, §17, §20).

The meaning of elements is not known here. Every cap is checked while the bytes go in, so that no body, however wide,
becomes a tree larger than the caps allow: 8 MB of `<b/>` would take 240 MB.
"""

from __future__ import annotations

import collections
import re
from typing import Any, Final

from lxml import etree

from davstore.errors import ExternalEntities, Malformed, TooLarge
from davstore.protocol.dav.names import XML

MAX_BODY_BYTES: Final = 1 << 20
MAX_ELEMENTS: Final = 10_000
"""Attributes count as elements: they take as much memory."""
MAX_NAMESPACES: Final = 100
"""Distinct pairs of prefix and namespace: the same declaration on every element is no attack."""

USUAL_BYTES: Final = 2_048
"""The questions in bodies up to this length are remembered: clients ask the same few again and again."""

_CHUNK_BYTES: Final = 16 * 1024
"""Between two looks at the counts: at most 4,096 elements of four bytes."""

_LONG_STRETCH: Final = re.compile(rb"<[^<]{262144}")
"""Longer than any value that is kept. As one start tag it would be attributes, which libxml2 reads all at once."""

_LANG: Final = f"{{{XML}}}lang"

PARSER_OPTIONS: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "recover": False,
}
"""The options of every parser of XML from outside: nothing is fetched, expanded or mended (RFC 4918 §20.6)."""


def parse(body: bytes, *, most_elements: int = MAX_ELEMENTS) -> etree._Element | None:
    """Return the root element, or None for an empty body.

    Comments and processing instructions are gone, character data is whole. Depth is capped by libxml2 (256).

    Raises:
        TooLarge: more bytes, elements, attributes or namespaces than the caps.
        ExternalEntities: a DOCTYPE names an external subset or entity.
        Malformed: not well-formed, not namespace-well-formed, or any other DOCTYPE.
    """
    if not body:
        return None
    if len(body) > MAX_BODY_BYTES or _LONG_STRETCH.search(body):
        raise TooLarge(f"XML body of {len(body)} bytes, or a tag or text too long in it")
    parser: Any = etree.XMLPullParser(events=("start", "start-ns"), **PARSER_OPTIONS)
    elements = 0
    namespaces: set[tuple[str, str]] = set()
    try:
        for start in range(0, len(body), _CHUNK_BYTES):
            parser.feed(body[start : start + _CHUNK_BYTES])
            elements += _count(parser, namespaces)
            # lxml lets an undeclared prefix or a broken namespace pass when a mere warning follows it.
            if parser.feed_error_log.filter_from_errors():
                raise Malformed("not namespace-well-formed XML")
            if elements > most_elements or len(namespaces) > MAX_NAMESPACES:
                raise TooLarge("more XML elements or namespaces than allowed")
        root: etree._Element = parser.close()
    except etree.XMLSyntaxError as cause:
        raise Malformed("not well-formed XML") from cause
    finally:
        collections.deque(parser.read_events(), maxlen=0)  # unread events hold the parser and the tree in a cycle
    _refuse_doctype(root)
    return root


def _count(parser: Any, namespaces: set[tuple[str, str]]) -> int:
    """Return the number of elements and attributes since the last look, and collect the namespaces they declare."""
    elements = 0
    for event, item in parser.read_events():
        if event == "start":
            elements += 1 + len(item.attrib)
        else:
            namespaces.add(item)
    return elements


def _refuse_doctype(root: etree._Element) -> None:
    document: Any = root.getroottree().docinfo
    if not document.doctype:
        return
    declarations = document.internalDTD
    if document.system_url or document.public_id or any(entity.system_url for entity in declarations.iterentities()):
        raise ExternalEntities("the DOCTYPE declares external entities")
    raise Malformed("the XML has a DOCTYPE")


def standalone(element: etree._Element) -> bytes:
    """Serialize element so that it means the same in any document (RFC 4918 §4.3, §4.4).

    All namespace declarations in scope come along, for QNames in content; so does an inherited `xml:lang`. Where an
    element is in no namespace the default one is stated to be none. The element may gain an `xml:lang` attribute.
    """
    if element.get(_LANG) is None:
        language = next((lang for above in element.iterancestors() if (lang := above.get(_LANG)) is not None), None)
        if language is not None:
            element.set(_LANG, language)
    text: bytes = etree.tostring(element, encoding="UTF-8", with_tail=False)
    if None not in element.nsmap and any(not str(inner.tag).startswith("{") for inner in element.iter()):
        local = etree.QName(element).localname
        start = len((f"<{element.prefix}:{local}" if element.prefix else f"<{local}").encode())
        text = text[:start] + b' xmlns=""' + text[start:]
    return text
