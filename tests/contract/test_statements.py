"""Each use case runs a fixed number of statements, however many members there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from davstore.metadata import unit
from davstore.metadata.unit import Unit
from davstore.model.changes import Level
from davstore.model.facets import PROPERTIES
from davstore.model.locks import LockInfo, LockScope
from davstore.model.pages import Sort
from davstore.store import browsing, locking, reading
from tests.contract.storage import Storage


class Counter:
    """Counts what goes to the driver: a statement, or one for many rows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.count = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count inside."""
        self.count = 0
        with self._patch.context() as patch:
            for name in ("_execute", "many"):
                patch.setattr(Unit, name, self._counted(getattr(Unit, name)))
            yield

    def _counted(self, method: Callable[..., object]) -> Callable[..., object]:
        def counted(unit: Unit, *words: object) -> object:
            self.count += 1
            return method(unit, *words)

        return counted


def fill(storage: Storage, top: str, members: int) -> None:
    """Make a collection with members, all with a dead property."""
    storage.mkcol(top)
    storage.mkcol(f"{top}/sub")
    for i in range(members):
        for place in (f"{top}/{i}", f"{top}/sub/{i}"):
            storage.put(place, b"%d" % i)
            storage.proppatch(place, ("{urn:x}p", b'<p xmlns="urn:x"/>'))


def rebuild(storage: Storage) -> None:
    """Make a collection again that had members."""
    storage.delete("t")
    storage.mkcol("t")


USE_CASES: dict[str, Callable[[Storage], object]] = {
    "get": lambda storage: storage.get("t/0"),
    "describe the members": lambda storage: storage.listing("t", depth=1, facets={PROPERTIES}),
    "describe by column": lambda storage: storage.listing("t", depth=1, facets={PROPERTIES}, columns=("etag",)),
    "describe all": lambda storage: storage.listing(depth=None, facets={PROPERTIES}),
    "a page": lambda storage: browsing.list_page(storage.context, storage.at("t"), Sort.SIZE, limit=10),
    "put a new one": lambda storage: storage.put("t/new"),
    "put over one": lambda storage: storage.put("t/0"),
    "put a large one": lambda storage: storage.put("t/large", b"x" * 300),
    "make a collection": lambda storage: storage.mkcol("t/c"),
    "patch properties": lambda storage: storage.proppatch("t/0", ("{urn:x}q", b"<q/>")),
    "delete a tree": lambda storage: storage.delete("t"),
    "move a tree": lambda storage: storage.move("t", "o/t"),
    "move a tree over a tree": lambda storage: storage.move("t", "over"),
    "copy a tree": lambda storage: storage.copy("t", "o/t"),
    "copy a tree over a tree": lambda storage: storage.copy("t", "over"),
    "report all": lambda storage: storage.report(),
    "report all members": lambda storage: storage.report("t", level=Level.ONE),
}

TOLD: dict[str, Callable[[Storage], object]] = {
    "nothing": lambda storage: None,
    "one change": lambda storage: storage.put("t/0"),
    "a moved tree": lambda storage: storage.move("t", "o/t"),
    "a deleted tree": lambda storage: storage.delete("t"),
    "a tree that is empty now": rebuild,
}


def prepare(storage: Storage, members: int) -> None:
    """Go on in a store of its own with so many members."""
    storage.add_store(f"{members}")
    storage.mkcol("o")
    fill(storage, "t", members)
    fill(storage, "over", members)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_a_use_case_takes_as_many_statements(storage: Storage, monkeypatch: pytest.MonkeyPatch, use_case: str) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 40):
        prepare(storage, members)
        with counter.counting():
            USE_CASES[use_case](storage)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5, 6, 7])
def test_a_large_collection_is_told_some_members_at_a_time(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, members: int
) -> None:
    """However many there are, few are in memory, and each three cost three statements."""
    monkeypatch.setattr(unit, "PAGE_ROWS", 3)
    storage.mkcol("t")
    fill(storage, "t/u", members)
    storage.mkcol("e")
    pages = reading.describe(storage.context, storage.at("t/u"), depth=1, facets={PROPERTIES})
    sizes = [len(page.resources) for page in pages]
    assert sum(sizes) == members + 2  # itself and `sub`
    assert max(sizes) <= 4
    counter = Counter(monkeypatch)
    with counter.counting():
        found = storage.listing("t/u", depth=1, facets={PROPERTIES})
    assert counter.count <= 2 + 3 * len(sizes)  # behind a last page that is full an empty one is asked for
    assert [one.name for one in found.resources] == ["u", *map(str, range(members)), "sub"]
    assert len(found.facets.of(PROPERTIES)) == members


@pytest.mark.parametrize("told", TOLD)
def test_a_report_takes_as_many_statements(storage: Storage, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 40):
        prepare(storage, members)
        token = storage.report().token
        TOLD[told](storage)
        with counter.counting():
            storage.report("", token)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]


BUDGET: dict[str, tuple[Callable[[Storage], object], int, int]] = {
    "put a new one": (lambda storage: storage.put("t/new"), 6, 8),  # store, path, body, node, binding, store
    "put over one": (lambda storage: storage.put("t/0"), 9, 11),
    "make a collection": (lambda storage: storage.mkcol("t/c"), 5, 7),
    "find": (lambda storage: storage.find("t/0"), 1, 1),
    "get": (lambda storage: storage.get("t/0"), 1, 1),
}
"""With the statements that it takes in a store without locks, and where one is held: the locks, and what they cover."""


@pytest.mark.parametrize("use_case", BUDGET)
def test_a_small_request_takes_so_many_statements(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, use_case: str
) -> None:
    run, free, locked = BUDGET[use_case]
    counter, info = Counter(monkeypatch), LockInfo(LockScope.EXCLUSIVE, None)
    prepare(storage, 1)
    with counter.counting():
        run(storage)
    assert counter.count == free
    prepare(storage, 2)
    locking.lock(storage.context, storage.at("o"), info, infinite=False, seconds=None)
    with counter.counting():
        run(storage)
    assert counter.count == locked
