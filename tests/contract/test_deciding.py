"""The one order in which a request is decided: rights, conditions, what is there, locks, room (RFC 4918 §8.5)."""

from __future__ import annotations

import inspect
import io
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

import pytest

from davstore import store
from davstore.engine.context import Context
from davstore.engine.receiving import Incoming
from davstore.errors import (
    AlreadyExists,
    Locked,
    LockNotRefreshed,
    NotFound,
    ParentMissing,
    PreconditionFailed,
    SourceIsDestination,
)
from davstore.model.acl import AskedAce, Word
from davstore.model.changes import Level
from davstore.model.columns import Wanted
from davstore.model.conditions import ETagList, IfCondition, IfList, Preconditions
from davstore.model.histories import HistoryAsked
from davstore.model.locks import LockInfo, LockScope
from davstore.model.pages import Sort
from davstore.model.paths import Area, PartPath, Path
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind, PrincipalName, User
from davstore.model.rules import Rule
from davstore.model.states import StateChange
from davstore.store import (
    adding,
    adding_sets,
    browsing,
    browsing_threads,
    bulk,
    collecting,
    controlling,
    conversing,
    copying_parts,
    deleting,
    delivering,
    explaining,
    exporting,
    grouping,
    importing,
    locking,
    making,
    moving,
    patching,
    preferring,
    putting,
    reading,
    resolving,
    sharing,
    syncing,
)
from davstore.store.adding_sets import NewMember
from davstore.store.grouping import ListPatch
from davstore.store.putting import NewContent
from tests.contract.storage import MAIL, Storage

FAILING = Preconditions(if_match=ETagList(any=False, strong=frozenset({"no"})))
NEVER = Preconditions(if_lists=(IfList(None, (IfCondition(negated=False, token=None, etag=None),)),))
"""An `If` that does not hold anywhere."""
STRANGER = Principal(User(2, "stranger", 9, 1, disabled=False))
TO_STRANGER = NamedPrincipal(PrincipalKind.USER, "stranger")
INFO = LockInfo(LockScope.EXCLUSIVE, None)
Ask = Callable[[Context, Storage, Preconditions], object]


def threads(tree: Storage) -> Path:
    """Return the root of the area of threads."""
    return Path(tree.owner, (), Area.THREADS)


def content() -> NewContent:
    """Return a small body."""
    return NewContent(io.BytesIO(b"x"), 1, None)


@pytest.fixture
def tree(storage: Storage) -> Storage:
    """Return a storage with `t/a` and `o`."""
    storage.mkcol("t")
    storage.put("t/a", MAIL)
    storage.mkcol("o")
    return storage


WRITES: dict[str, Ask] = {
    "putting.put": lambda context, tree, given: putting.put(context, tree.at("t/a"), content(), given),
    "putting.put, large": lambda context, tree, given: putting.put(
        context, tree.at("t/a"), NewContent(io.BytesIO(b"x" * 300), 300, None), given
    ),
    "adding.add_member": lambda context, tree, given: adding.add_member(
        context, tree.at("t"), Incoming(io.BytesIO(b"x"), 1), given
    ),
    "adding.add_member, large": lambda context, tree, given: adding.add_member(
        context, tree.at("t"), Incoming(io.BytesIO(b"x" * 300), 300), given
    ),
    "delivering.deliver": lambda context, tree, given: delivering.deliver(
        context, tree.owner, Incoming(io.BytesIO(b"x"), 1), conditions=given
    ),
    "adding_sets.add_set": lambda context, tree, given: adding_sets.add_set(
        context, tree.at("t"), [NewMember("x", Incoming(io.BytesIO(b"x"), 1))], given, strict=False
    ),
    "making.make_collection": lambda context, tree, given: making.make_collection(context, tree.at("t"), given),
    "patching.patch_properties": lambda context, tree, given: patching.patch_properties(
        context, tree.at("t/a"), [("{x}p", b"<p/>")], given
    ),
    "bulk.update": lambda context, tree, given: bulk.update(
        context, tree.at("t"), [tree.at("t/a")], {"{x}state": StateChange(set=1)}, given
    ),
    "bulk.delete": lambda context, tree, given: bulk.delete(context, tree.at("t"), [tree.at("t/a")], given),
    "deleting.delete": lambda context, tree, given: deleting.delete(context, tree.at("t/a"), given),
    "moving.move": lambda context, tree, given: moving.move(
        context, tree.at("t"), tree.at("t/x"), given, overwrite=True
    ),
    "moving.copy": lambda context, tree, given: moving.copy(
        context, tree.at("t"), tree.at("t/x"), given, overwrite=True
    ),
    "copying_parts.copy_part": lambda context, tree, given: copying_parts.copy_part(
        context, PartPath(tree.at("t/a"), "1"), tree.at("o/x"), given, overwrite=True
    ),
    "locking.lock": lambda context, tree, given: locking.lock(
        context, tree.at("t/a"), INFO, given, infinite=True, seconds=None
    ),
    "preferring.set_preferences": lambda context, tree, given: preferring.set_preferences(
        context, PrincipalName(tree.owner), [Rule("sync-preferences", list_only=True)], given
    ),
    "controlling.set_acl": lambda context, tree, given: controlling.set_acl(
        context,
        tree.at("t"),
        [(Word.AUTHENTICATED, AskedAce(Word.AUTHENTICATED, denies=False, privileges=1))],
        given,
    ),
    "locking.unlock": lambda context, tree, given: locking.unlock(context, tree.at("t/a"), "urn:x", given),
}
READS: dict[str, Ask] = {
    "controlling.list_aces": lambda context, tree, given: controlling.list_aces(context, tree.at("t"), given),
    "resolving.resolve": lambda context, tree, given: resolving.resolve(
        context, tree.at("t"), given, conversations=["x"], resource_ids=[], facets=frozenset()
    ),
    "explaining.explain_access": lambda context, tree, given: explaining.explain_access(
        context, tree.at("t"), "stranger", ["GET"], given
    ),
    "collecting.collect": lambda context, tree, given: list(
        collecting.collect(context, tree.at("t"), [tree.at("t/a")], given)
    ),
    "conversing.history": lambda context, tree, given: conversing.history(
        context, tree.at(""), HistoryAsked("conversation"), given
    ),
    "locking.refresh": lambda context, tree, given: locking.refresh(context, tree.at("t/a"), given, seconds=None),
    "reading.find": lambda context, tree, given: reading.find(context, tree.at("t/a"), given),
    "reading.describe": lambda context, tree, given: list(reading.describe(context, tree.at("t"), given, depth=1)),
    "reading.describe, by column": lambda context, tree, given: list(
        reading.describe(context, tree.at("t"), given, depth=1, columns=Wanted(()))
    ),
    "reading.open_resource": lambda context, tree, given: reading.open_resource(context, tree.at("t/a"), given),
    "reading.open_set": lambda context, tree, given: reading.open_set(
        context, tree.at("t"), given, most_bytes=1_000
    ).bodies.close(),
    "reading.open_part": lambda context, tree, given: reading.open_part(context, PartPath(tree.at("t/a"), "1"), given),
    "reading.find_part": lambda context, tree, given: reading.find_part(context, PartPath(tree.at("t/a"), "1"), given),
    "syncing.changes_since": lambda context, tree, given: syncing.changes_since(
        context, tree.at("t"), None, given, level=Level.INFINITE, limit=None
    ),
}
WITHOUT_CONDITIONS: dict[str, Ask] = {  # those of a page, which sends no `If`, of the operator, and of lists
    "grouping.make_list": lambda context, *_: grouping.make_list(context, "friends", ListPatch()),
    "grouping.patch_list": lambda context, *_: grouping.patch_list(context, "friends", ListPatch()),
    "grouping.end_list": lambda context, *_: grouping.end_list(context, "friends"),
    "exporting.each_outgoing": lambda context, tree, _: list(exporting.each_outgoing(context, tree.at("t"))),
    "exporting.sum_bytes": lambda context, tree, _: exporting.sum_bytes(context, tree.at("t")),
    "importing.import_entries": lambda context, tree, _: list(importing.import_entries(context, tree.at("t/x"), [])),
    "browsing.open_message": lambda context, tree, _: browsing.open_message(context, tree.at("t/a")),
    "browsing_threads.list_threads": lambda context, tree, _: browsing_threads.list_threads(
        context, threads(tree), limit=1
    ),
    "browsing_threads.open_conversation": lambda context, tree, _: browsing_threads.open_conversation(
        context, threads(tree).child("x"), limit=1
    ),
    "sharing.share": lambda context, tree, _: sharing.share(context, tree.at("t"), TO_STRANGER, 1, None),
    "sharing.unshare": lambda context, tree, _: sharing.unshare(context, tree.at("t"), None),
    "browsing.list_page": lambda context, tree, _: browsing.list_page(context, tree.at("t"), Sort.NAME, limit=1),
}
ALL = WRITES | READS | WITHOUT_CONDITIONS


def use_cases() -> Iterator[str]:
    """Yield the functions of the store that a request may call: those that take its context."""
    for module in pkgutil.iter_modules(store.__path__):
        for name, function in inspect.getmembers(import_module(f"{store.__name__}.{module.name}"), inspect.isfunction):
            is_own = function.__module__ == f"{store.__name__}.{module.name}" and not name.startswith("_")
            if is_own and "Context" in inspect.get_annotations(function).values():
                yield f"{module.name}.{name}"


def test_every_use_case_is_asked_here() -> None:
    answers_a_question = {"reading.may_know"}  # of rights alone
    assert {name.partition(",")[0] for name in ALL} | answers_a_question == set(use_cases())


@pytest.mark.parametrize("ask", ALL.values(), ids=ALL)
def test_rights_come_before_all_else(tree: Storage, ask: Ask) -> None:
    """A user without rights learns nothing of a store, not even whether a condition would hold."""
    before = (tree.tree(), tree.facts)
    with pytest.raises(NotFound):
        ask(replace(tree.context, asker=STRANGER), tree, FAILING)
    assert (tree.tree(), tree.facts) == before


@pytest.mark.parametrize("ask", WRITES.values(), ids=WRITES)
def test_conditions_come_before_what_is_there_and_before_locks(tree: Storage, ask: Ask) -> None:
    locking.lock(tree.context, tree.at("t"), INFO, infinite=True, seconds=None)
    with pytest.raises(PreconditionFailed):
        ask(tree.context, tree, FAILING)


@pytest.mark.parametrize("ask", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
def test_if_is_judged_for_every_method(tree: Storage, ask: Ask) -> None:
    """RFC 4918 §10.4.1. A refresh names the lock in its `If`: none is there (§9.10.2)."""
    with pytest.raises((PreconditionFailed, LockNotRefreshed)):
        ask(tree.context, tree, NEVER)


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
