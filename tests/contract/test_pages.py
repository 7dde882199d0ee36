"""Pages of a collection: every member once, in order, however many fit on a page."""

from __future__ import annotations

import pytest

from davstore.errors import NotFound
from davstore.model.nodes import Resource
from davstore.model.pages import Mark, Sort
from davstore.store import reading
from tests.contract.house import House

BODIES = {"b": 30, "a": 30, "B": 7, "é": 0, "10": 500, "2": 30, "a b": 1, "😀": 2, "\ufffd": 3}
"""Sizes by name. The last two are in one order as UTF-16 and in the other as bytes."""
FOLDERS = ("z", "m", "0")


@pytest.fixture
def filled(house: House) -> House:
    """Return a house whose store has folders and files, some of equal size, in the collection `c`."""
    house.mkcol("c")
    for name, size in BODIES.items():
        house.put(f"c/{name}", b"x" * size)
    for name in FOLDERS:
        house.mkcol(f"c/{name}")
    house.put("c/z/inside")
    return house


def page_of(
    house: House, sort: Sort, *, descending: bool = False, after: Mark | None = None, limit: int = 100
) -> reading.Page:
    return reading.list_page(house.context, house.at("c"), sort, descending=descending, after=after, limit=limit)


def key_of(sort: Sort, member: Resource) -> int | bytes:
    return {Sort.NAME: member.name.encode(), Sort.SIZE: member.length or 0, Sort.TIME: member.modified_us}[sort]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", Sort)
def test_pages_make_up_the_collection(filled: House, sort: Sort, descending: bool) -> None:
    expected = filled.members("c")
    expected.sort(key=lambda one: one.name.encode())
    expected.sort(key=lambda one: key_of(sort, one), reverse=descending)
    expected.sort(key=lambda one: -one.is_collection)
    for limit in (1, 2, 3, 5, 12, 13):
        members, mark, pages = [], None, 0
        while pages == 0 or mark is not None:
            found = page_of(filled, sort, descending=descending, after=mark, limit=limit)
            assert len(found.members) <= limit
            members += found.members
            mark, pages = found.more, pages + 1
        assert members == expected
        assert pages == -(-len(expected) // limit)


def test_a_page_goes_on_behind_what_is_gone(filled: House) -> None:
    first = page_of(filled, Sort.SIZE, limit=6)
    assert first.more is not None
    filled.delete(f"c/{first.members[-1].name}")
    rest = page_of(filled, Sort.SIZE, after=first.more)
    assert len(first.members) + len(rest.members) == len(BODIES) + len(FOLDERS)


def test_what_is_no_collection_has_no_members(filled: House) -> None:
    found = reading.list_page(filled.context, filled.at("c/a"), Sort.NAME, limit=5)
    assert (found.top.name, found.members, found.more) == ("a", [], None)
    with pytest.raises(NotFound):
        reading.list_page(filled.context, filled.at("c/a/b"), Sort.NAME, limit=5)
