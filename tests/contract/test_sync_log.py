"""The sync log under random operations: replayed reports equal a fresh listing (docs/sync.md)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import itemgetter
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from davstore.metadata import changed_members, threads
from davstore.model.changes import WHOLE, Level, Position, Stamp, SyncToken
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Path
from davstore.store import sweeping
from davstore.sync import arrivals, departures, moved, tokens, views
from davstore.sync import report as sync_report
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived, Departed, Run
from tests.contract.storage import Storage
from tests.contract.sync_model import VIEWS, Device, Disagreement, Pair, Url
from tests.contract.threads_mirror import ThreadsMirror

NAMES = ("a", "b", "c", "d")
DEPTH = 4
CROWD = 40
"""Resources from which on the walk deletes rather than makes."""
LIMITS = (None, 1, 2, 3, 7)
SCOPES: tuple[Url, ...] = ((), ("a",), ("b",), ("a", "b"))

STEPS = 2_000
SEED = 6578


class Walk:
    """A random walk. A step is one operation on the store or one page of a report."""

    def __init__(self, storage: Storage, seed: int) -> None:
        self.pair = Pair(storage)
        self.model = self.pair.model
        self.random = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.devices = [Device(scope, level) for scope in SCOPES for level in Level for _ in range(2 - len(scope) // 2)]
        self.checkpoints: list[tuple[int, Device]] = []
        self.of_threads = [ThreadsMirror(level) for level in (Level.ONE, Level.INFINITE, Level.INFINITE)]

    def run(self, steps: int) -> Counter[str]:
        """Take steps and return how many there were of each kind."""
        while self.seen["steps"] < steps:
            if self.random.random() < 0.65:
                self._operate()
            elif self.random.random() < 0.9:
                self._synchronise()
            else:
                self._synchronise_threads(self.random.choice(self.of_threads), pages=self.random.randint(1, 3))
        for device in self.devices:
            self._pages(device, pages=10_000)
        for mirror in self.of_threads:
            self._synchronise_threads(mirror, pages=10_000)
        return self.seen

    def _synchronise_threads(self, mirror: ThreadsMirror, *, pages: int) -> None:
        for _ in range(pages):
            self.seen["steps"] += 1
            if mirror.page(self.pair.storage, self.random.choice(LIMITS)):
                self.seen["threads in step"] += 1
                self.seen["threads"] = max(self.seen["threads"], len({url[0] for url in mirror.mirror}))
                self.seen["of one thread"] = max(
                    self.seen["of one thread"], *Counter(url[0] for url in mirror.mirror).values(), 0
                )
                return

    def _operate(self) -> None:
        if self.random.random() < 0.01:
            self._sweep()
        self.pair.wait(self.random.choice((0, 0, 0, 1, 5)))
        kinds = ("put", "mkcol", "delete", "move", "copy", "proppatch", "mark")
        weights = (28, 20, 60 if len(self.model.entries) > CROWD else 8, 30, 6, 8, 8)
        kind = self.random.choices(kinds, weights)[0]
        operate: Callable[[], Iterator[Callable[[], None]]] = getattr(self, f"_{kind}")
        for operation in operate():
            self.seen["steps"] += 1
            self.seen[kind] += 1
            operation()

    def _sweep(self) -> None:
        """Forget old history. A device that needs it must have to start again, any other must not notice."""
        storage = self.pair.storage
        storage.now_us += 2 * 3_600_000_000  # past the next sample of (number, time)
        sweeping.sweep_history(storage.database, now_us=storage.now_us, keep_seconds=0, keep_changes=30)
        self.seen["swept"] += 1
        self.seen["left behind"] += sum(device.is_swept(storage) for device in self.devices)

    def _collections(self) -> list[Url]:
        return [(), *(url for url, entry in self.model.entries.items() if entry.is_collection and len(url) < DEPTH)]

    def _place(self) -> Url:
        """Return a place in a collection that is there, mostly one that is free."""
        place = (*self.random.choice(self._collections()), self.random.choice(NAMES))
        old = [url for url in self.model.gone if url not in self.model.entries and self.model.is_collection(url[:-1])]
        return self.random.choice(old) if old and self.random.random() < 0.4 else place

    def _note_return(self, place: Url) -> None:
        if place not in self.model.entries and place in self.model.gone:
            self.seen["re-created"] += 1

    def _put(self) -> Iterator[Callable[[], None]]:
        place = self._place()
        if not self.model.is_collection(place):
            self._note_return(place)
            yield lambda: self.pair.put(place)

    def _mkcol(self) -> Iterator[Callable[[], None]]:
        place = self._place()
        if place not in self.model.entries:
            self._note_return(place)
            yield lambda: self.pair.mkcol(place)

    def _delete(self) -> Iterator[Callable[[], None]]:
        if self.model.entries:
            url = self.random.choice(list(self.model.entries))
            yield lambda: self.pair.delete(url)

    def _proppatch(self) -> Iterator[Callable[[], None]]:
        if self.model.entries:
            url = self.random.choice(list(self.model.entries))
            yield lambda: self.pair.proppatch(url)

    def _mark(self) -> Iterator[Callable[[], None]]:
        leaves = [url for url, entry in self.model.entries.items() if not entry.is_collection]
        if leaves:
            url = self.random.choice(leaves)
            yield lambda: self.pair.mark(url)

    def _move(self) -> Iterator[Callable[[], None]]:
        full = [url for url in self._collections() if url and self.model.beneath(url)]
        sources = full if full and self.random.random() < 0.7 else list(self.model.entries)
        if not sources:
            return
        source, target = self.random.choice(sources), self._place()
        if apart(source, target):
            self._note_return(target)
            self.seen["trees moved"] += bool(self.model.beneath(source))
            yield lambda: self.pair.move(source, target)

    def _copy(self) -> Iterator[Callable[[], None]]:
        if not self.model.entries:
            return
        source, target = self.random.choice(list(self.model.entries)), self._place()
        if apart(source, target):
            self._note_return(target)
            yield lambda: self.pair.copy(source, target)

    def _synchronise(self) -> None:
        if self.checkpoints and self.random.random() < 0.05:  # a device comes back to an older state and token
            at, device = self.checkpoints.pop(self.random.randrange(len(self.checkpoints)))
            self.devices[at] = device
        at = self.random.randrange(len(self.devices))
        self._guard(self.devices[at])
        if self.random.random() < 0.04:
            self.devices[at].view = self.random.choice(views_of(self.devices[at].scope))
            self.seen["views changed"] += 1
        if self.random.random() < 0.02:
            self.devices[at] = Device(self.devices[at].scope, self.devices[at].level)
        self._pages(self.devices[at], pages=self.random.randint(1, 3))
        if self.random.random() < 0.05:
            self.checkpoints.append((at, self.devices[at].checkpoint()))

    def _guard(self, device: Device) -> None:
        """A token in an `If` header holds exactly when the report from it, of everything in the scope, is empty."""
        storage, token = self.pair.storage, device.token
        if token is None or not self.model.is_collection(device.scope) or device.is_swept(storage):
            return
        report = storage.report("/".join(device.scope), replace(token, view=WHOLE), limit=1)
        facts = storage.facts
        path = storage.at("/".join(device.scope))
        holds = storage.database.read(lambda unit: sync_report.is_current(unit, facts, path, token))
        if holds != (not report.rows):
            raise Disagreement(f"the guard of {token} holds: {holds}; the report: {report.rows}")
        self.seen[f"guard {holds}"] += 1

    def _pages(self, device: Device, *, pages: int) -> None:
        for _ in range(pages):
            limit = self.random.choice(LIMITS)
            self.seen["steps"] += 1
            self.seen[f"limit {limit}"] += 1
            if device.page(self.pair.storage, self.model, limit):
                self.seen["runs completed"] += 1
                return


def views_of(scope: Url) -> list[str]:
    """Return the views that a device may ask for a collection in: the gate refuses it one that leaves it out."""
    return [name for name, one in VIEWS.items() if one.holds(scope, True)]  # noqa: FBT003  a collection


def apart(source: Url, target: Url) -> bool:
    """Tell whether neither place lies in the other."""
    shorter = min(len(source), len(target))
    return source[:shorter] != target[:shorter]


def walk(storage: Storage, *, seed: int, steps: int) -> Counter[str]:
    """Walk from a seed, and name it when the store fails."""
    steps_taken = Walk(storage, seed)
    try:
        return steps_taken.run(steps)
    except Exception as error:
        error.add_note(f"seed {seed}, step {steps_taken.seen['steps']}")
        raise


def test_replayed_reports_equal_a_fresh_listing(storage: Storage) -> None:
    seen = walk(storage, seed=SEED, steps=STEPS)
    assert seen["steps"] >= 2_000
    for kind in ("trees moved", "re-created", "limit 1", "limit 2", "limit 3"):
        assert seen[kind] / seen["steps"] >= 0.05, f"{kind}: {seen[kind]} of {seen['steps']}"
    assert seen["runs completed"] >= 100
    assert min(seen["guard True"], seen["guard False"]) >= 10
    assert min(seen["swept"], seen["left behind"]) >= 5
    assert seen["views changed"] >= 20
    assert seen["threads in step"] >= 20
    assert min(seen["threads"], seen["of one thread"]) >= 3


def test_the_thresholds_of_large_stores_change_nothing(
    sqlite_storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "AT_ONCE", 3)
    monkeypatch.setattr(changed_members, "FIRST", 2)
    monkeypatch.setattr(moved, "AT_ONCE", 2)
    monkeypatch.setattr(arrivals, "MOVED_AT_ONCE", 2)
    walk(sqlite_storage, seed=SEED + 1, steps=STEPS)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
def test_replayed_reports_equal_a_fresh_listing_for_long(storage: Storage, seed: int) -> None:
    walk(storage, seed=seed, steps=20_000)


def _newest_token(facts: StoreFacts, path: Path, begun: object, last: object, view: str) -> SyncToken:
    return tokens.current_token(facts, path, view)


def _of_the_same_view(
    facts: StoreFacts, path: Path, token: SyncToken | None, asked: Stamp = tokens.EVERYTHING
) -> tuple[Position, Stamp]:
    return _start(facts, path, token and replace(token, view=asked.text), asked)


def _never_older(
    facts: StoreFacts, path: Path, token: SyncToken | None, asked: Stamp = tokens.EVERYTHING
) -> tuple[Position, Stamp]:
    return _start(facts, path, token and replace(token, view=Stamp.parse(token.view).hash), asked)


def _as_if_deleted(asked: Inquiry, runs: Iterator[Run]) -> Iterator[Run]:
    for run in _through(asked, runs):
        if isinstance(run, Departed):
            yield Departed([(key, row._replace(out_of_view=0)) for key, row in run.rows])
        else:
            yield run


def _known_once(asked: Inquiry, runs: Iterator[Run]) -> Iterator[Run]:
    return (run for run in _through(asked, runs) if isinstance(run, Arrived) or not run.rows[0][1].out_of_view)


def _no_walk(*words: object, **more: object) -> None:
    return


def _not_told_of_the_moved(*words: object) -> Iterator[Arrived]:
    return iter(())


def _by_name(asked: Inquiry) -> Iterator[Run]:
    single: list[tuple[Url, Run]] = []
    for run in _rows(asked):
        if isinstance(run, Departed):
            single += [(row[1].names, Departed([row])) for row in run.rows]
        else:
            names = [(*asked.ancestry.names(row.parent_id), row.name) for row in run.rows.columns[2]]
            single += [(name, Arrived(run.rows.cut(at, at + 1), run.fresh)) for at, name in enumerate(names)]
    return (run for _, run in sorted(single, key=itemgetter(0)))


_rows, _start, _through = sync_report.rows, tokens.start, views.through

PLANTED: dict[str, tuple[ModuleType, str, object]] = {
    "newest token on a truncated page": (tokens, "after", _newest_token),
    "no walk of former nodes": (departures, "expand", _no_walk),
    "nothing of moved trees": (moved, "carried", _not_told_of_the_moved),
    "a moved tree goes on nowhere": (moved, "rest", _not_told_of_the_moved),
    "order by name": (sync_report, "rows", _by_name),
    "a view change forgets what entered and left": (tokens, "start", _of_the_same_view),
    "an age is judged once": (tokens, "start", _never_older),
    "out of view is told as deleted": (views, "through", _as_if_deleted),
    "out of view is not told": (views, "through", _known_once),
    "a thread is not touched": (threads, "touch", _no_walk),
}


@pytest.mark.parametrize("bug", PLANTED)
@pytest.mark.parametrize("seed", [3, *[pytest.param(seed, marks=pytest.mark.torture) for seed in (2, 4)]])
def test_planted_bug_is_caught(sqlite_storage: Storage, monkeypatch: pytest.MonkeyPatch, bug: str, seed: int) -> None:
    monkeypatch.setattr(*PLANTED[bug])
    with pytest.raises(Disagreement):
        walk(sqlite_storage, seed=seed, steps=STEPS)


urls = st.lists(st.sampled_from(NAMES[:3]), min_size=1, max_size=3).map(tuple)
numbers = st.integers(min_value=0, max_value=1_000)


class Machine(RuleBasedStateMachine):
    """The same pair under hypothesis, which shrinks what fails to a few operations. Impossible ones are left out."""

    storage: Storage
    stores = 0

    def __init__(self) -> None:
        super().__init__()
        Machine.stores += 1
        self.storage.add_store(f"user{Machine.stores}")
        self.pair = Pair(self.storage)
        self.devices = [Device(scope, level) for scope in SCOPES for level in Level]

    def _is_free(self, url: Url) -> bool:
        return self.pair.model.is_collection(url[:-1]) and url not in self.pair.model.entries

    def _pick(self, number: int) -> Url:
        entries = sorted(self.pair.model.entries)
        return entries[number % len(entries)]

    def _is_any(self) -> bool:
        return bool(self.pair.model.entries)

    @rule(url=urls)
    def put(self, url: Url) -> None:
        if self.pair.model.is_collection(url[:-1]) and not self.pair.model.is_collection(url):
            self.pair.put(url)

    @rule(url=urls)
    def mkcol(self, url: Url) -> None:
        if self._is_free(url):
            self.pair.mkcol(url)

    @precondition(_is_any)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        self.pair.delete(self._pick(number))

    @precondition(_is_any)
    @rule(number=numbers, destination=urls)
    def move(self, number: int, destination: Url) -> None:
        source = self._pick(number)
        if apart(source, destination) and self.pair.model.is_collection(destination[:-1]):
            self.pair.move(source, destination)

    @precondition(_is_any)
    @rule(number=numbers, destination=urls)
    def copy(self, number: int, destination: Url) -> None:
        source = self._pick(number)
        if apart(source, destination) and self.pair.model.is_collection(destination[:-1]):
            self.pair.copy(source, destination)

    @precondition(_is_any)
    @rule(number=numbers)
    def proppatch(self, number: int) -> None:
        self.pair.proppatch(self._pick(number))

    @precondition(_is_any)
    @rule(number=numbers)
    def mark(self, number: int) -> None:
        url = self._pick(number)
        if not self.pair.model.is_collection(url):
            self.pair.mark(url)

    @precondition(_is_any)
    @rule(several=st.sets(numbers, min_size=1, max_size=4), is_end=st.booleans())
    def change_several(self, several: set[int], is_end: bool) -> None:
        urls = sorted({self._pick(number) for number in several})
        if is_end:
            self.pair.delete_several(urls)
        else:
            self.pair.mark_several([url for url in urls if not self.pair.model.is_collection(url)])

    @rule(number=numbers, view=st.sampled_from(list(VIEWS)))
    def change_view(self, number: int, view: str) -> None:
        device = self.devices[number % len(self.devices)]
        if view in views_of(device.scope):
            device.view = view

    @rule(number=numbers, limit=st.sampled_from(LIMITS), pages=st.integers(min_value=1, max_value=3))
    def synchronise(self, number: int, limit: int | None, pages: int) -> None:
        device = self.devices[number % len(self.devices)]
        for _ in range(pages):
            if device.page(self.storage, self.pair.model, limit):
                return

    def teardown(self) -> None:
        for device in self.devices:
            while not device.page(self.storage, self.pair.model, 2):
                pass


def test_state_machine(storage: Storage) -> None:
    machine = type("StoredMachine", (Machine,), {"storage": storage})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
