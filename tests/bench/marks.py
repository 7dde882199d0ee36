"""Marks of messages as read, one request for each."""

from __future__ import annotations

import time
from typing import Final

from tests.bench.serving import Served

MARKS: Final = 1_000
NAMESPACES: Final = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
CHANGES: Final = (
    "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set>",
    "<D:remove><D:prop><C:seen/></D:prop></D:remove>",
)
"""To mark a message as read, and to take the mark back."""


def patch_each(served: Served, change: str) -> float:
    """Return the seconds of a PROPPATCH for each message of a folder `some`, at one connection."""
    body = f"<D:propertyupdate {NAMESPACES}>{change}</D:propertyupdate>".encode()
    with served.wire() as wire:
        begun = time.perf_counter()
        for number in range(MARKS):
            wire.ask("PROPPATCH", f"some/{number}.eml", body)
        return time.perf_counter() - begun
