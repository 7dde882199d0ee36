"""The limits of one request: the section `[limits]` of the settings, three more that the store reads, and the block.

A new limit is a field here and a line in `config/davstore.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

BLOCK_BYTES: Final = 1 << 18
"""A piece of a body that is read or sent: past 256 KiB loopback and disks gain little, and many share the memory."""


def integer(default: int, low: int, high: int | None = None) -> Any:
    """Declare a whole number with its range; high None is no limit."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Caps on the size and the reach of one request."""

    propfind_members: int = integer(10_000, 1)
    properties_per_node: int = integer(1_000, 1, 100_000)
    upload_seconds: int = integer(86_400, 60)
    locks_per_user: int = integer(200, 1, 10_000)
    locks_per_resource: int = integer(20, 1, 1_000)
    lock_seconds: int = integer(3_600, 1, 3_600)
    tree_nodes: int = integer(100_000, 1)


@dataclass(frozen=True, slots=True)
class Limits(RequestLimits):
    """All limits of the store: those of a request, and three that stand in the sections of their subjects.

    A body up to inline_bytes is a row, a larger one is a blob; sync_rows is the longest page of a sync report;
    devices_per_user are those that are not revoked.
    """

    inline_bytes: int = 65_536
    sync_rows: int = 10_000
    devices_per_user: int = 100
