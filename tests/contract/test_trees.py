"""COPY and MOVE: all of a tree or nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from davstore.errors import (
    ForeignDestination,
    InfiniteDepth,
    IsRoot,
    NotFound,
    ParentMissing,
    PreconditionFailed,
    SourceIsDestination,
)
from davstore.store import moving
from tests.contract.storage import Storage, count_rows, path

P = "{urn:x}p"
ELEMENT = b'<p xmlns="urn:x">1</p>'


@pytest.fixture
def tree(storage: Storage) -> Storage:
    """Return a storage with a tree at `t` and another at `o`."""
    for name in ("t", "t/u", "t/empty", "o"):
        storage.mkcol(name)
    storage.put("t/small", b"small")
    storage.put("t/u/large", b"L" * 300)
    storage.put("o/old", b"O" * 300)
    storage.proppatch("t/u", (P, ELEMENT))
    storage.proppatch("t/small", (P, ELEMENT))
    return storage


BENEATH = ["empty", "small", "u", "u/large"]


def beneath(storage: Storage, top: str) -> list[str]:
    """Return the places beneath a collection, from there."""
    return sorted(place.removeprefix(f"{top}/") for place in storage.tree(top))


def test_move_keeps_resources_and_their_facts(tree: Storage) -> None:
    before = {name: tree.find(f"t/{name}") for name in BENEATH}
    used, blobs = tree.facts.used_bytes, tree.blob_files
    assert tree.move("t", "o/t") is True
    assert tree.names() == ["o"]
    assert beneath(tree, "o/t") == BENEATH
    for name, old in before.items():
        new = tree.find(f"o/t/{name}")
        assert new._replace(modified_by=0)[2:] == old[2:]  # the time is kept, and tells nothing at another URL
    assert tree.properties("o/t/u") == {P: ELEMENT}
    assert tree.get("o/t/u/large") == b"L" * 300
    assert (tree.facts.used_bytes, tree.blob_files) == (used, blobs)


def test_copy_makes_resources_with_shared_bodies(tree: Storage) -> None:
    used, blobs = tree.facts.used_bytes, len(tree.blob_files)
    assert tree.copy("t", "o/t") is True
    assert beneath(tree, "o/t") == beneath(tree, "t") == BENEATH
    for name in BENEATH:
        old, new = tree.find(f"t/{name}"), tree.find(f"o/t/{name}")
        assert old.resource_id != new.resource_id
        assert (old.etag, old.length, old.content_type) == (new.etag, new.length, new.content_type)
        assert tree.properties(f"o/t/{name}") == tree.properties(f"t/{name}")
    assert tree.facts.used_bytes == used + 5 + 300 + 2 * len(ELEMENT)
    assert (len(tree.blob_files), count_rows(tree, ["body"])) == (blobs, {"body": 3})


def test_a_shared_body_goes_with_its_last_resource(storage: Storage) -> None:
    storage.put("a", b"L" * 300)
    for name in ("b", "c"):
        storage.copy("a", name)
    storage.delete("a")
    storage.put("b", b"other")
    assert storage.get("c") == b"L" * 300
    assert (len(storage.blob_files), count_rows(storage, ["body"])) == (1, {"body": 2})
    storage.delete("c")
    assert (storage.blob_files, count_rows(storage, ["body"])) == ([], {"body": 1})
    assert storage.facts.used_bytes == 5


def test_a_copy_is_changed_apart(tree: Storage) -> None:
    tree.copy("t", "c")
    tree.put("c/small", b"changed")
    tree.proppatch("c/u", (P, None))
    assert tree.get("t/small") == b"small"
    assert tree.properties("t/u") == {P: ELEMENT}


def test_copy_of_a_collection_alone(tree: Storage) -> None:
    tree.proppatch("t", (P, ELEMENT))
    assert tree.copy("t", "alone", depth=0)
    assert (tree.names("alone"), tree.properties("alone")) == ([], {P: ELEMENT})


@pytest.mark.parametrize("method", ["move", "copy"])
@pytest.mark.parametrize("source", ["t", "t/small"])
@pytest.mark.parametrize("target", ["o", "o/old"])
def test_what_is_overwritten_goes_whole(tree: Storage, method: str, source: str, target: str) -> None:
    act: Callable[..., bool] = getattr(tree, method)
    before, seq = tree.tree(), tree.facts.seq
    with pytest.raises(PreconditionFailed):
        act(source, target, overwrite=False)
    assert (tree.tree(), tree.facts.seq) == (before, seq)
    gone = {place for place in before if place == target or place.startswith(f"{target}/")}
    moved = {place for place in before if place == source or place.startswith(f"{source}/")}
    assert act(source, target) is False
    kept = before.keys() - gone - (moved if method == "move" else set())
    assert tree.tree().keys() == kept | {target + place.removeprefix(source) for place in moved}
    bodies = {"move": 2, "copy": 2}[method]
    assert count_rows(tree, ["body"]) == {"body": bodies}


@pytest.mark.parametrize("method", ["move", "copy"])
def test_what_cannot_be_done(tree: Storage, method: str) -> None:
    act: Callable[..., bool] = getattr(tree, method)
    before, seq = tree.tree(), tree.facts.seq
    for source, target, error in (
        ("no", "x", NotFound),
        ("t/no", "x", NotFound),
        ("t", "no/x", ParentMissing),
        ("t", "o/old/x", ParentMissing),
        ("t", "t", SourceIsDestination),
        ("t", "t/u/x", SourceIsDestination),
        ("t/u", "t", SourceIsDestination),
        ("t/small", "t/small", SourceIsDestination),
        ("", "o/x", IsRoot),
        ("t", "", IsRoot),
    ):
        with pytest.raises(error):
            act(source, target)
    call = getattr(moving, method)
    with pytest.raises(ForeignDestination):
        call(tree.context, tree.at("t"), path("x", "you"), overwrite=True)
    assert (tree.tree(), tree.facts.seq) == (before, seq)


def test_a_collection_becomes_a_resource_and_back(tree: Storage) -> None:
    tree.move("t/small", "t/u")
    assert tree.get("t/u") == b"small"
    tree.move("o", "t/u")
    assert tree.names("t/u") == ["old"]


@pytest.mark.parametrize("depth", [8, 9, 16, 17, 65])
def test_deep_paths(storage: Storage, depth: int) -> None:
    place = ""
    for i in range(depth):
        place += f"/{i}"
        storage.mkcol(place)
    storage.put(f"{place}/leaf", b"deep")
    assert storage.get(f"{place}/leaf") == b"deep"
    assert len(storage.tree()) == depth + 1
    with pytest.raises(ParentMissing):
        storage.put(f"{place}/no/leaf")
    with pytest.raises(ParentMissing):
        storage.put(f"{place}/leaf/leaf")
    storage.mkcol("other")
    storage.move("0", "other/0")
    assert storage.get(f"other{place}/leaf") == b"deep"
    token = storage.report().token
    storage.put(f"other{place}/leaf", b"deeper")
    assert [row.names[-1] for row in storage.report("", token).rows] == ["leaf"]
    storage.delete("other")
    assert storage.tree() == {}


def test_a_listing_of_everything_has_an_end(build: Callable[..., Storage]) -> None:
    storage = build(propfind_members=3)
    for name in ("a", "a/b", "c"):
        storage.mkcol(name)
    assert len(storage.tree()) == 3
    storage.put("x")
    with pytest.raises(InfiniteDepth):
        storage.tree()
    assert len(storage.members()) == 3
