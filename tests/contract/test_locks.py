"""Locks: who may write, along which bindings, for how long, and how many there may be (RFC 4918 §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from davstore.errors import (
    LockConflict,
    Locked,
    LockNotRefreshed,
    LockTokenMismatch,
    MethodNotAllowed,
    NameNotAllowed,
    NotFound,
    ParentMissing,
    PreconditionFailed,
    QuotaExceeded,
    TooManyLocks,
)
from davstore.metadata import bindings, stores
from davstore.metadata.tables import MADE_CLIENT
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, ETagList, IfCondition, IfList, Preconditions
from davstore.model.locks import Lock, LockInfo, LockScope
from davstore.model.principals import Principal, User
from davstore.store import locking, reading, writing
from davstore.store.context import Context
from davstore.store.locking import Granted
from tests.contract.conftest import Build
from tests.contract.house import House, count_rows, told
from tests.contract.test_statements import Counter, fill

EXCLUSIVE, SHARED = LockInfo(LockScope.EXCLUSIVE, None), LockInfo(LockScope.SHARED, None)
FRIEND = Principal(User(2, "friend", 9, 1, disabled=False))
HOUR_US = 3_600_000_000


def lock(
    house: House,
    text: str,
    info: LockInfo = EXCLUSIVE,
    *,
    infinite: bool = True,
    who: Principal | None = None,
    **kw: Any,
) -> Granted:
    """LOCK, by the owner of the store or by somebody else."""
    return locking.lock(as_(house, who), house.at(text), info, infinite=infinite, seconds=kw.pop("seconds", None), **kw)


def as_(house: House, who: Principal | None) -> Context:
    """Return the context of a request of somebody."""
    return house.context if who is None else replace(house.context, principal=who)


def having(house: House, *granted: Granted, at: str = "", negated: bool = False) -> Preconditions:
    """Return an `If` that submits tokens, and holds whatever the state is."""
    tokens = tuple(IfCondition(negated, one.lock.token, None) for one in granted)
    always = IfList(house.at(""), (IfCondition(negated=True, token="DAV:no-lock", etag=None),))
    return Preconditions(if_lists=(IfList(house.at(at), tokens), always))


def held(house: House) -> list[Lock]:
    """Return the locks of the store."""
    return house.listing(depth=0, locks=True).locks


WRITES: dict[str, Callable[[House, Preconditions], object]] = {
    "put": lambda house, conditions: house.put("t/a", b"new", conditions),
    "put a large one": lambda house, conditions: house.put("t/a", b"n" * 300, conditions),
    "proppatch": lambda house, conditions: house.proppatch("t/a", ("{u:x}p", b"<p/>"), conditions=conditions),
    "delete": lambda house, conditions: house.delete("t/a", conditions),
    "delete above": lambda house, conditions: house.delete("t", conditions),
    "move": lambda house, conditions: house.move("t/a", "moved", conditions),
    "move above": lambda house, conditions: house.move("t", "moved", conditions),
    "move over": lambda house, conditions: house.move("b", "t/a", conditions),
    "move over what is above": lambda house, conditions: house.move("b", "t", conditions),
    "copy over": lambda house, conditions: house.copy("b", "t/a", conditions),
    "copy over what is above": lambda house, conditions: house.copy("b", "t", conditions),
}
MEMBERSHIP: dict[str, Callable[[House, Preconditions], object]] = {
    "put a new one": lambda house, conditions: house.put("t/new", b"new", conditions),
    "mkcol": lambda house, conditions: house.mkcol("t/new", conditions),
    "delete": lambda house, conditions: house.delete("t/a", conditions),
    "move out": lambda house, conditions: house.move("t/a", "moved", conditions),
    "move in": lambda house, conditions: house.move("b", "t/new", conditions),
    "copy in": lambda house, conditions: house.copy("b", "t/new", conditions),
    "rename": lambda house, conditions: house.move("t/a", "t/new", conditions),
    "lock a new one": lambda house, conditions: locking.lock(
        house.context, house.at("t/new"), EXCLUSIVE, conditions, infinite=True, seconds=None
    ),
}


@pytest.fixture
def tree(house: House) -> House:
    """Return a house with t/a, t/s/deep and b."""
    house.mkcol("t")
    house.mkcol("t/s")
    for text in ("t/a", "t/s/deep", "b"):
        house.put(text, text.encode())
    return house


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("info", [EXCLUSIVE, SHARED], ids=["exclusive", "shared"])
def test_a_write_needs_the_token(tree: House, write: str, info: LockInfo) -> None:
    granted, before = lock(tree, "t/a", info), tree.tree()
    with pytest.raises(Locked) as caught:
        WRITES[write](tree, NONE)
    assert caught.value.roots == ((("t", "a"), False),)
    assert tree.tree() == before
    WRITES[write](tree, having(tree, granted, at="t/a"))


@pytest.mark.parametrize("write", WRITES)
def test_a_lock_above_reaches_down(tree: House, write: str) -> None:
    granted = lock(tree, "t")
    with pytest.raises(Locked) as caught:
        WRITES[write](tree, NONE)
    assert caught.value.roots == ((("t",), True),)
    WRITES[write](tree, having(tree, granted, at="t"))


@pytest.mark.parametrize("write", MEMBERSHIP)
@pytest.mark.parametrize("infinite", [True, False])
def test_the_members_of_a_locked_collection_stay(tree: House, write: str, infinite: bool) -> None:
    granted, before = lock(tree, "t", SHARED, infinite=infinite), tree.tree()
    with pytest.raises((Locked, LockConflict)):
        MEMBERSHIP[write](tree, NONE)
    assert tree.tree() == before
    if write != "lock a new one" or not infinite:  # an exclusive lock beneath a shared one conflicts, token or not
        MEMBERSHIP[write](tree, having(tree, granted, at="t"))


def test_a_lock_of_depth_0_leaves_the_bodies_of_members_alone(tree: House) -> None:
    lock(tree, "t", infinite=False)
    tree.put("t/a", b"new")
    tree.proppatch("t/a", ("{u:x}p", b"<p/>"))
    tree.put("t/s/new")
    with pytest.raises(Locked):
        tree.proppatch("t", ("{u:x}p", b"<p/>"))


def test_a_lock_deep_inside_is_met(tree: House) -> None:
    granted = lock(tree, "t/s", infinite=False)
    for write in (tree.delete, lambda text, conditions=NONE: tree.move(text, "moved", conditions)):
        with pytest.raises(Locked) as caught:
            write("t")
        assert caught.value.roots == ((("t", "s"), True),)
    tree.copy("t", "copied")  # a copy changes nothing of its source
    tree.delete("t", having(tree, granted, at="t/s"))


def test_each_lock_inside_needs_its_token(tree: House) -> None:
    one, other = lock(tree, "t/a"), lock(tree, "t/s/deep")
    with pytest.raises(Locked) as caught:
        tree.delete("t", having(tree, one, at="t/a"))
    assert caught.value.roots == ((("t", "s", "deep"), False),)
    tree.delete("t", having(tree, one, other))
    assert held(tree) == []


def test_of_shared_locks_one_token_is_enough(tree: House) -> None:
    granted = [lock(tree, "t/a", SHARED) for _ in range(3)]
    with pytest.raises(Locked):
        tree.put("t/a", b"new")
    tree.put("t/a", b"new", having(tree, granted[1], at="t/a"))


def test_a_token_counts_with_its_user_only(tree: House) -> None:
    granted = lock(tree, "t/a", who=FRIEND)
    conditions = having(tree, granted, at="t/a")
    for write in WRITES.values():
        with pytest.raises(Locked):
            write(tree, conditions)
    with pytest.raises(LockTokenMismatch):
        locking.unlock(tree.context, tree.at("t/a"), granted.lock.token)
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/a"), conditions, seconds=None)
    alone = Preconditions(if_lists=conditions.if_lists[:1] if conditions.if_lists else ())
    with pytest.raises(PreconditionFailed):  # nor does it tell whether the lock is there
        tree.put("t/a", b"new", alone)
    writing.patch_properties(as_(tree, FRIEND), tree.at("t/a"), [("{u:x}p", b"<p/>")], alone)
    locking.unlock(as_(tree, FRIEND), tree.at("t/a"), granted.lock.token)
    tree.put("t/a", b"new")


def test_a_token_is_submitted_wherever_it_stands(tree: House) -> None:
    granted = lock(tree, "t/a")
    tree.put("t/a", b"1", having(tree, granted, at="b"))  # in a list that does not hold
    tree.put("t/a", b"2", having(tree, granted, at="t/a", negated=True))


def bind(house: House, text: str, parent: str, name: str) -> None:
    """Bind a resource once more, as BIND will (RFC 5842)."""
    node_id, parent_id = house.find(text).node_id, house.find(parent).node_id

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, house.owner)
        bindings.bind(unit, ledger, parent_id, name, node_id=node_id, is_collection=False, made=MADE_CLIENT)
        stores.settle(unit, ledger, now_us=house.now_us)

    house.database.write(work)


def test_a_lock_is_on_the_node_whatever_its_name(tree: House) -> None:
    bind(tree, "t/a", "", "twin")
    granted = lock(tree, "t/a")
    with pytest.raises(Locked):
        tree.put("twin", b"new")
    with pytest.raises(Locked):
        tree.delete("twin")
    tree.put("twin", b"new", having(tree, granted, at="twin"))  # covered there, so the list holds
    locking.unlock(tree.context, tree.at("twin"), granted.lock.token)


def test_a_lock_above_one_binding_holds_along_the_others(tree: House) -> None:
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
    tree: House, there: str, depth: bool, wanted: str, wanted_depth: bool, passes: bool
) -> None:
    first = lock(tree, there, infinite=depth)
    for info in (EXCLUSIVE, SHARED):
        if passes:
            locking.unlock(tree.context, tree.at(wanted), lock(tree, wanted, info, infinite=wanted_depth).lock.token)
            continue
        with pytest.raises(LockConflict) as caught:
            lock(tree, wanted, info, infinite=wanted_depth)
        assert caught.value.roots == ((first.lock.root, first.lock.is_collection),)


def test_shared_locks_go_together(tree: House) -> None:
    lock(tree, "t", SHARED)
    granted = lock(tree, "t/a", SHARED)
    assert len(granted.covering) == 2
    with pytest.raises(LockConflict):
        lock(tree, "t/a", EXCLUSIVE)


def test_a_lock_on_nothing_makes_an_empty_resource(house: House) -> None:
    token = house.report().token
    granted = lock(house, "new")
    assert granted.created
    assert house.get("new") == b""
    assert told(house.report("", token)) == ["+new"]
    with pytest.raises(Locked):
        house.put("new", b"body")
    house.put("new", b"body", having(house, granted, at="new"))
    locking.unlock(house.context, house.at("new"), granted.lock.token)
    assert house.get("new") == b"body"


def test_where_no_resource_can_be_none_is_made(house: House) -> None:
    house.put("file")
    for text, error in (("no/new", ParentMissing), ("file/new", ParentMissing), ("x" * 256, NameNotAllowed)):
        with pytest.raises(error):
            lock(house, text)
    with pytest.raises(MethodNotAllowed):
        lock(house, "c", creatable=False)
    assert house.names() == ["file"]
    assert held(house) == []


def test_a_full_store_takes_an_empty_resource_and_no_more(house: House) -> None:
    house.add_store("small", quota_bytes=10)
    granted = lock(house, "new")
    with pytest.raises(QuotaExceeded):
        house.put("new", b"x" * 11, having(house, granted, at="new"))
    assert house.facts.used_bytes == 0


def test_a_lock_ends_by_the_clock(tree: House) -> None:
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
def test_nobody_locks_for_longer_than_an_hour(tree: House, seconds: int | None, got_us: int) -> None:
    assert lock(tree, "t/a", seconds=seconds).lock.expires_us == tree.now_us + got_us


def test_refreshing_restarts_the_clock(tree: House) -> None:
    granted = lock(tree, "t", seconds=60)
    tree.now_us += 50_000_000
    again = locking.refresh(tree.context, tree.at("t/s/deep"), having(tree, granted, at="t/s/deep"), seconds=60)
    assert (again.lock.token, again.lock.expires_us) == (granted.lock.token, tree.now_us + 60_000_000)
    tree.now_us += 50_000_000
    with pytest.raises(Locked):
        tree.put("t/a", b"new")


def test_what_cannot_be_refreshed(tree: House) -> None:
    one, other = lock(tree, "t/a", seconds=60), lock(tree, "b")
    two = [lock(tree, "t/s", SHARED) for _ in range(2)]
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/s"), having(tree, *two, at="t/s"), seconds=None)
    for conditions in (NONE, having(tree, other, at="b")):
        with pytest.raises(LockNotRefreshed):
            locking.refresh(tree.context, tree.at("t/a"), conditions, seconds=None)
    failing = replace(having(tree, one, at="t/a"), if_match=ETagList(any=False, strong=frozenset({"other"})))
    with pytest.raises(PreconditionFailed):
        locking.refresh(tree.context, tree.at("t/a"), failing, seconds=None)
    tree.now_us += 60_000_000
    with pytest.raises(LockNotRefreshed):
        locking.refresh(tree.context, tree.at("t/a"), having(tree, one, at="t/a"), seconds=None)


def test_unlocking_asks_for_a_url_in_the_scope(tree: House) -> None:
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


def test_locks_do_not_travel(tree: House) -> None:
    granted = lock(tree, "t/a")
    tree.copy("t", "copied")
    tree.put("copied/a", b"free")
    tree.move("t", "moved", having(tree, granted, at="t/a"))
    tree.put("moved/a", b"free")
    assert held(tree) == []


def test_what_comes_beneath_a_lock_joins_it(tree: House) -> None:
    granted = lock(tree, "t")
    conditions = having(tree, granted, at="t")
    tree.move("b", "t/in", conditions)
    tree.copy("t/in", "t/in2", conditions)
    for text in ("t/in", "t/in2"):
        with pytest.raises(Locked):
            tree.put(text, b"new")


def test_a_lock_ends_with_what_it_was_on(tree: House) -> None:
    for text in ("t", "b"):
        granted = lock(tree, text)
        tree.delete(text, having(tree, granted, at=text))
        assert count_rows(tree, ["lock"]) == {"lock": 0}
        assert not held(tree)


def test_who_overwrites_ends_the_locks_there(tree: House) -> None:
    inside = lock(tree, "t/s/deep")
    tree.copy("b", "t", having(tree, inside, at="t/s/deep"))
    assert held(tree) == []


def test_caps(build: Build) -> None:
    house = build(locks_per_user=4, locks_per_resource=2)
    for text in ("a", "b", "c"):
        house.put(text)
    for _ in range(2):
        lock(house, "a", SHARED)
    with pytest.raises(TooManyLocks):
        lock(house, "a", SHARED)
    granted = [lock(house, "b"), lock(house, "c")][0]
    with pytest.raises(TooManyLocks):
        lock(house, "new")
    assert house.names() == ["a", "b", "c"]
    locking.refresh(house.context, house.at("b"), having(house, granted, at="b"), seconds=None)
    house.now_us += HOUR_US
    lock(house, "new")


def test_conditions_hold_on_states(tree: House) -> None:
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


def test_of_many_at_once_one_gets_the_lock(tree: House) -> None:
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


AMONG_LOCKS: dict[str, Callable[[House, Preconditions], object]] = {
    "delete": lambda house, conditions: house.delete("t", conditions),
    "move": lambda house, conditions: house.move("t", "u", conditions),
    "put": lambda house, conditions: house.put("t/sub/0", b"new", conditions),
    "lock": lambda house, _: lock(house, "t/0"),
    "list": lambda house, _: held(house),
}


@pytest.mark.parametrize("write", AMONG_LOCKS)
def test_a_write_among_locks_takes_as_many_statements(
    house: House, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    counter, taken = Counter(monkeypatch), []
    for members in (3, 30):
        house.add_store(f"{members}")
        fill(house, "t", members)
        for i in range(members):
            lock(house, f"t/sub/{i}")
        conditions = having(house, *(Granted(one, [], created=False, is_collection=False) for one in held(house)))
        with counter.counting():
            AMONG_LOCKS[write](house, conditions)
        taken.append(counter.count)
    assert 0 < taken[0] == taken[1]
