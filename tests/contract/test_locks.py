"""Locks: who may write, along which bindings, for how long, and how many there may be (RFC 4918 §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from davstore.engine.context import Context
from davstore.errors import (
    LockConflict,
    Locked,
    LockNotRefreshed,
    LockTokenMismatch,
    NameNotAllowed,
    NotFound,
    OnlyCollection,
    ParentMissing,
    PreconditionFailed,
    QuotaExceeded,
    TooManyLocks,
)
from davstore.errors.rights import NeedPrivileges
from davstore.metadata import bindings, stores
from davstore.metadata.unit import Unit
from davstore.model.acl import AskedAce, Privilege, Word
from davstore.model.conditions import NONE, ETagList, IfCondition, IfList, Preconditions
from davstore.model.facets import LOCKS
from davstore.model.locks import Lock, LockInfo, LockScope
from davstore.model.principals import Principal, User
from davstore.store import controlling, locking, patching, reading
from davstore.store.locking import Granted
from davstore.store.sweeping import sweep_history
from tests.contract.conftest import Build
from tests.contract.storage import Storage, count_rows, told
from tests.contract.test_statements import Counter, fill

EXCLUSIVE, SHARED = LockInfo(LockScope.EXCLUSIVE, None), LockInfo(LockScope.SHARED, None)
FRIEND = Principal(User(2, "friend", 9, 1, disabled=False))
HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def _shared_store(storage: Storage) -> None:
    """Let a friend into the store: locks stand between people who may both write."""
    everybody = (
        Word.AUTHENTICATED,
        AskedAce(Word.AUTHENTICATED, denies=False, privileges=Privilege.ALL & ~Privilege.UNLOCK),
    )
    controlling.set_acl(storage.context, storage.at(""), [everybody])


def lock(
    storage: Storage,
    text: str,
    info: LockInfo = EXCLUSIVE,
    *,
    infinite: bool = True,
    who: Principal | None = None,
    **kw: Any,
) -> Granted:
    """LOCK, by the owner of the store or by another user."""
    return locking.lock(
        as_(storage, who), storage.at(text), info, infinite=infinite, seconds=kw.pop("seconds", None), **kw
    )


def as_(storage: Storage, who: Principal | None) -> Context:
    """Return the context of a request of a user."""
    return storage.context if who is None else replace(storage.context, asker=who)


def having(storage: Storage, *granted: Granted, at: str = "", negated: bool = False) -> Preconditions:
    """Return an `If` that submits tokens, and holds whatever the state is."""
    tokens = tuple(IfCondition(negated, one.lock.token, None) for one in granted)
    always = IfList(storage.at(""), (IfCondition(negated=True, token="DAV:no-lock", etag=None),))
    return Preconditions(if_lists=(IfList(storage.at(at), tokens), always))


def held(storage: Storage) -> list[Lock]:
    """Return the locks of the store."""
    held = storage.listing(depth=0, facets={LOCKS}).facets.of(LOCKS).values()
    return [lock for locks in held for lock in locks]


WRITES: dict[str, Callable[[Storage, Preconditions], object]] = {
    "put": lambda storage, conditions: storage.put("t/a", b"new", conditions),
    "put a large one": lambda storage, conditions: storage.put("t/a", b"n" * 300, conditions),
    "proppatch": lambda storage, conditions: storage.proppatch("t/a", ("{u:x}p", b"<p/>"), conditions=conditions),
    "delete": lambda storage, conditions: storage.delete("t/a", conditions),
    "delete above": lambda storage, conditions: storage.delete("t", conditions),
    "move": lambda storage, conditions: storage.move("t/a", "moved", conditions),
    "move above": lambda storage, conditions: storage.move("t", "moved", conditions),
    "move over": lambda storage, conditions: storage.move("b", "t/a", conditions),
    "move over what is above": lambda storage, conditions: storage.move("b", "t", conditions),
    "copy over": lambda storage, conditions: storage.copy("b", "t/a", conditions),
    "copy over what is above": lambda storage, conditions: storage.copy("b", "t", conditions),
}
MEMBERSHIP: dict[str, Callable[[Storage, Preconditions], object]] = {
    "put a new one": lambda storage, conditions: storage.put("t/new", b"new", conditions),
    "mkcol": lambda storage, conditions: storage.mkcol("t/new", conditions),
    "delete": lambda storage, conditions: storage.delete("t/a", conditions),
    "move out": lambda storage, conditions: storage.move("t/a", "moved", conditions),
    "move in": lambda storage, conditions: storage.move("b", "t/new", conditions),
    "copy in": lambda storage, conditions: storage.copy("b", "t/new", conditions),
    "rename": lambda storage, conditions: storage.move("t/a", "t/new", conditions),
    "lock a new one": lambda storage, conditions: locking.lock(
        storage.context, storage.at("t/new"), EXCLUSIVE, conditions, infinite=True, seconds=None
    ),
}


@pytest.fixture
def tree(storage: Storage) -> Storage:
    """Return a storage with t/a, t/s/deep and b."""
    storage.mkcol("t")
    storage.mkcol("t/s")
    for text in ("t/a", "t/s/deep", "b"):
        storage.put(text, text.encode())
    return storage


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("info", [EXCLUSIVE, SHARED], ids=["exclusive", "shared"])
def test_a_write_needs_the_token(tree: Storage, write: str, info: LockInfo) -> None:
    granted, before = lock(tree, "t/a", info), tree.tree()
    with pytest.raises(Locked) as caught:
        WRITES[write](tree, NONE)
    assert caught.value.roots == ((tree.at("t/a"), False),)
    assert tree.tree() == before
    WRITES[write](tree, having(tree, granted, at="t/a"))


@pytest.mark.parametrize("write", WRITES)
def test_a_lock_above_reaches_down(tree: Storage, write: str) -> None:
    granted = lock(tree, "t")
    with pytest.raises(Locked) as caught:
        WRITES[write](tree, NONE)
    assert caught.value.roots == ((tree.at("t"), True),)
    WRITES[write](tree, having(tree, granted, at="t"))


@pytest.mark.parametrize("write", MEMBERSHIP)
@pytest.mark.parametrize("infinite", [True, False])
def test_the_members_of_a_locked_collection_stay(tree: Storage, write: str, infinite: bool) -> None:
    granted, before = lock(tree, "t", SHARED, infinite=infinite), tree.tree()
    with pytest.raises((Locked, LockConflict)):
        MEMBERSHIP[write](tree, NONE)
    assert tree.tree() == before
    if write != "lock a new one" or not infinite:  # an exclusive lock beneath a shared one conflicts, token or not
        MEMBERSHIP[write](tree, having(tree, granted, at="t"))


def test_a_lock_of_depth_0_leaves_the_bodies_of_members_alone(tree: Storage) -> None:
    lock(tree, "t", infinite=False)
    tree.put("t/a", b"new")
    tree.proppatch("t/a", ("{u:x}p", b"<p/>"))
    tree.put("t/s/new")
    with pytest.raises(Locked):
        tree.proppatch("t", ("{u:x}p", b"<p/>"))


def test_a_lock_deep_inside_is_met(tree: Storage) -> None:
    granted = lock(tree, "t/s", infinite=False)
    for write in (tree.delete, lambda text, conditions=NONE: tree.move(text, "moved", conditions)):
        with pytest.raises(Locked) as caught:
            write("t")
        assert caught.value.roots == ((tree.at("t/s"), True),)
    tree.copy("t", "copied")  # a copy changes nothing of its source
    tree.delete("t", having(tree, granted, at="t/s"))


def test_each_lock_inside_needs_its_token(tree: Storage) -> None:
    one, other = lock(tree, "t/a"), lock(tree, "t/s/deep")
    with pytest.raises(Locked) as caught:
        tree.delete("t", having(tree, one, at="t/a"))
    assert caught.value.roots == ((tree.at("t/s/deep"), False),)
    tree.delete("t", having(tree, one, other))
    assert held(tree) == []


def test_of_shared_locks_one_token_is_enough(tree: Storage) -> None:
    granted = [lock(tree, "t/a", SHARED) for _ in range(3)]
    with pytest.raises(Locked):
        tree.put("t/a", b"new")
    tree.put("t/a", b"new", having(tree, granted[1], at="t/a"))


def test_a_token_counts_with_its_user_only(tree: Storage) -> None:
    granted = lock(tree, "t/a", who=FRIEND)
    conditions = having(tree, granted, at="t/a")
    for write in WRITES.values():
        with pytest.raises(Locked):
            write(tree, conditions)
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/a"), conditions, seconds=None)
    alone = Preconditions(if_lists=conditions.if_lists[:1] if conditions.if_lists else ())
    with pytest.raises(PreconditionFailed):  # nor does it tell whether the lock is there
        tree.put("t/a", b"new", alone)
    patching.patch_properties(as_(tree, FRIEND), tree.at("t/a"), [("{u:x}p", b"<p/>")], alone)
    locking.unlock(as_(tree, FRIEND), tree.at("t/a"), granted.lock.token)
    tree.put("t/a", b"new")


def test_a_token_is_submitted_wherever_it_stands(tree: Storage) -> None:
    granted = lock(tree, "t/a")
    tree.put("t/a", b"1", having(tree, granted, at="b"))  # in a list that does not hold
    tree.put("t/a", b"2", having(tree, granted, at="t/a", negated=True))


def bind(storage: Storage, text: str, parent: str, name: str) -> None:
    """Bind a resource once more, as BIND will (RFC 5842)."""
    node_id, parent_id = storage.find(text).node_id, storage.find(parent).node_id

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, storage.owner)
        bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=False)
        ledger.entries += 1
        stores.settle(unit, ledger, now_us=storage.now_us)

    storage.database.write(work)


def test_a_lock_is_on_the_node_whatever_its_name(tree: Storage) -> None:
    bind(tree, "t/a", "", "twin")
    granted = lock(tree, "t/a")
    with pytest.raises(Locked):
        tree.put("twin", b"new")
    with pytest.raises(Locked):
        tree.delete("twin")
    tree.put("twin", b"new", having(tree, granted, at="twin"))  # covered there, so the list holds
    locking.unlock(tree.context, tree.at("twin"), granted.lock.token)


def test_a_lock_above_one_binding_holds_along_the_others(tree: Storage) -> None:
    bind(tree, "t/a", "", "twin")
    granted = lock(tree, "t")
    with pytest.raises(Locked):
        tree.put("twin", b"new")
    with pytest.raises(LockConflict):
        lock(tree, "twin")
    tree.put("twin", b"new", having(tree, granted, at="twin"))
    tree.delete("twin", having(tree, granted, at="t"))
    assert [one.token for one in held(tree)] == [granted.lock.token]  # its own URL is still there


@pytest.mark.parametrize(
    ("there", "depth", "wanted", "wanted_depth", "passes"),
    [
        ("t/a", True, "t/a", True, False),
        ("t", True, "t/s/deep", True, False),
        ("t", False, "t/a", True, True),
        ("t/s/deep", True, "t", True, False),
        ("t/s/deep", True, "t", False, True),
        ("", True, "t/a", True, False),
        ("t/a", True, "", True, False),
        ("t/a", True, "b", True, True),
        ("t/s", True, "t/a", True, True),
    ],
)
def test_which_locks_conflict(
    tree: Storage, there: str, depth: bool, wanted: str, wanted_depth: bool, passes: bool
) -> None:
    first = lock(tree, there, infinite=depth)
    for info in (EXCLUSIVE, SHARED):
        if passes:
            locking.unlock(tree.context, tree.at(wanted), lock(tree, wanted, info, infinite=wanted_depth).lock.token)
            continue
        with pytest.raises(LockConflict) as caught:
            lock(tree, wanted, info, infinite=wanted_depth)
        assert caught.value.roots == ((tree.at(there), first.lock.is_collection),)


def test_shared_locks_go_together(tree: Storage) -> None:
    lock(tree, "t", SHARED)
    granted = lock(tree, "t/a", SHARED)
    assert len(granted.covering) == 2
    with pytest.raises(LockConflict):
        lock(tree, "t/a", EXCLUSIVE)


def test_a_lock_on_nothing_makes_an_empty_resource(storage: Storage) -> None:
    token = storage.report().token
    granted = lock(storage, "new")
    assert granted.created
    assert storage.get("new") == b""
    assert told(storage.report("", token)) == ["+new"]
    with pytest.raises(Locked):
        storage.put("new", b"body")
    storage.put("new", b"body", having(storage, granted, at="new"))
    locking.unlock(storage.context, storage.at("new"), granted.lock.token)
    assert storage.get("new") == b"body"


def test_where_no_resource_can_be_none_is_made(storage: Storage) -> None:
    storage.put("file")
    for text, error in (("no/new", ParentMissing), ("file/new", ParentMissing), ("x" * 256, NameNotAllowed)):
        with pytest.raises(error):
            lock(storage, text)
    with pytest.raises(OnlyCollection):
        lock(storage, "c", creatable=False)
    assert storage.names() == ["file"]
    assert held(storage) == []


def test_a_full_store_takes_an_empty_resource_and_no_more(storage: Storage) -> None:
    storage.add_store("small", quota_bytes=10)
    granted = lock(storage, "new")
    with pytest.raises(QuotaExceeded):
        storage.put("new", b"x" * 11, having(storage, granted, at="new"))
    assert storage.facts.used_bytes == 0


def test_a_lock_ends_by_the_clock(tree: Storage) -> None:
    granted = lock(tree, "t/a", seconds=60)
    assert granted.lock.expires_us == tree.now_us + 60_000_000
    tree.now_us += 58_000_000
    with pytest.raises(Locked):
        tree.put("t/a", b"new")
    tree.now_us += 2_000_000
    tree.put("t/a", b"new")
    assert held(tree) == []
    assert count_rows(tree, ["lock"]) == {"lock": 1}
    lock(tree, "b")  # the next write of a lock sweeps
    assert count_rows(tree, ["lock"]) == {"lock": 1}


@pytest.mark.parametrize(("seconds", "got_us"), [(None, HOUR_US), (10**18, HOUR_US), (0, 1_000_000), (60, 60_000_000)])
def test_nobody_locks_for_longer_than_an_hour(tree: Storage, seconds: int | None, got_us: int) -> None:
    assert lock(tree, "t/a", seconds=seconds).lock.expires_us == tree.now_us + got_us


def test_refreshing_restarts_the_clock(tree: Storage) -> None:
    granted = lock(tree, "t", seconds=60)
    tree.now_us += 50_000_000
    again = locking.refresh(tree.context, tree.at("t/s/deep"), having(tree, granted, at="t/s/deep"), seconds=60)
    assert (again.lock.token, again.lock.expires_us) == (granted.lock.token, tree.now_us + 60_000_000)
    tree.now_us += 50_000_000
    with pytest.raises(Locked):
        tree.put("t/a", b"new")


def test_what_cannot_be_refreshed(tree: Storage) -> None:
    one, other = lock(tree, "t/a", seconds=60), lock(tree, "b")
    two = [lock(tree, "t/s", SHARED) for _ in range(2)]
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/s"), having(tree, *two, at="t/s"), seconds=None)
    for conditions in (NONE, having(tree, other, at="b")):
        with pytest.raises(LockNotRefreshed):
            locking.refresh(tree.context, tree.at("t/a"), conditions, seconds=None)
    failing = having(tree, one, at="t/a")._replace(if_match=ETagList(any=False, strong=frozenset({"other"})))
    with pytest.raises(PreconditionFailed):
        locking.refresh(tree.context, tree.at("t/a"), failing, seconds=None)
    tree.now_us += 60_000_000
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/a"), having(tree, one, at="t/a"), seconds=None)


def test_only_those_with_the_right_end_the_lock_of_another(tree: Storage) -> None:
    """RFC 3744 §3.5: the owner of a store has it, and a friend who may do all else has not."""
    own, friends = lock(tree, "t/a"), lock(tree, "t/s/deep", who=FRIEND)
    with pytest.raises(NeedPrivileges) as caught:
        locking.unlock(replace(tree.context, asker=FRIEND), tree.at("t/a"), own.lock.token)
    assert [(lack.path, lack.privilege) for lack in caught.value.lacks] == [(tree.at("t/a"), Privilege.UNLOCK)]
    locking.unlock(tree.context, tree.at("t/s/deep"), friends.lock.token)
    assert [one.token for one in held(tree)] == [own.lock.token]


def test_unlocking_asks_for_a_url_in_the_scope(tree: Storage) -> None:
    granted = lock(tree, "t", infinite=False)
    for text in ("t/a", "b", ""):
        with pytest.raises(LockTokenMismatch):
            locking.unlock(tree.context, tree.at(text), granted.lock.token)
    with pytest.raises(NotFound):
        locking.unlock(tree.context, tree.at("nothing"), granted.lock.token)
    with pytest.raises(LockTokenMismatch):
        locking.unlock(tree.context, tree.at("t"), "urn:x")
    locking.unlock(tree.context, tree.at("t"), granted.lock.token)
    deep = lock(tree, "t")
    locking.unlock(tree.context, tree.at("t/s/deep"), deep.lock.token)
    assert held(tree) == []


def test_locks_do_not_travel(tree: Storage) -> None:
    granted = lock(tree, "t/a")
    tree.copy("t", "copied")
    tree.put("copied/a", b"free")
    tree.move("t", "moved", having(tree, granted, at="t/a"))
    tree.put("moved/a", b"free")
    assert held(tree) == []


def test_what_comes_beneath_a_lock_joins_it(tree: Storage) -> None:
    granted = lock(tree, "t")
    conditions = having(tree, granted, at="t")
    tree.move("b", "t/in", conditions)
    tree.copy("t/in", "t/in2", conditions)
    for text in ("t/in", "t/in2"):
        with pytest.raises(Locked):
            tree.put(text, b"new")


def test_a_lock_ends_with_what_it_was_on(tree: Storage) -> None:
    for text in ("t", "b"):
        granted = lock(tree, text)
        tree.delete(text, having(tree, granted, at=text))
        assert count_rows(tree, ["lock"]) == {"lock": 0}
        assert not held(tree)


def test_who_overwrites_ends_the_locks_there(tree: Storage) -> None:
    inside = lock(tree, "t/s/deep")
    tree.copy("b", "t", having(tree, inside, at="t/s/deep"))
    assert held(tree) == []


def test_caps(build: Build) -> None:
    storage = build(locks_per_user=4, locks_per_resource=2)
    for text in ("a", "b", "c"):
        storage.put(text)
    for _ in range(2):
        lock(storage, "a", SHARED)
    with pytest.raises(TooManyLocks):
        lock(storage, "a", SHARED)
    granted = [lock(storage, "b"), lock(storage, "c")][0]
    with pytest.raises(TooManyLocks):
        lock(storage, "new")
    assert storage.names() == ["a", "b", "c"]
    locking.refresh(storage.context, storage.at("b"), having(storage, granted, at="b"), seconds=None)
    storage.now_us += HOUR_US
    lock(storage, "new")


def test_conditions_hold_on_states(tree: Storage) -> None:
    granted = lock(tree, "t")
    token = granted.lock.token

    def holds(text: str, *conditions: IfCondition) -> bool:
        try:
            reading.find(tree.context, tree.at(""), Preconditions(if_lists=(IfList(tree.at(text), conditions),)))
        except PreconditionFailed:
            return False
        return True

    state, no_lock = (
        IfCondition(negated=False, token=token, etag=None),
        IfCondition(negated=False, token="DAV:no-lock", etag=None),
    )
    for text in ("t", "t/a", "t/s/deep", "t/new"):
        assert holds(text, state)
        assert not holds(text, state._replace(negated=True))
    for text in ("", "b", "new"):
        assert not holds(text, state)
        assert holds(text, state._replace(negated=True))
    assert not holds("t", no_lock)
    assert holds("t", no_lock._replace(negated=True), state)
    assert holds("t/a", state, IfCondition(negated=False, token=None, etag=tree.find("t/a").etag))
    assert not holds("t/a", state, IfCondition(negated=False, token=None, etag="other"))


def test_of_many_at_once_one_gets_the_lock(tree: Storage) -> None:
    def attempt(context: Context) -> bool:
        try:
            locking.lock(context, tree.at("t/a"), EXCLUSIVE, infinite=True, seconds=None)
        except LockConflict:
            return False
        return True

    contexts = [tree.context for _ in range(16)]
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, contexts)) == 1
    assert len(held(tree)) == 1


AMONG_LOCKS: dict[str, Callable[[Storage, Preconditions], object]] = {
    "delete": lambda storage, conditions: storage.delete("t", conditions),
    "move": lambda storage, conditions: storage.move("t", "u", conditions),
    "put": lambda storage, conditions: storage.put("t/sub/0", b"new", conditions),
    "lock": lambda storage, _: lock(storage, "t/0"),
    "list": lambda storage, _: held(storage),
}


@pytest.mark.parametrize("write", AMONG_LOCKS)
def test_a_write_among_locks_takes_as_many_statements(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 30):
        storage.add_store(f"{members}")
        fill(storage, "t", members)
        for i in range(members):
            lock(storage, f"t/sub/{i}")
        conditions = having(storage, *(Granted(one, [], created=False, is_collection=False) for one in held(storage)))
        with counter.counting():
            AMONG_LOCKS[write](storage, conditions)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]


def test_a_store_says_that_it_may_hold_locks_until_the_last_one_ended(storage: Storage) -> None:
    def says() -> bool:
        return storage.facts.may_hold_locks

    storage.mkcol("t")
    storage.put("t/a")
    assert not says()
    first, second = lock(storage, "t/a", SHARED), lock(storage, "t", SHARED)
    assert says()
    locking.unlock(storage.context, storage.at("t"), second.lock.token)
    assert says()
    locking.unlock(storage.context, storage.at("t/a"), first.lock.token)
    assert not says()
    storage.delete("t", having(storage, lock(storage, "t/a"), at="t/a"))
    assert not says()
    ended = lock(storage, "", seconds=1)
    locking.end(storage.database, "me", ended.lock.token, now_us=storage.now_us)
    assert not says()
    lock(storage, "", seconds=1)
    storage.now_us += HOUR_US
    assert says()
    sweep_history(storage.database, now_us=storage.now_us, keep_seconds=1, keep_changes=1)
    assert not says()
