"""What the headers of a PUT promise of its body (RFC 9530, OwnCloud's and Finder's own)."""

from __future__ import annotations

from davstore.dav.request import Request
from davstore.engine.integrity import NO_PROMISES, VERIFIED, Promises
from davstore.errors import Malformed
from davstore.protocol.dav import owncloud
from davstore.protocol.http.digests import parse_digests
from davstore.protocol.http.headers import parse_content_length

_DIGESTS = ("REPR_DIGEST", "CONTENT_DIGEST")
"""They say the same of a PUT: it has no content coding and no range."""
_HEADERS = ("OC_CHECKSUM", "X_OC_MTIME", "X_EXPECTED_ENTITY_LENGTH", *_DIGESTS)


def read_promises(request: Request) -> Promises:
    """Return what a PUT says of its body, to be held against it. Unknown algorithms promise nothing.

    Raises:
        Malformed: a digest or a length that cannot be read, or two that cannot both be true.
    """
    if all(request.header(header) is None for header in _HEADERS):
        return NO_PROMISES
    digests: dict[str, str] = {}
    checksum = owncloud.parse_checksum(request.header("OC_CHECKSUM"))
    if checksum is not None and checksum[0] in VERIFIED:
        digests[checksum[0]] = checksum[1]
    for header in _DIGESTS:
        for algorithm, digest in parse_digests(request.header(header)).items():
            if digests.setdefault(algorithm, digest) != digest:
                raise Malformed("two digests that differ")
    return Promises(
        digests,
        length=parse_content_length(request.header("X_EXPECTED_ENTITY_LENGTH")),
        compared=checksum is not None or request.header("X_OC_MTIME") is not None,
    )
