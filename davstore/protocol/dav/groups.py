"""The members of groups in XML (RFC 3744 §4.3)."""

from __future__ import annotations

from davstore.errors import ConflictingValue
from davstore.protocol.dav import names, xml
from davstore.protocol.dav.names import CPM, DAV


def parse_members(element: bytes) -> tuple[str, ...]:
    """Return the hrefs of `D:group-member-set`, each once, in their order.

    Raises:
        ConflictingValue: text, an unknown element of `DAV:` or of ours, an href that holds elements. To read them as
            nothing would empty the list.
        Malformed, TooLarge: see `xml.parse`.
    """
    root = xml.parse(element)
    if root is None or any((text or "").strip() for text in (root.text, *(child.tail for child in root))):
        raise ConflictingValue("text beside hrefs")
    hrefs = list(root.iterchildren(names.HREF))
    others = {str(child.tag) for child in root} - {names.HREF}
    if any(names.split(name)[0] in (CPM, DAV) for name in others) or any(map(len, hrefs)):
        raise ConflictingValue("an element that is no href")
    return tuple(dict.fromkeys((child.text or "").strip() for child in hrefs))
