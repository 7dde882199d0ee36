"""Pages of a collection: every member once, in order, however many fit on a page."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from davstore.engine import transaction
from davstore.engine.writer import Writer
from davstore.errors import NotFound
from davstore.metadata import bindings, bodies, nodes
from davstore.metadata.bodies import Stored
from davstore.model.nodes import Resource
from davstore.model.pages import Mark, Sort
from davstore.store import browsing
from tests.contract.storage import START_US, Storage
from tests.contract.test_statements import Counter

BODIES = {"b": 30, "a": 30, "B": 7, "é": 0, "10": 500, "2": 30, "a b": 1, "😀": 2, "\ufffd": 3}
"""Sizes by name. The last two are in one order as UTF-16 and in the other as bytes."""
FOLDERS = ("z", "m", "0")


@pytest.fixture
def filled(storage: Storage) -> Storage:
    """Return a storage whose store has folders and files, some of equal size, in the collection `c`."""
    storage.mkcol("c")
    for name, size in BODIES.items():
        storage.put(f"c/{name}", b"x" * size)
    for name in FOLDERS:
        storage.mkcol(f"c/{name}")
    storage.put("c/z/inside")
    return storage


def page_of(
    storage: Storage, sort: Sort, *, descending: bool = False, after: Mark | None = None, limit: int = 100
) -> browsing.Page:
    return browsing.list_page(storage.context, storage.at("c"), sort, descending=descending, after=after, limit=limit)


def key_of(sort: Sort, member: Resource) -> int | tuple[bytes, bytes]:
    return {Sort.NAME: by_name(member), Sort.SIZE: member.length or 0, Sort.TIME: member.modified_us}[sort]


def by_name(member: Resource) -> tuple[bytes, bytes]:
    """Return the bytes of a name, those of ASCII letters first as small ones."""
    return member.name.encode().lower(), member.name.encode()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", Sort)
def test_pages_make_up_the_collection(filled: Storage, sort: Sort, descending: bool) -> None:
    expected = filled.members("c")
    expected.sort(key=by_name)
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


MANY = 2_600


def fill(storage: Storage) -> None:
    """Put many files and a few folders into `c`: as many of a size, and of a time, as fit on no page."""

    def work(writer: Writer) -> None:
        unit, ledger = writer.unit, writer.ledger
        top = bindings.resolve(unit, ledger.facts, storage.at("c")).resource
        assert top is not None
        stored = [Stored(body, None, len(body), hashlib.sha256(body).hexdigest()) for body in (b"", b"x")]
        made = [bodies.insert_body(unit, ledger, one) for one in stored]
        for i in range(MANY):
            size, time_us, name = i * 7 % 2, START_US + i * 11 % 3, f"{'aBCd'[i % 4]}{i * 1_009 % MANY}"
            row = nodes.leaf(made[size], stored[size], "text/plain", now_us=START_US, modified_us=time_us)
            node_id, _ = nodes.insert_node(unit, ledger, row)
            bindings.bind(unit, ledger, top.node_id, name, node_id=node_id, is_collection=False)
            ledger.used_bytes += size
            ledger.entries += 1

    storage.mkcol("c")
    transaction.write(storage.context, storage.at(""), work)
    for name in FOLDERS:
        storage.mkcol(f"c/{name}")


def test_a_large_collection_is_sorted_as_a_whole(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(storage)
    counter, everything = Counter(monkeypatch), sorted(storage.members("c"), key=by_name)
    for sort, descending in itertools.product(Sort, (False, True)):
        expected = sorted(everything, key=lambda one: key_of(sort, one), reverse=descending)
        expected.sort(key=lambda one: -one.is_collection)
        members: list[Resource] = []
        mark = None
        for pages in range(3):
            with counter.counting():
                found = page_of(storage, sort, descending=descending, after=mark, limit=1_000)
            assert counter.count == 2
            members, mark = members + found.members, found.more
            assert (mark is None) is (pages == 2)
        assert [one.name for one in members] == [one.name for one in expected], (sort, descending)


def test_a_page_goes_on_behind_what_is_gone(filled: Storage) -> None:
    first = page_of(filled, Sort.SIZE, limit=6)
    assert first.more is not None
    filled.delete(f"c/{first.members[-1].name}")
    rest = page_of(filled, Sort.SIZE, after=first.more)
    assert len(first.members) + len(rest.members) == len(BODIES) + len(FOLDERS)


def test_what_is_no_collection_has_no_members(filled: Storage) -> None:
    found = browsing.list_page(filled.context, filled.at("c/a"), Sort.NAME, limit=5)
    assert (found.top.name, found.members, found.more) == ("a", [], None)
    with pytest.raises(NotFound):
        browsing.list_page(filled.context, filled.at("c/a/b"), Sort.NAME, limit=5)
