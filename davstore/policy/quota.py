"""The charge of a store: the bytes of its bodies and dead properties, and its names beyond an allowance.

A name, bound or remembered as gone, costs a row and its indexes: without a price a quota of one byte would hold empty
files until the disk is full.
"""

from __future__ import annotations

from typing import Final

FREE_ENTRIES: Final = 1_000
"""Names that cost nothing, so that what a small store uses is the sum of its bodies to the byte."""
ENTRY_BYTES: Final = 256
"""For each further name: less than the rows and indexes take (400 to 600), so that no user is charged for overhead."""


def charged_bytes(used_bytes: int, entries: int) -> int:
    """Return the bytes that count against the quota (RFC 4331 §4), for so many bytes under so many names."""
    return used_bytes if entries <= FREE_ENTRIES else used_bytes + (entries - FREE_ENTRIES) * ENTRY_BYTES
