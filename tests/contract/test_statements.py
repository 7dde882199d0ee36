"""Each use case runs a fixed number of statements, however many members there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from davstore.metadata import principals, unit
from davstore.metadata.unit import Unit
from davstore.model.changes import Level
from davstore.model.columns import Wanted
from davstore.model.conditions import ETagList, IfCondition, IfList, Preconditions
from davstore.model.facets import PROPERTIES
from davstore.model.locks import LockInfo, LockScope
from davstore.model.pages import Sort
from davstore.model.paths import Area, Path
from davstore.model.principals import Device, DeviceClass, Principal, PrincipalName
from davstore.model.rules import Rule
from davstore.model.states import Flag, StateChange
from davstore.model.views import View
from davstore.store import browsing, browsing_threads, bulk, collecting, enrolling, locking, preferring, reading
from tests.contract.storage import MAIL, Storage
from tests.contract.test_bulk import SEEN, UNREAD, delete, update


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
            self.count += bool(words[1]) or method.__name__ == "_execute"  # of no rows nothing goes to the driver
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
    "describe by column": lambda storage: storage.listing(
        "t", depth=1, facets={PROPERTIES}, columns=Wanted(("etag",), frozenset({PROPERTIES}))
    ),
    "describe all": lambda storage: storage.listing(depth=None, facets={PROPERTIES}),
    "a page": lambda storage: browsing.list_page(storage.context, storage.at("t"), Sort.SIZE, limit=10),
    "put a new one": lambda storage: storage.put("t/new"),
    "put over one": lambda storage: storage.put("t/0"),
    "put a large one": lambda storage: storage.put("t/large", b"x" * 300),
    "make a collection": lambda storage: storage.mkcol("t/c"),
    "patch properties": lambda storage: storage.proppatch("t/0", ("{urn:x}q", b"<q/>")),
    "delete a tree": lambda storage: storage.delete("t"),
    "several that are named": lambda storage: list(
        collecting.collect(storage.context, storage.at(""), [storage.at(one) for one in storage.tree()])
    ),
    "states of several": lambda storage: update(storage, *(one for one in storage.tree() if one[-1].isdigit())),
    "the end of several": lambda storage: delete(storage, *storage.tree()),
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


def submitting(storage: Storage, text: str, token: str) -> Preconditions:
    """Return the condition that a lock of a resource is held."""
    return Preconditions(if_lists=(IfList(storage.at(text), (IfCondition(negated=False, token=token, etag=None),)),))


class Budget:
    """A store with a little of everything, and the requests whose statements are counted."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.mkcol("o")
        fill(storage, "t", 3)
        fill(storage, "over", 3)
        storage.put("a")
        storage.put("m", MAIL)
        for number in range(2):
            storage.put(f"thread {number}", f"From: a@x\nMessage-ID: <{number}@x>\n\nbody".encode())
        self._token = storage.report().token

        [account] = storage.database.read(principals.list_accounts)
        phone = Device("0" * 16, account.user.id, "phone", DeviceClass.PHONE, revoked=False)
        storage.database.write(lambda unit: principals.add_device(unit, phone, secret_sha256="", now_us=1))
        self.asker, self._phone = Principal(account.user), Principal(account.user, phone)

    def prefer(self, name: str | None, *, on_phone: bool = False) -> None:
        """PROPPATCH of the user, or of the device of a name."""
        context = replace(self._storage.context, asker=self._phone if on_phone else self.asker)
        wanted = Rule("sync-preferences", list_only=True)
        assert preferring.set_preferences(context, PrincipalName(self._storage.owner, name), [wanted]) is None

    def take(self, text: str) -> str:
        """LOCK."""
        context, place = self._storage.context, self._storage.at(text)
        return locking.lock(context, place, LockInfo(LockScope.EXCLUSIVE, None), infinite=True, seconds=None).lock.token

    def give(self, text: str, token: str) -> None:
        """UNLOCK."""
        locking.unlock(self._storage.context, self._storage.at(text), token)

    def refresh(self, text: str, token: str) -> None:
        """LOCK without a body."""
        conditions = submitting(self._storage, text, token)
        locking.refresh(self._storage.context, self._storage.at(text), conditions, seconds=None)

    def poll(self) -> None:
        """REPORT when nothing has changed."""
        assert self._storage.report("", self._token).rows == []


def enrol(storage: Storage) -> None:
    """MKCOL of a device: its user, the lock of the store, the devices there are, two rows."""
    enrolling.add_device(storage.database, storage.owner, "new", now_us=1)


def reply(threads: int) -> bytes:
    """Return a message that refers to so many of the threads that are there."""
    references = " ".join(f"<{number}@x>" for number in range(threads))
    return f"From: a@x\nMessage-ID: <new@x>\nReferences: {references}\n\nbody".encode()


ONLY_NEW = Preconditions(if_none_match=ETagList(any=True))
STATEMENTS: list[tuple[str, int, Callable[[Storage, Budget], object]]] = [
    ("GET", 1, lambda storage, _: storage.get("a")),
    ("GET of a part", 2, lambda storage, _: storage.part("m", "1")),
    ("GET of a file by a browser", 1, lambda storage, _: browsing.open_message(storage.context, storage.at("a"))),
    ("GET of a message by a browser", 4, lambda storage, _: browsing.open_message(storage.context, storage.at("m"))),
    ("COPY of a part", 10, lambda storage, _: storage.copy_part("m", "1", "b")),
    ("COPY of a part over another", 15, lambda storage, _: storage.copy_part("m", "1", "a")),
    ("PROPFIND, depth 0", 1, lambda storage, _: storage.listing("a", depth=0)),
    ("PROPFIND, depth 0, dead properties", 2, lambda storage, _: storage.listing("a", depth=0, facets={PROPERTIES})),
    ("PROPFIND, depth 1", 2, lambda storage, _: storage.listing("t", depth=1)),
    ("PROPFIND, depth 1, dead properties", 4, lambda storage, _: storage.listing("t", depth=1, facets={PROPERTIES})),
    ("MKCOL of a device", 5, lambda storage, _: enrol(storage)),
    ("C:devices", 1, lambda storage, budget: enrolling.list_active(storage.database, budget.asker)),
    ("poll", 1, lambda _, budget: budget.poll()),
    ("PUT", 6, lambda storage, _: storage.put("new")),
    ("PUT on condition", 6, lambda storage, _: storage.put("new", b"", ONLY_NEW)),
    ("PUT over another", 7, lambda storage, _: storage.put("a", b"other")),
    ("PUT of a large body", 11, lambda storage, _: storage.put("large", b"x" * 300)),
    ("MKCOL", 5, lambda storage, _: storage.mkcol("c")),
    ("PROPPATCH", 7, lambda storage, _: storage.proppatch("a", ("{urn:x}q", b"<q/>"))),
    ("PROPPATCH of a flag", 5, lambda storage, _: storage.mark("a", StateChange(int(Flag.SEEN)))),
    ("PROPPATCH of a keyword", 7, lambda storage, _: storage.mark("a", StateChange(added=frozenset({"x"})))),
    ("DELETE", 8, lambda storage, _: storage.delete("a")),
    ("DELETE of a tree", 13, lambda storage, _: storage.delete("t")),
    ("states of several", 13, lambda storage, _: update(storage, "a", "m", "t/0", "t/1", "over/0")),
    (
        "keywords of several",
        12,
        lambda storage, _: update(storage, "a", "m", "t/0", change=StateChange(added=frozenset({"x", "y"}))),
    ),
    (
        "states of what a view selects",
        9,
        lambda storage, _: bulk.update(storage.context, storage.at("t"), View(UNREAD), SEEN),
    ),
    ("the end of several", 21, lambda storage, _: delete(storage, "a", "m", "t/0", "t/1")),
    ("the end of several trees", 14, lambda storage, _: delete(storage, "a", "t", "over")),
    ("MOVE", 8, lambda storage, _: storage.move("a", "b")),
    ("MOVE over another", 13, lambda storage, _: storage.move("a", "t/0")),
    ("MOVE of a tree", 7, lambda storage, _: storage.move("t", "b")),
    ("COPY", 9, lambda storage, _: storage.copy("a", "b")),
    ("COPY over another", 14, lambda storage, _: storage.copy("a", "t/0")),
    ("COPY of a tree", 19, lambda storage, _: storage.copy("t", "b")),
    ("PUT of a message", 16, lambda storage, _: storage.put("n", reply(0))),
    ("PUT of a reply", 15, lambda storage, _: storage.put("n", reply(1))),
    ("PUT of a message that merges two threads", 33, lambda storage, _: storage.put("n", reply(2))),
    ("PROPPATCH of a flag of a message", 10, lambda storage, _: storage.mark("m", StateChange(int(Flag.SEEN)))),
    ("MOVE of a message", 10, lambda storage, _: storage.move("m", "b")),
    ("DELETE of a message", 19, lambda storage, _: storage.delete("m")),
    ("LOCK", 5, lambda _, budget: budget.take("a")),
    ("PROPPATCH of a user", 1, lambda _, budget: budget.prefer(None)),
    ("PROPPATCH of a device by itself", 1, lambda _, budget: budget.prefer("phone", on_phone=True)),
    ("PROPPATCH of a device by its user", 2, lambda _, budget: budget.prefer("phone")),
    ("LOCK of an unmapped URL", 9, lambda _, budget: budget.take("new")),
]
"""Nothing here is locked. A count that fell is written anew; one rises only for what is worth it."""


@pytest.mark.parametrize(("budgeted", "request_"), [row[1:] for row in STATEMENTS], ids=[row[0] for row in STATEMENTS])
def test_a_request_has_a_budget_of_statements(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, budgeted: int, request_: Callable[[Storage, Budget], object]
) -> None:
    counter, budget = Counter(monkeypatch), Budget(storage)
    with counter.counting():
        request_(storage, budget)
    assert counter.count == budgeted, "as many statements are written in STATEMENTS: is what it spends more worth that?"


LOCKED: list[tuple[str, int, Callable[[Storage, Budget, str], object]]] = [
    ("PUT", 11, lambda storage, _, token: storage.put("a", b"other", submitting(storage, "a", token))),
    ("PUT elsewhere", 8, lambda storage, *_: storage.put("new")),
    ("LOCK again", 8, lambda _, budget, token: budget.refresh("a", token)),
    ("UNLOCK", 6, lambda _, budget, token: budget.give("a", token)),
]


@pytest.mark.parametrize(("most", "request_"), [row[1:] for row in LOCKED], ids=[row[0] for row in LOCKED])
def test_a_lock_costs_statements(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, most: int, request_: Callable[[Storage, Budget, str], object]
) -> None:
    counter, budget = Counter(monkeypatch), Budget(storage)
    token = budget.take("a")
    with counter.counting():
        request_(storage, budget, token)
    assert counter.count == most


def test_locks_that_are_gone_cost_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    counter, budget = Counter(monkeypatch), Budget(storage)
    budget.give("a", budget.take("a"))
    with counter.counting():
        storage.put("new")
    assert counter.count == 6


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


def test_a_page_with_messages_takes_one_statement_more(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    counter, counts = Counter(monkeypatch), []
    storage.mkcol("t")
    for name in ("t/a.txt", "t/b.eml", "t/c.eml"):
        with counter.counting():
            browsing.list_page(storage.context, storage.at("t"), Sort.NAME, limit=10)
        counts.append(counter.count)
        storage.put(
            name, b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\nText" if "eml" in name else b"x"
        )
    with counter.counting():
        page = browsing.list_page(storage.context, storage.at("t"), Sort.NAME, limit=10)
    assert [*counts, counter.count] == [counts[0], counts[0], counts[0] + 1, counts[0] + 1]
    assert {one.subject for one in page.messages.values()} == {"x"}


def test_pages_of_conversations_take_as_many_statements(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many conversations there are, and messages in one."""
    counter, taken, threads = Counter(monkeypatch), [], Path("me", (), Area.THREADS)
    for first, last in ((0, 2), (2, 12)):
        for number in range(first, last):
            storage.put(f"{number}.eml", b"From: a@x\nMessage-ID: <%d@x>\nSubject: x\n\nbody" % number)
            storage.put(f"r{number}.eml", b"From: a@x\nMessage-ID: <r%d@x>\nReferences: <0@x>\n\nbody" % number)
        with counter.counting():
            page = browsing_threads.list_threads(storage.context, threads, limit=50)
        counts = [counter.count]
        [name] = [one.resource.name for one in page.threads if one.thread.messages == last + 1]
        with counter.counting():
            assert (
                len(list(browsing_threads.open_conversation(storage.context, threads.child(name), limit=50).messages))
                > 2
            )
        assert len(page.threads) == last
        taken.append([*counts, counter.count])
    assert taken[0] == taken[1]


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5, 6, 7])
def test_a_large_collection_is_told_some_members_at_a_time(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, members: int
) -> None:
    """However many members there are, few are in memory, and each three cost three statements."""
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
