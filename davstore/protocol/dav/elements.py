"""XML text from values, escaped once: the parts that answers are put together from.

An element here is bytes in UTF-8. Those of DAV: and of davstore's own namespace use the prefixes `D` and `C`, which
the root of every answer declares (`ROOT_NAMESPACES`); any other element declares its namespace itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.names import CPM, DAV, XML, split

DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
ROOT_NAMESPACES: Final = b' xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
CONTENT_TYPE: Final = 'application/xml; charset="utf-8"'

_PREFIXES: Final = {DAV: "D", CPM: "C", XML: "xml"}  # `xml` is bound everywhere, and nowhere by a declaration
_SPECIAL: Final = re.compile("[^\t\n\x20-\x25\x27-\x3b\x3d\x3f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNFIT: Final = re.compile("[^\t\n\r\x1f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HREF: Final = re.compile(rb"<D:href>([^<]*)</D:href>")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str) -> bytes:
    """Return text as character data. Characters that XML 1.0 cannot hold become U+FFFD; a carriage return survives."""
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(_replacement, text)
    return text.encode()


def escape_all(texts: Sequence[str]) -> list[str]:
    """Return texts as `escape` does, without a call for each."""
    joined = "\x1f".join(texts)
    if joined.count("\x1f") >= len(texts) or _UNFIT.search(joined):
        return [escape(text).decode() for text in texts]
    for character, reference in _ESCAPES.items():
        if character in joined:
            joined = joined.replace(character, reference)
    return joined.split("\x1f")


def _replacement(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], "\ufffd")


@lru_cache(maxsize=4096)
def tags(name: str) -> tuple[bytes, bytes]:
    """Return start and end tag of the element with that Clark name."""
    namespace, local = split(name)
    prefix = _PREFIXES.get(namespace)
    if prefix is not None:
        return f"<{prefix}:{local}>".encode(), f"</{prefix}:{local}>".encode()
    uri = escape(namespace).replace(b'"', b"&quot;")
    return b'<%b xmlns="%b">' % (local.encode(), uri), b"</%b>" % local.encode()


@lru_cache(maxsize=4096)
def empty(name: str) -> bytes:
    """Return the empty element with that Clark name."""
    return tags(name)[0][:-1] + b"/>"


def element(name: str, *content: bytes) -> bytes:
    """Return the element with that Clark name around content, which is XML already."""
    start, end = tags(name)
    return b"".join((start, *content, end)) if content else empty(name)


def marked(name: str, attributes: Mapping[str, str], *content: bytes) -> bytes:
    """Return the element with that Clark name and attributes in no namespace around content, which is XML already."""
    marks = b"".join(
        b' %b="%b"' % (key.encode(), escape(value).replace(b'"', b"&quot;")) for key, value in attributes.items()
    )
    start, end = tags(name)
    return b"".join((start[:-1], marks, b">", *content, end)) if content else b"".join((start[:-1], marks, b"/>"))


def text_element(name: str, text: str) -> bytes:
    """Return the element with that Clark name around text."""
    return element(name, escape(text))


def replace_hrefs(value: bytes, replace: Callable[[bytes], bytes]) -> bytes:
    """Return an element that was made here with each `D:href` in it replaced, by its content as it stands there."""
    return _HREF.sub(lambda match: replace(match[1]), value)


def href(path: str) -> bytes:
    """Return `D:href` around a path that `hrefs` rendered."""
    return b"<D:href>%b</D:href>" % for_xml(path)
