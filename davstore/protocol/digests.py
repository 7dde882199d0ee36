"""Repr-Digest, Content-Digest and Want-Repr-Digest (RFC 9530), as far as sha-256 goes."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from davstore.errors import Malformed

_DIGEST: Final = re.compile(r"(?:\A|,)[ \t]*sha-256[ \t]*=[ \t]*([^,;]*)")
_WANTED: Final = re.compile(r"(?:\A|,)[ \t]*sha-256(?:=([0-9]{1,15}))?[ \t]*(?:;[^,]*)?(?:,|\Z)")


def parse_digest(value: str | None) -> str | None:
    """Return the sha-256 of a Repr-Digest or Content-Digest in hex, None when it has none: others are ignored (§2).

    Raises:
        Malformed: it is no byte sequence (RFC 9651 §3.3.5) of 32 bytes.
    """
    match = None if value is None else _DIGEST.search(value)
    if match is None:
        return None
    text = match[1].strip(" \t")
    try:
        digest = base64.b64decode(text[1:-1], validate=True) if re.fullmatch(":.*:", text) else b""
    except (binascii.Error, ValueError) as cause:
        raise Malformed("a digest that is not base64") from cause
    if len(digest) != 32:
        raise Malformed("a digest that is no sha-256")
    return digest.hex()


def wants_digest(value: str | None) -> bool:
    """Tell whether Want-Repr-Digest asks for sha-256; a preference of 0 says that it does not (RFC 9530 §4)."""
    match = None if value is None else _WANTED.search(value)
    return match is not None and int(match[1] or 1) > 0


def render_digest(sha256: str) -> str:
    """Return the value of Repr-Digest for a sha-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
