"""The first effect: the charge of a store, for bytes of bodies and dead properties, and for names (`policy/quota`)."""

from __future__ import annotations

from davstore.engine.writer import Change, Writer
from davstore.metadata.stores import Ledger


def charge(writer: Writer) -> None:
    """Count the resources that are new, have other content or another name, and those that came or ended in trees.

    The old name of one that was moved, a tombstone, counts too.
    """
    ledger = writer.ledger
    for change in writer.changes:
        if not isinstance(change, Change):
            ledger.entries += change.names
            ledger.used_bytes += change.size_bytes
        elif change.before is None:
            ledger.entries += 1
            ledger.used_bytes += change.after.size_bytes
        else:
            ledger.entries += change.is_move
            ledger.used_bytes += change.after.size_bytes - change.before.size_bytes


def give_back(ledger: Ledger, size_bytes: int) -> None:
    """Charge no longer for bytes that an effect itself took away."""
    ledger.used_bytes -= size_bytes
