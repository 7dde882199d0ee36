"""The one order in which a request is decided: rights, conditions, what is there, locks, room (RFC 4918 §8.5)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from davstore.engine.context import Context
from davstore.errors import AlreadyExists, Locked, NotFound, ParentMissing, PreconditionFailed, SourceIsDestination
from davstore.model.changes import Level
from davstore.model.conditions import ETagList, Preconditions
from davstore.model.locks import LockInfo, LockScope
from davstore.model.pages import Sort
from davstore.model.principals import Principal, User
from davstore.store import browsing, deleting, locking, making, moving, patching, putting, reading, syncing
from davstore.store.putting import NewContent
from tests.contract.storage import Storage

FAILING = Preconditions(if_match=ETagList(any=False, strong=frozenset({"no"})))
STRANGER = Principal(User(2, "stranger", 9, 1, disabled=False))
INFO = LockInfo(LockScope.EXCLUSIVE, None)
Ask = Callable[[Context, Storage], object]


def content() -> NewContent:
    """Return a small body."""
    return NewContent(io.BytesIO(b"x"), 1, None)


@pytest.fixture
def tree(storage: Storage) -> Storage:
    """Return a storage with `t/a` and `o`."""
    storage.mkcol("t")
    storage.put("t/a")
    storage.mkcol("o")
    return storage


WRITES: dict[str, Ask] = {
    "PUT": lambda context, tree: putting.put(context, tree.at("t/a"), content(), FAILING),
    "PUT, large": lambda context, tree: putting.put(
        context, tree.at("t/a"), NewContent(io.BytesIO(b"x" * 300), 300, None), FAILING
    ),
    "MKCOL": lambda context, tree: making.make_collection(context, tree.at("t"), FAILING),
    "PROPPATCH": lambda context, tree: patching.patch_properties(context, tree.at("t/a"), [("{x}p", b"<p/>")], FAILING),
    "DELETE": lambda context, tree: deleting.delete(context, tree.at("t/a"), FAILING),
    "MOVE": lambda context, tree: moving.move(context, tree.at("t"), tree.at("t/x"), FAILING, overwrite=True),
    "COPY": lambda context, tree: moving.copy(context, tree.at("t"), tree.at("t/x"), FAILING, overwrite=True),
    "LOCK": lambda context, tree: locking.lock(context, tree.at("t/a"), INFO, FAILING, infinite=True, seconds=None),
    "UNLOCK": lambda context, tree: locking.unlock(context, tree.at("t/a"), "urn:x", FAILING),
}
READS: dict[str, Ask] = {
    "LOCK, again": lambda context, tree: locking.refresh(context, tree.at("t/a"), FAILING, seconds=None),
    "find": lambda context, tree: reading.find(context, tree.at("t/a")),
    "GET": lambda context, tree: reading.open_resource(context, tree.at("t/a")),
    "a page": lambda context, tree: browsing.list_page(context, tree.at("t"), Sort.NAME, limit=1),
    "REPORT": lambda context, tree: syncing.changes_since(
        context, tree.at("t"), None, level=Level.INFINITE, limit=None
    ),
}


@pytest.mark.parametrize("ask", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
def test_rights_come_before_all_else(tree: Storage, ask: Ask) -> None:
    """A user without rights learns nothing of a store, not even whether a condition would hold."""
    before = (tree.tree(), tree.facts)
    with pytest.raises(NotFound):
        ask(replace(tree.context, asker=STRANGER), tree)
    assert (tree.tree(), tree.facts) == before


@pytest.mark.parametrize("ask", WRITES.values(), ids=WRITES)
def test_conditions_come_before_what_is_there_and_before_locks(tree: Storage, ask: Ask) -> None:
    locking.lock(tree.context, tree.at("t"), INFO, infinite=True, seconds=None)
    with pytest.raises(PreconditionFailed):
        ask(tree.context, tree)


AMONG_LOCKS: dict[str, tuple[type[Exception], Callable[[Storage], object]]] = {
    "MKCOL over something": (AlreadyExists, lambda tree: tree.mkcol("t/a")),
    "PUT without a parent": (ParentMissing, lambda tree: tree.put("t/no/x")),
    "DELETE of nothing": (NotFound, lambda tree: tree.delete("t/no")),
    "MOVE into itself": (SourceIsDestination, lambda tree: tree.move("t", "t/x")),
    "MOVE onto something": (PreconditionFailed, lambda tree: tree.move("t/a", "o", overwrite=False)),
    "PUT": (Locked, lambda tree: tree.put("t/a")),
    "a PUT that is too long to be read": (Locked, lambda tree: tree.put("t/a", b"x" * 300)),
    "a DELETE that is too large": (Locked, lambda tree: tree.delete("t")),
}


@pytest.mark.parametrize("fault", AMONG_LOCKS)
def test_what_is_there_comes_before_locks_and_locks_before_room(tree: Storage, fault: str) -> None:
    locking.lock(tree.context, tree.at("t"), INFO, infinite=True, seconds=None)
    tree.limits = replace(tree.limits, tree_nodes=1)
    wins, ask = AMONG_LOCKS[fault]
    with pytest.raises(wins):
        ask(tree)
