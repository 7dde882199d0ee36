"""The body of an error that names its conditions (RFC 4918 §16)."""

from __future__ import annotations

from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES


def render(*conditions: bytes) -> bytes:
    """Return `D:error` around condition elements (see `elements`). Its content type is `elements.CONTENT_TYPE`."""
    return b"%b<D:error%b>%b</D:error>" % (DECLARATION, ROOT_NAMESPACES, b"".join(conditions))
