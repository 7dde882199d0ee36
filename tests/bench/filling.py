"""Stores of any size, written through the store's own functions: what is measured is reading them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from davstore.metadata import bindings, bodies, nodes, stores
from davstore.metadata.bodies import Stored
from davstore.metadata.stores import Ledger
from davstore.metadata.unit import Unit
from davstore.settings import load_settings
from davstore.wiring import Storage, open_storage

T = TypeVar("T")

BODY = Stored(b"x" * 2048, None, 2048, "0" * 64)
UNIT = 100_000
"""Members written in one transaction."""


def fill(directory: Path, name: str, folders: int, members: int) -> None:
    """Make a collection with folders of so many members each; 1: the members lie in the collection itself."""
    storage = open_storage(load_settings(flags={"data.path": str(directory)}, environ={}))

    def top(unit: Unit, ledger: Ledger) -> int:
        return _folder(unit, ledger, ledger.facts.root_id, name)

    try:
        parent = _write(storage, top)
        if folders > 1:
            _write(storage, lambda unit, ledger: _folders(unit, ledger, parent, folders, members))
        for start in range(0, members if folders == 1 else 0, UNIT):
            numbers = range(start, min(start + UNIT, members))
            _write(storage, lambda unit, ledger, numbers=numbers: _members(unit, ledger, parent, numbers))
    finally:
        storage.database.close()


def _write(storage: Storage, work: Callable[[Unit, Ledger], T]) -> T:
    def locked(unit: Unit) -> T:
        ledger = stores.lock(unit, "me")
        value = work(unit, ledger)
        stores.settle(unit, ledger, now_us=0)
        return value

    return storage.database.write(locked)


def _folders(unit: Unit, ledger: Ledger, parent_id: int, count: int, members: int) -> None:
    for number in range(count):
        _members(unit, ledger, _folder(unit, ledger, parent_id, f"d{number}"), range(members))


def _folder(unit: Unit, ledger: Ledger, parent_id: int, name: str) -> int:
    node_id, _ = nodes.insert_node(unit, ledger, nodes.empty_collection(now_us=0))
    bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=True)
    ledger.entries += 1
    return node_id


def _members(unit: Unit, ledger: Ledger, parent_id: int, numbers: range) -> None:
    for number in numbers:
        body_id = bodies.insert_body(unit, ledger, BODY)
        node_id, _ = nodes.insert_node(unit, ledger, nodes.leaf(body_id, BODY, "message/rfc822", now_us=number * 10**7))
        name = f"message-{number}.eml"
        bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=False)
    ledger.entries += len(numbers)
    ledger.used_bytes += len(numbers) * BODY.length
