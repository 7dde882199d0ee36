"""The headers of PUT as one value: type, time and integrity of the body (RFC 9110 §8.3, RFC 9530, OwnCloud)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from davstore.errors import Malformed
from davstore.protocol.http import owncloud
from davstore.protocol.http.headers import parse_content_length
from davstore.protocol.http.integrity import NO_FIELDS, VERIFIED, IntegrityFields, parse_digests

_DIGESTS: Final = ("REPR_DIGEST", "CONTENT_DIGEST")
"""Both mean the same for a PUT: it has no content coding and no range."""
_INTEGRITY: Final = ("OC_CHECKSUM", "X_EXPECTED_ENTITY_LENGTH", *_DIGESTS)
_TYPE: Final = re.compile(r"[\x20-\x7e]{1,255}")


class PutHeaders(NamedTuple):
    """The client's facts about a body, but for its length.

    content_type is None unless one is sent; modified_seconds, since the epoch, likewise.
    """

    content_type: str | None = None
    modified_seconds: int | None = None
    integrity: IntegrityFields = NO_FIELDS


def parse(content_type: str | None, header: Callable[[str], str | None]) -> PutHeaders:
    """Return the value of the headers; header returns one by its name in CGI's spelling.

    Raises:
        Malformed: a media type longer than 255 characters or not printable ASCII, a digest or a length that cannot be
            read, or two digests that cannot both be true.
    """
    if content_type and _TYPE.fullmatch(content_type) is None:
        raise Malformed("not a Content-Type")
    mtime = header("X_OC_MTIME")
    return PutHeaders(content_type or None, owncloud.parse_mtime(mtime), _parse_integrity(header, mtime))


def _parse_integrity(header: Callable[[str], str | None], mtime: str | None) -> IntegrityFields:
    """Return the claims to compare with the body. Clients that send X-OC-Mtime compare SHA-1 and MD5 later."""
    if mtime is None and all(header(name) is None for name in _INTEGRITY):
        return NO_FIELDS
    checksum = owncloud.parse_checksum(header("OC_CHECKSUM"))
    digests = dict([checksum]) if checksum is not None and checksum[0] in VERIFIED else {}
    for name in _DIGESTS:
        for algorithm, digest in parse_digests(header(name)).items():
            if digests.setdefault(algorithm, digest) != digest:
                raise Malformed("two digests that differ")
    length = parse_content_length(header("X_EXPECTED_ENTITY_LENGTH"))  # Finder's own name of it
    return IntegrityFields(digests, length, compared=checksum is not None or mtime is not None)
