"""Room for more: the quota of a store (RFC 4331), and the most that one request may touch."""

from __future__ import annotations

from davstore.engine.context import Services
from davstore.engine.writer import Writer
from davstore.errors import QuotaExceeded, TreeTooLarge
from davstore.metadata import stores, trees, uploads
from davstore.metadata.unit import Unit
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.policy.quota import charged_bytes
from davstore.protocol.urls import MAX_NAMES


def find_room(writer: Writer) -> int | None:
    """Return the bytes that the quota leaves, beside the reservations of uploads; None without a quota."""
    ledger = writer.ledger
    if ledger.facts.quota_bytes is None:
        return None
    charged = charged_bytes(ledger.used_bytes, ledger.entries)
    return ledger.facts.quota_bytes - charged - _reserved_bytes(writer)


def require_room(writer: Writer, needed_bytes: int) -> None:
    """Raise QuotaExceeded unless the store has room for more. A write that adds nothing always passes (RFC 4331 §3)."""
    room = find_room(writer)
    grown = grown_bytes(writer)
    if room is not None and needed_bytes > room and needed_bytes + grown > 0:
        raise QuotaExceeded(
            used_bytes=_charged_before(writer) + _reserved_bytes(writer),
            limit_bytes=writer.ledger.facts.quota_bytes or 0,
            needed_bytes=needed_bytes + grown,
        )


def grown_bytes(writer: Writer) -> int:
    """Return how many bytes more than before the unit the store is charged for."""
    return charged_bytes(writer.ledger.used_bytes, writer.ledger.entries) - _charged_before(writer)


def _charged_before(writer: Writer) -> int:
    return charged_bytes(writer.ledger.facts.used_bytes, writer.ledger.facts.entries)


def _reserved_bytes(writer: Writer) -> int:
    return uploads.sum_reserved(writer.unit, writer.ledger.store_id, now_us=writer.context.now_us)


def require_within(writer: Writer, *tops: Resource | None) -> None:
    """Raise TreeTooLarge unless a request may touch all of these trees together (None: nothing is there)."""
    most = writer.context.services.limits.tree_nodes
    there = [top for top in tops if top is not None]
    left = most - len(there)
    collections = [top.node_id for top in there if top.is_collection]
    if left >= 0 and collections:
        left -= trees.count_beneath(writer.unit, writer.ledger.store_id, collections, limit=left + 1)
    if left < 0:
        raise TreeTooLarge(f"more than {most} nodes")


def require_shallow(writer: Writer, top: Resource, source: Path, destination: Path) -> None:
    """Raise TreeTooLarge when what lies beneath a collection would have more names in its path than a URL can have.

    Only one that goes deeper down is looked at, in a store that has so many names, and no more of its collections than
    one request may touch. How long names are is not: a tree of long ones can have URLs of more than 16 KiB.
    """
    left = MAX_NAMES - len(destination.names)
    if not top.is_collection or len(destination.names) <= len(source.names) or writer.ledger.entries <= left:
        return
    most = writer.context.services.limits.tree_nodes
    if trees.find_depth(writer.unit, writer.ledger.store_id, top.node_id, limit=left, most=most) > left:
        raise TreeTooLarge(f"more than {MAX_NAMES} names in a path")


def release_dead(services: Services, owner: str) -> bool:
    """Give back bytes that are reserved for no living upload, and return whether there were any.

    An upload that has just begun, and has no file yet that it could hold, looks for room again at its end.
    """
    store_id = services.database.read(lambda unit: stores.get(unit, owner)).id
    names = services.database.read(lambda unit: uploads.list_reserved_blobs(unit, store_id))
    dead = [name for name in names if not services.blobs.is_held(store_id, name)]

    def work(unit: Unit) -> None:
        stores.lock(unit, owner)
        for name in dead:
            uploads.release(unit, store_id, name)

    if dead:
        services.database.write(work)
    return bool(dead)
