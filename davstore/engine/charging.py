"""The first effect: the charge of a store, for bytes of bodies and dead properties, and for names (`policy/quota`)."""

from __future__ import annotations

from davstore.engine.writer import Change, TreeChange, Writer


def charge(writer: Writer, change: Change) -> None:
    """Count a resource that is new, has other content or another name. Its old name, a tombstone, counts too."""
    before, after, is_move = change
    if before is None:
        writer.ledger.entries += 1
        writer.ledger.used_bytes += after.size_bytes
        return
    if is_move:
        writer.ledger.entries += 1
    writer.ledger.used_bytes += after.size_bytes - before.size_bytes


def charge_tree(writer: Writer, change: TreeChange) -> None:
    """Count the nodes that came beneath a copy, or that ended with their last binding."""
    writer.ledger.entries += change.names
    writer.ledger.used_bytes += change.size_bytes
