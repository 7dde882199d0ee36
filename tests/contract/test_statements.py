"""Each use case runs a fixed number of statements, however many members there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from davstore.metadata import unit
from davstore.metadata.unit import Unit
from davstore.model.changes import Level
from davstore.model.pages import Sort
from davstore.store import reading
from tests.contract.house import House


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


def fill(house: House, top: str, members: int) -> None:
    """Make a collection with members, all with a dead property."""
    house.mkcol(top)
    house.mkcol(f"{top}/sub")
    for i in range(members):
        for place in (f"{top}/{i}", f"{top}/sub/{i}"):
            house.put(place, b"%d" % i)
            house.proppatch(place, ("{urn:x}p", b'<p xmlns="urn:x"/>'))


def rebuild(house: House) -> None:
    """Make a collection again that had members."""
    house.delete("t")
    house.mkcol("t")


USE_CASES: dict[str, Callable[[House], object]] = {
    "get": lambda house: house.get("t/0"),
    "describe the members": lambda house: house.listing("t", depth=1, dead=True),
    "describe all": lambda house: house.listing(depth=None, dead=True),
    "a page": lambda house: reading.list_page(house.context, house.at("t"), Sort.SIZE, limit=10),
    "put a new one": lambda house: house.put("t/new"),
    "put over one": lambda house: house.put("t/0"),
    "put a large one": lambda house: house.put("t/large", b"x" * 300),
    "make a collection": lambda house: house.mkcol("t/c"),
    "patch properties": lambda house: house.proppatch("t/0", ("{urn:x}q", b"<q/>")),
    "delete a tree": lambda house: house.delete("t"),
    "move a tree": lambda house: house.move("t", "o/t"),
    "move a tree over a tree": lambda house: house.move("t", "over"),
    "copy a tree": lambda house: house.copy("t", "o/t"),
    "copy a tree over a tree": lambda house: house.copy("t", "over"),
    "report all": lambda house: house.report(),
    "report all members": lambda house: house.report("t", level=Level.ONE),
}

TOLD: dict[str, Callable[[House], object]] = {
    "nothing": lambda house: None,
    "one change": lambda house: house.put("t/0"),
    "a moved tree": lambda house: house.move("t", "o/t"),
    "a deleted tree": lambda house: house.delete("t"),
    "a tree that is empty now": rebuild,
}


def prepare(house: House, members: int) -> None:
    """Go on in a store of its own with so many members."""
    house.add_store(f"{members}")
    house.mkcol("o")
    fill(house, "t", members)
    fill(house, "over", members)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_a_use_case_takes_as_many_statements(house: House, monkeypatch: pytest.MonkeyPatch, use_case: str) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 40):
        prepare(house, members)
        with counter.counting():
            USE_CASES[use_case](house)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5, 6, 7])
def test_a_large_collection_is_told_some_members_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch, members: int
) -> None:
    """However many there are, few are in memory, and each three cost three statements."""
    monkeypatch.setattr(unit, "PAGE_ROWS", 3)
    house.mkcol("t")
    fill(house, "t/u", members)
    sizes: list[int] = []
    house.mkcol("e")
    reading.describe(
        house.context, house.at("t/u"), depth=1, dead=True, tell=lambda some: sizes.append(len(some.resources))
    )
    assert sum(sizes) == members + 2  # itself and `sub`
    assert max(sizes) <= 4
    counter = Counter(monkeypatch)
    with counter.counting():
        found = house.listing("t/u", depth=1, dead=True)
    assert counter.count <= 2 + 3 * len(sizes)  # behind a last page that is full an empty one is asked for
    assert [one.name for one in found.resources] == ["u", *map(str, range(members)), "sub"]
    assert len(found.properties) == members


@pytest.mark.parametrize("told", TOLD)
def test_a_report_takes_as_many_statements(house: House, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 40):
        prepare(house, members)
        token = house.report().token
        TOLD[told](house)
        with counter.counting():
            house.report("", token)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]
