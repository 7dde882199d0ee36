"""The first effect: what a store is charged for, bytes of bodies and dead properties, and names (`policy/quota`)."""

from __future__ import annotations

from davstore.engine.writer import Change, TreeChange, Writer


def charge(writer: Writer, change: Change) -> None:
    """Count a resource that is new, has other content or another name. The old name is remembered, and so it counts."""
    before, after = change
    if before is None:
        writer.ledger.entries += 1
        writer.ledger.used_bytes += after.size_bytes
        return
    if after.resource[:2] != before.resource[:2]:  # its parent and its name
        writer.ledger.entries += 1
    writer.ledger.used_bytes += after.size_bytes - before.size_bytes


def charge_tree(writer: Writer, change: TreeChange) -> None:
    """Count what came beneath a copy, or what ended with the last name of its nodes."""
    writer.ledger.entries += change.names
    writer.ledger.used_bytes += change.size_bytes
