"""Many resources in one unit: what comes of them is what single requests come to, with numbers, states and ends."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from davstore.errors import FailedDependency, Locked, NotBeneath, NotFound, PartIsImmutable, TreeTooLarge
from davstore.model.locks import LockInfo, LockScope
from davstore.model.nodes import Resource
from davstore.model.paths import Area, PartPath, Path
from davstore.model.states import MOST_KEYWORDS, Flag, StateChange
from davstore.model.views import View
from davstore.model.where import Fact, IsDefined, Not, Source, Where
from davstore.store import bulk, locking, reading
from davstore.store.bulk import Done
from tests.contract.conftest import Build
from tests.contract.storage import Storage, told

SEEN = {"{urn:x}seen": StateChange(set=int(Flag.SEEN))}
UNREAD: Where = Not(IsDefined(Fact(Source.FLAG, str(int(Flag.SEEN)))))


def update(storage: Storage, *places: str, change: StateChange = SEEN["{urn:x}seen"], strict: bool = False) -> Done:
    """Change the states of resources beneath the root."""
    targets = [storage.at(text) for text in places]
    return bulk.update(storage.context, storage.at(""), targets, {"{urn:x}state": change}, strict=strict)


def delete(storage: Storage, *places: str, top: str = "", strict: bool = False) -> Done:
    """Delete resources beneath a collection."""
    return bulk.delete(storage.context, storage.at(top), [storage.at(text) for text in places], strict=strict)


def outcomes(done: Done) -> list[type[Exception] | None]:
    """Return the error of each choice."""
    return [None if one.refusal is None else type(one.refusal) for one in done.choices]


def lock(storage: Storage, text: str) -> None:
    """Lock a resource with all beneath it, and submit the token nowhere."""
    locking.lock(storage.context, storage.at(text), LockInfo(LockScope.EXCLUSIVE, None), infinite=True, seconds=None)


def state(storage: Storage) -> dict[str, tuple[str | None, int, tuple[str, ...]]]:
    """Return the etag, flags and keywords of all beneath the root."""
    found = {"/".join(one.names): one for one in storage.members(depth=None)}
    return {path: (one.etag, one.flags, tuple(storage.keywords(path))) for path, one in found.items()}


def make(storage: Storage) -> list[str]:
    """Make a small tree, and return its files."""
    for text in ("a", "a/b", "a/b/c", "d"):
        storage.mkcol(text)
    files = [f"{folder}{number}" for folder in ("", "a/", "a/b/", "a/b/c/", "d/") for number in range(3)]
    for text in files:
        storage.put(text, text.encode() * 40)  # some are blobs
    return files


@pytest.mark.parametrize("seed", range(2))
def test_it_comes_to_the_same_as_single_requests(build: Build, seed: int) -> None:
    dice = random.Random(seed)
    one, many = build(), build()
    files = make(one)
    make(many)
    for _ in range(4):
        words = frozenset(dice.sample(("work", "home", "ü'\"\\", "x" * 200), 2))
        flag = int(dice.choice(list(Flag)))
        change = dice.choice(
            [StateChange(set=flag), StateChange(clear=flag), StateChange(added=words), StateChange(3, 4, words)]
        )
        chosen = dice.sample(files, 6)
        for text in chosen:
            one.mark(text, change)
        assert outcomes(update(many, *chosen, change=change)) == [None] * 6
        assert state(one) == state(many)
    ends = dice.sample([*files, "a/b", "d"], 5)
    for text in ends:
        if text in one.tree():
            one.delete(text)
    assert outcomes(delete(many, *ends)) == [None] * 5
    assert state(one) == state(many)
    assert one.facts._replace(id=0, epoch=0, seq=0) == many.facts._replace(id=0, epoch=0, seq=0)


def test_each_change_has_a_number_and_is_told_once(storage: Storage) -> None:
    files = make(storage)
    token = storage.report().token
    done = update(storage, *files)
    found = {"/".join(one.names): one for one in storage.members(depth=None)}
    numbers = [found[text].changed for text in files]
    assert len({*numbers}) == len(files)
    assert [found[text].modseq for text in files] == numbers
    assert done.facts.seq == max(numbers) == storage.facts.seq
    page = storage.report("", token)
    assert sorted(told(page)) == sorted(f"+{text}" for text in files)
    assert told(storage.report("", page.token)) == []


def test_what_changes_nothing_has_no_number(storage: Storage) -> None:
    files = make(storage)
    change = StateChange(set=int(Flag.SEEN), added=frozenset({"work"}))
    update(storage, *files[:3], change=change)
    seq = storage.facts.seq
    assert outcomes(update(storage, *files[:3], change=change)) == [None] * 3
    assert storage.facts.seq == seq
    update(storage, *files[:4], change=change)
    assert storage.facts.seq == seq + 1


def test_ends_are_told_at_the_top_and_each_has_its_number(storage: Storage) -> None:
    make(storage)
    token = storage.report().token
    seq = storage.facts.seq
    assert outcomes(delete(storage, "a/b", "a/b/c", "a/b/1", "d", "0")) == [None] * 5
    assert storage.facts.seq == seq + 3
    assert sorted(told(storage.report("", token))) == ["-0", "-a/b", "-d"]
    assert sorted(storage.tree()) == ["1", "2", "a", "a/0", "a/1", "a/2"]


def test_what_a_request_cannot_reach_is_told_by_itself(storage: Storage) -> None:
    make(storage)
    places = [storage.at(text) for text in ("a/0", "a/no", "a/0/x", "d/0", "d/no", "a", "")]
    parts = [PartPath(storage.at("a/0"), "1"), PartPath(storage.at("a/no"), "1"), PartPath(storage.at("d/0"), "1")]
    done = bulk.delete(storage.context, storage.at("a"), [*places, *parts, NotFound("hidden")])
    expected = [None, NotFound, NotFound, NotBeneath, NotFound, NotBeneath, NotBeneath]
    assert outcomes(done) == [*expected, PartIsImmutable, NotFound, NotBeneath, NotFound]
    assert "a/0" not in storage.tree()
    assert "d/0" in storage.tree()


def test_strict_changes_all_or_nothing(storage: Storage) -> None:
    files = make(storage)
    before = state(storage), storage.facts
    assert outcomes(update(storage, *files[:2], "no", strict=True)) == [FailedDependency, FailedDependency, NotFound]
    assert outcomes(delete(storage, *files[:2], "no", strict=True)) == [FailedDependency, FailedDependency, NotFound]
    assert (state(storage), storage.facts) == before
    assert outcomes(update(storage, *files, strict=True)) == [None] * len(files)


def test_a_lock_is_in_the_way_of_what_it_protects(storage: Storage) -> None:
    make(storage)
    lock(storage, "a/b")
    assert outcomes(update(storage, "a/0", "a/b/0", "a/b/c/0", "d/0")) == [None, Locked, Locked, None]
    assert outcomes(delete(storage, "a", "a/0", "a/b/c", "d/0")) == [Locked, None, Locked, None]
    assert {"a/b/c/0", "a/1"} <= storage.tree().keys()
    assert not {"a/0", "d/0"} & storage.tree().keys()


def test_a_lock_of_a_member_keeps_its_collection_and_ends_with_it(storage: Storage) -> None:
    make(storage)
    lock(storage, "a/b/0")
    assert outcomes(delete(storage, "a", "d")) == [Locked, None]
    assert outcomes(delete(storage, "b/0", "0", "1")) == [NotFound, None, None]


def test_a_condition_selects_files_at_every_level(storage: Storage) -> None:
    files = make(storage)
    update(storage, "a/0", "a/b/0")
    done = bulk.delete(storage.context, storage.at("a"), View(UNREAD))
    expected = {text for text in files if text.startswith("a/")} - {"a/0", "a/b/0"}
    assert {"/".join(one.resource.names) for one in done.choices if one.resource} == expected
    assert {text for text, etag in storage.tree().items() if etag} == {*files} - expected
    assert {"a", "a/b", "a/b/c"} <= storage.tree().keys()  # no collection is selected


def test_a_request_reaches_a_bounded_tree(storage: Storage) -> None:
    files = make(storage)
    storage.limits = replace(storage.limits, tree_nodes=10)
    before = state(storage)
    with pytest.raises(TreeTooLarge):
        bulk.update(storage.context, storage.at(""), View(UNREAD), SEEN)
    with pytest.raises(TreeTooLarge):
        delete(storage, "a", "0", "1")
    assert state(storage) == before
    assert outcomes(update(storage, *files)) == [None] * len(files)  # named: they are bounded by their number
    assert outcomes(delete(storage, "d", "0", "1", "2")) == [None] * 4


def test_keywords_have_a_bound_for_each_resource(storage: Storage) -> None:
    for text in ("full", "empty"):
        storage.put(text)
    many = frozenset(f"k{number}" for number in range(MOST_KEYWORDS))
    storage.mark("full", StateChange(added=many))
    one_more = StateChange(added=frozenset({"more"}))
    done = update(storage, "full", "empty", change=one_more)
    assert [one.refusal is None for one in done.choices] == [False, True]
    assert (len(storage.keywords("full")), storage.keywords("empty")) == (MOST_KEYWORDS, ["more"])
    swap = one_more._replace(dropped=frozenset({"k1", "no"}))
    assert outcomes(update(storage, "full", "empty", change=swap)) == [None, None]
    assert {*storage.keywords("full")} == {*many, "more"} - {"k1"}


def test_a_deep_path_is_followed(storage: Storage) -> None:
    text = "d"
    for _ in range(20):
        storage.mkcol(text)
        text += "/d"
    storage.put(text)
    found = update(storage, text, f"{text}/no").choices
    assert isinstance(found[0].resource, Resource)
    assert isinstance(found[1].refusal, NotFound)
    assert storage.find(text).flags == Flag.SEEN


def test_in_threads_messages_end_wherever_they_lie(storage: Storage) -> None:
    """A lock of a folder keeps its messages, and so the threads that have one there."""
    for text in ("a", "b"):
        storage.mkcol(text)
    for text in ("a/1", "b/1", "a/2", "b/3", "b/4"):
        storage.put(text, f"From: a@x\nConversation-ID: {text[-1]}\nMessage-ID: <{text}>\n\n{text}".encode())
    threads = Path(storage.owner, (), Area.THREADS)
    found = reading.describe(storage.context, threads, depth=None)
    members = {one.node_id: one for page in found for one in page.members if not one.is_collection}
    by_name = {text: members[storage.find(text).node_id] for text in ("a/1", "b/1", "a/2", "b/3", "b/4")}
    whole = {text: threads.child(one.parent[0]) for text, one in by_name.items()}
    single = {text: whole[text].child(one.name) for text, one in by_name.items()}
    lock(storage, "a")
    done = bulk.delete(
        storage.context, threads, [whole["a/1"], whole["a/2"], whole["b/3"], single["b/4"], single["b/1"]]
    )
    assert outcomes(done) == [Locked, Locked, None, None, None]
    assert {text for text, etag in storage.tree().items() if etag} == {"a/1", "a/2"}
    kept = bulk.delete(storage.context, whole["a/1"], [single["a/1"], single["a/2"]], strict=True)
    assert outcomes(kept) == [Locked, NotBeneath]
    marked = bulk.update(storage.context, threads, View(UNREAD), SEEN)
    assert outcomes(marked) == [Locked, Locked]  # along every binding of a message
