"""OwnCloud's property of checksums, which its clients and others compare."""

from __future__ import annotations

from typing import Final

from davstore.protocol.dav.elements import element, text_element
from davstore.protocol.http.owncloud import SUM

CHECKSUMS: Final = "{http://owncloud.org/ns}checksums"
_CHECKSUM: Final = "{http://owncloud.org/ns}checksum"


def parse_checksums(text: str) -> frozenset[str]:
    """Return the checksums in a client's `oc:checksums`, spelled as they are kept; none if one cannot be read."""
    matches = [SUM.fullmatch(word) for word in text.split()]
    sums = [f"{match[1].upper()}:{match[2].lower()}" for match in matches if match]
    return frozenset(sums) if len(sums) == len(matches) else frozenset()


def render_checksums(text: str) -> bytes:
    """Return the property `oc:checksums` of a body with checksums."""
    return element(CHECKSUMS, text_element(_CHECKSUM, text))
