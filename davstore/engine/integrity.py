"""The hashes of a body on its way in: the one that is kept, those that were promised, those that clients compare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.errors import Malformed

COMPARED: Final = ("sha1", "md5")
"""What clients of OwnCloud's dialect compare, in the order in which they are told."""


class Promises(NamedTuple):
    """What a client said of the body it sends: `digests` in lower-case hex by algorithm, and how long it is.

    With `compared` its SHA-1 and MD5 are kept too, at twice the price of hashing: nobody else needs them.
    """

    digests: Mapping[str, str] = MappingProxyType({})
    length: int | None = None
    compared: bool = False


NO_PROMISES: Final = Promises()


class Digesting:
    """Hashes one body as it comes by."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises
        self._length = 0
        wanted = {"sha256", *promises.digests, *(COMPARED if promises.compared else ())}
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._length += len(piece)
        for one in self._hashes.values():
            one.update(piece)

    def require(self) -> None:
        """Raise Malformed unless the body, now whole, is what was promised."""
        if self._promises.length not in (None, self._length):
            raise Malformed("the body is not as long as it was announced")
        for name, digest in self._promises.digests.items():
            if self._hashes[name].hexdigest() != digest:
                raise Malformed(f"the body does not have its {name}")

    @property
    def sha256(self) -> str:
        """The digest that is kept, in hex."""
        return self._hashes["sha256"].hexdigest()

    @property
    def checksums(self) -> str | None:
        """What is kept for clients that compare, as they spell it."""
        if not self._promises.compared:
            return None
        return " ".join(f"{name.upper()}:{self._hashes[name].hexdigest()}" for name in COMPARED)
