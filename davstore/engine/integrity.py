"""The digests of a body on its way in: the stored one, those of its integrity fields, those that clients compare.

RFC 9530; the fields are read in `protocol/http/integrity`.
"""

from __future__ import annotations

import hashlib

from davstore.errors import Malformed
from davstore.protocol.http.integrity import COMPARED, IntegrityFields


class Digests:
    """Hashes one body as it comes by."""

    def __init__(self, fields: IntegrityFields) -> None:
        self._fields = fields
        self._length = 0
        wanted = {"sha256", *fields.digests, *(COMPARED if fields.compared else ())}
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._length += len(piece)
        for one in self._hashes.values():
            one.update(piece)

    def require(self) -> None:
        """Raise Malformed unless the body, now whole, matches its integrity fields."""
        if self._fields.length not in (None, self._length):
            raise Malformed("the body is not as long as it was announced")
        for name, digest in self._fields.digests.items():
            if self._hashes[name].hexdigest() != digest:
                raise Malformed(f"the body does not have its {name}")

    @property
    def sha256(self) -> str:
        """The digest that is kept, in hex."""
        return self._hashes["sha256"].hexdigest()

    @property
    def checksums(self) -> str | None:
        """The checksums that are kept for clients that compare, as they spell them."""
        if not self._fields.compared:
            return None
        return " ".join(f"{name.upper()}:{self._hashes[name].hexdigest()}" for name in COMPARED)
