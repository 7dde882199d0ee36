"""The body of PROPFIND (RFC 4918 §9.1, §14.20)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from davstore.errors import Malformed
from davstore.model.enums import QuickEnum
from davstore.protocol.dav import names, prop, xml


class PropFindKind(QuickEnum):
    """The three questions of a PROPFIND."""

    ALLPROP = "allprop"
    PROPNAME = "propname"
    PROP = "prop"


class PropFind(NamedTuple):
    """The question of a PROPFIND. `names` belong to PROP, `include` to ALLPROP; all are Clark names, each once."""

    kind: PropFindKind
    names: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


ALL_PROPERTIES = PropFind(PropFindKind.ALLPROP)
FOR_WINDOWS = PropFind(
    PropFindKind.PROP,
    names=(
        names.RESOURCETYPE,
        names.GETCONTENTLENGTH,
        names.GETLASTMODIFIED,
        names.CREATIONDATE,
        "{urn:schemas-microsoft-com:}Win32FileAttributes",
    ),
)
"""The properties that Windows shows. It asks for all, and shows nothing of a response above 1,000,000 bytes."""

_KINDS = {names.ALLPROP: PropFindKind.ALLPROP, names.PROPNAME: PropFindKind.PROPNAME, names.PROP: PropFindKind.PROP}


def parse(body: bytes) -> PropFind:
    """Return the question; an empty body asks for all properties. Unknown elements are ignored (RFC 4918 §17).

    Raises:
        Malformed, ExternalEntities, TooLarge: see `xml.parse`; or not exactly one question.
    """
    return _usual(body) if len(body) <= xml.USUAL_BYTES else _parse(body)


def _parse(body: bytes) -> PropFind:
    root = xml.parse(body)
    if root is None:
        return ALL_PROPERTIES
    if root.tag != names.PROPFIND:
        raise Malformed("the body is not a propfind")
    questions = [child for child in root if child.tag in _KINDS]
    includes = root.findall(names.INCLUDE)
    if len(questions) != 1:
        raise Malformed("a propfind asks exactly one of prop, allprop and propname")
    kind = _KINDS[str(questions[0].tag)]
    if len(includes) > 1 or (includes and kind is not PropFindKind.ALLPROP):
        raise Malformed("one include may follow allprop, and nothing else")
    return PropFind(
        kind,
        names=prop.names(questions[0]) if kind is PropFindKind.PROP else (),
        include=prop.names(includes[0]) if includes else (),
    )


_usual = lru_cache(maxsize=64)(_parse)
