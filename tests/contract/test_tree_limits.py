"""Limits of trees and the price of names: no user makes others wait, or fills a disk with empty files (ADR 13)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

import pytest

from davstore.errors import QuotaExceeded, TreeTooLarge
from davstore.metadata import stores, trees
from davstore.metadata.unit import Unit
from davstore.policy.quota import ENTRY_BYTES, FREE_ENTRIES, charged_bytes
from davstore.store import sweeping
from davstore.store.sweeping import sweep_history
from tests.contract.storage import Storage, count_rows

WEEK = 7 * 86_400
P = "{urn:x}p"


def fill(storage: Storage, top: str, members: int) -> None:
    """Make a collection and so many bindings beneath it, on two levels."""
    storage.mkcol(top)
    storage.mkcol(f"{top}/sub")
    for number in range(members - 1):
        storage.put(f"{top}/sub/{number}", b"")


@pytest.fixture
def narrow(build: Callable[..., Storage]) -> Storage:
    """Return a storage of 6 nodes a request, with a tree of 6, one of 7, one of 3, and a file."""
    storage = build(tree_nodes=6)
    for top, nodes in (("six", 6), ("seven", 7), ("three", 3)):
        fill(storage, top, nodes - 1)
    storage.put("file")
    return storage


REFUSED: dict[str, Callable[[Storage], object]] = {
    "DELETE": lambda storage: storage.delete("seven"),
    "COPY": lambda storage: storage.copy("seven", "new"),
    "MOVE over it": lambda storage: storage.move("file", "seven"),
    "COPY over it": lambda storage: storage.copy("file", "seven"),
    "COPY of a collection alone over it": lambda storage: storage.copy("three", "seven", depth=0),
    "COPY over another, both together": lambda storage: storage.copy("six", "three"),
}
PASSED: dict[str, Callable[[Storage], object]] = {
    "DELETE": lambda storage: storage.delete("six"),
    "COPY": lambda storage: storage.copy("six", "new"),
    "MOVE": lambda storage: storage.move("seven", "new"),
    "MOVE over six": lambda storage: storage.move("seven", "six"),
    "COPY of a collection alone": lambda storage: storage.copy("seven", "new", depth=0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_larger_tree_is_refused_and_nothing_changes(narrow: Storage, case: str) -> None:
    before = narrow.tree(), narrow.facts
    with pytest.raises(TreeTooLarge):
        REFUSED[case](narrow)
    assert (narrow.tree(), narrow.facts) == before


@pytest.mark.parametrize("case", PASSED)
def test_the_largest_tree_passes(narrow: Storage, case: str) -> None:
    seq = narrow.facts.seq
    PASSED[case](narrow)
    assert narrow.facts.seq > seq


def test_counting_goes_no_further_than_its_limit(storage: Storage) -> None:
    fill(storage, "t", 9)
    top, store_id = storage.find("t").node_id, storage.facts.id
    for limit, counted in ((3, 3), (9, 9), (100, 9)):
        count = partial(trees.count_beneath, store_id=store_id, node_ids=[top], limit=limit)
        assert storage.database.read(count) == counted


def test_a_tree_of_collections_is_copied_with_its_properties(storage: Storage) -> None:
    element = b'<p xmlns="urn:x">1</p>'
    fill(storage, "t", 3)
    for name in ("t", "t/sub", "t/sub/0"):
        storage.proppatch(name, (P, element))
    storage.mkcol("t/sub/deep")
    used = storage.facts.used_bytes
    storage.copy("t", "c")
    assert {name: storage.properties(f"c/{name}") for name in ("", "sub", "sub/0", "sub/1", "sub/deep")} == {
        "": {P: element},
        "sub": {P: element},
        "sub/0": {P: element},
        "sub/1": {},
        "sub/deep": {},
    }
    assert storage.facts.used_bytes == used + 3 * len(element)
    ids = [one.resource_id for one in storage.members(depth=None)]
    assert len(set(ids)) == len(ids) == 10
    assert all(str(uuid.UUID(one)) == one and uuid.UUID(one).version == 4 for one in ids)
    changes = storage.report().rows
    assert next(row.names for row in changes if row.names[0] == "c") == ("c",), "parents before children"


@pytest.fixture
def crowded(storage: Storage) -> Storage:
    """Return a storage whose store has no byte of quota and no free name left."""
    storage.add_store("crowded", quota_bytes=0)
    storage.mkcol("t")
    for number in range(24):
        storage.put(f"t/{number}", b"")
    for number in range(FREE_ENTRIES // 25 - 1):
        storage.copy("t", f"c{number}")
    assert (storage.facts.entries, storage.facts.used_bytes) == (FREE_ENTRIES, 0)
    return storage


def test_a_name_beyond_the_free_ones_needs_room(crowded: Storage) -> None:
    for refused in (
        lambda: crowded.put("x", b""),
        lambda: crowded.mkcol("x"),
        lambda: crowded.copy("t", "x"),
        lambda: crowded.move("c0", "x"),
    ):
        with pytest.raises(QuotaExceeded):
            refused()
    crowded.database.write(lambda unit: stores.set_quota(unit, crowded.facts.id, ENTRY_BYTES + 1))
    crowded.mkcol("x")
    assert charged_bytes(crowded.facts.used_bytes, crowded.facts.entries) == ENTRY_BYTES
    with pytest.raises(QuotaExceeded) as refused_too:
        crowded.put("y", b"")
    error = refused_too.value
    assert (error.used_bytes, error.limit_bytes, error.needed_bytes) == (ENTRY_BYTES, ENTRY_BYTES + 1, ENTRY_BYTES)


def test_a_full_store_is_emptied_and_the_sweep_gives_names_back(
    crowded: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4331 §6: what makes room always passes. A removal is remembered and costs what the name did."""
    crowded.put("t/0", b"")
    for name in crowded.names():
        crowded.delete(name)
    assert (crowded.facts.entries, crowded.names()) == (FREE_ENTRIES, [])
    with pytest.raises(QuotaExceeded):
        crowded.put("x", b"")
    crowded.now_us += 2 * 3_600_000_000
    crowded.database.write(lambda unit: stores.set_quota(unit, crowded.facts.id, None))
    crowded.put("x", b"")
    monkeypatch.setattr(sweeping, "SWEPT_ROWS", 300)
    later_us = crowded.now_us + 4 * WEEK * 1_000_000
    sweep_history(crowded.database, now_us=later_us, keep_seconds=3 * WEEK, keep_changes=0)
    assert crowded.facts.entries == 1
    assert count_rows(crowded, ["gone", "binding"]) == {"gone": 0, "binding": 1}


def test_an_id_that_was_taken_is_taken_though_nothing_has_a_number(storage: Storage) -> None:
    def take(unit: Unit) -> int:
        ledger = stores.lock(unit, "me")
        taken = ledger.new_id()
        stores.settle(unit, ledger, now_us=storage.now_us)
        return taken

    assert storage.database.write(take) < storage.database.write(take)
