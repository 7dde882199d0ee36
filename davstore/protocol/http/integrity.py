"""Integrity fields (RFC 9530): Repr-Digest, Content-Digest and Want-Repr-Digest.

sha-256 and sha-512 are accepted, sha-256 is sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.errors import Malformed

_DIGEST: Final = re.compile(r"(?:\A|,)[ \t]*sha-(256|512)[ \t]*=[ \t]*([^,;]*)")
_WANTED: Final = re.compile(r"(?:\A|,)[ \t]*sha-256(?:=([0-9]{1,15}))?[ \t]*(?:;[^,]*)?(?:,|\Z)")

COMPARED: Final = ("sha1", "md5")
"""The algorithms that clients of OwnCloud's dialect compare, in the order of `oc:checksums`."""
VERIFIED: Final = frozenset({"sha256", "sha512", *COMPARED})
"""The algorithms of the digests that are compared with a body."""


class IntegrityFields(NamedTuple):
    """A client's claims about the body it sends: `digests` in lower-case hex by algorithm, and its length.

    With `compared` its SHA-1 and MD5 are kept too, at twice the price of hashing: other clients do not need them.
    """

    digests: Mapping[str, str] = MappingProxyType({})
    length: int | None = None
    compared: bool = False


NO_FIELDS: Final = IntegrityFields()


def parse_digests(value: str | None) -> dict[str, str]:
    """Return the digests of a Repr-Digest or Content-Digest, in hex by `sha256` and `sha512`; others are ignored (§2).

    Raises:
        Malformed: it is no byte sequence (RFC 9651 §3.3.5) as long as the algorithm's.
    """
    return {f"sha{bits}": _parse_bytes(text, int(bits) // 8) for bits, text in _DIGEST.findall(value or "")}


def _parse_bytes(text: str, length: int) -> str:
    word = text.strip(" \t")
    try:
        digest = base64.b64decode(word[1:-1], validate=True) if re.fullmatch(":.*:", word) else b""
    except (binascii.Error, ValueError) as cause:
        raise Malformed("a digest that is not base64") from cause
    if len(digest) != length:
        raise Malformed("a digest of another length than its algorithm's")
    return digest.hex()


def wants_digest(value: str | None) -> bool:
    """Tell whether Want-Repr-Digest asks for sha-256; a preference of 0 says that it does not (RFC 9530 §4)."""
    match = None if value is None else _WANTED.search(value)
    return match is not None and int(match[1] or 1) > 0


def render_digest(sha256: str) -> str:
    """Return the value of Repr-Digest for a sha-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
