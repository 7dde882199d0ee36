"""Views of threads under random work: what a device holds is what its view says of the threads that are there.

The oracle is a listing of everything in both areas, and each view in words of this test.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from davstore.model.changes import Level, SyncToken
from davstore.model.facets import MESSAGE
from davstore.model.nodes import Resource
from davstore.model.paths import Area, Path
from davstore.model.rules import THREADS, Reach
from davstore.model.states import Flag, StateChange
from davstore.model.views import EVERYTHING, View
from davstore.model.where import Compare, Comparison, Fact, IsDefined, Not, Or, Source
from davstore.store import reading, syncing
from tests.contract.storage import Storage

Names = tuple[str, ...]
STEPS = 110
_KIND, _CONVERSATION = Fact(Source.KIND, "kind"), Fact(Source.MESSAGE, "conversation_id")
_UNREAD = Not(IsDefined(Fact(Source.FLAG, str(int(Flag.SEEN)))))


class Letter(NamedTuple):
    """A message of a thread: its thread and its folder by name, its conversation, and whether it was seen."""

    thread: str
    folder: str
    conversation: str | None
    is_seen: bool


class Words(NamedTuple):
    """A view, and what it shows of letters and of threads, which are known by name and conversation."""

    view: View
    letters: Callable[[Letter], bool] = lambda _: True
    threads: Callable[[str, str | None], bool] = lambda _name, _conversation: True


def _eq(fact: Fact, value: str) -> Compare:
    return Compare(Comparison.EQ, fact, value)


WHERES: dict[str, Words] = {
    "everything": Words(EVERYTHING),
    "unread": Words(View(_UNREAD), lambda one: not one.is_seen),
    "threads": Words(View(Or((_eq(_KIND, "thread"),))), lambda _: False),
    "messages": Words(View(_eq(_KIND, "message")), threads=lambda _name, _conversation: False),
    "x": Words(
        View(_eq(_CONVERSATION, "x")),
        lambda one: one.conversation == "x",
        lambda _, conversation: conversation == "x",
    ),
    "not x": Words(
        View(Not(_eq(_CONVERSATION, "x"))),
        lambda one: one.conversation not in (None, "x"),
        lambda _, conversation: conversation not in (None, "x"),
    ),
}


def scopes(thread: str) -> dict[str, Words]:
    """Return views of folders, and of one thread."""
    return {
        "without a": Words(View(exclude=(("a",),)), lambda one: one.folder != "a"),
        "in b": Words(View(include=((Reach(("b",)),),)), lambda one: one.folder == "b"),
        "without it": Words(
            View(exclude=((THREADS, thread),)), lambda one: one.thread != thread, lambda name, _: name != thread
        ),
        "only it": Words(
            View(include=((Reach((THREADS, thread)),),)),
            lambda one: one.thread == thread,
            lambda name, _: name == thread,
        ),
        "unread of it in b": Words(
            View(_UNREAD, include=((Reach(("b",)), Reach((THREADS, thread))),)),
            lambda one: one.thread == thread and one.folder == "b" and not one.is_seen,
            lambda name, _: name == thread,
        ),
    }


@dataclass
class There:
    """What is there: letters by their names in the area of threads, and the conversation of each thread."""

    letters: dict[Names, Letter] = field(default_factory=dict)
    threads: dict[str, str | None] = field(default_factory=dict)

    def shown(self, words: Words) -> tuple[set[Names], set[Names]]:
        """Return the letters and the threads that a view shows."""
        letters = {names for names, letter in self.letters.items() if words.letters(letter)}
        return letters, {(name,) for name, one in self.threads.items() if words.threads(name, one)}


@dataclass
class Device:
    """A device of the threads' root: its token, its view, and what it holds."""

    level: Level
    words: Words
    token: SyncToken | None = None
    held: set[Names] = field(default_factory=set)
    goes_on: bool = False

    def page(self, storage: Storage, there: There, limit: int | None) -> None:
        """Take one page, and compare what it tells with what is there, and at the end all that is held."""
        root = Path(storage.owner, (), Area.THREADS)
        changes = syncing.changes_since(
            storage.context, root, self.token, level=self.level, limit=limit, view=self.words.view
        )
        letters, threads = there.shown(self.words)
        parents = {names[:1] for names in letters}
        for row in changes.rows:
            if isinstance(row, Resource):
                assert row.names in letters | threads
                self.held.add(row.names)
                continue
            is_there = row.names in there.letters or row.name in there.threads
            assert row.out_of_view == is_there
            assert row.names not in letters | threads | parents
            self.held = {one for one in self.held if one[: len(row.names)] != row.names}
        self.token, self.goes_on = changes.token, changes.truncated
        if not changes.truncated:
            infinite = self.level is Level.INFINITE
            assert {one for one in self.held if len(one) > 1} == (letters if infinite else set())
            more = {one for one in self.held if len(one) == 1} - threads
            assert threads <= self.held
            assert all(name in there.threads for (name,) in more)  # empty, or holding what is shown


class Walk:
    """Random work on the messages of a store, and devices that keep up with its threads."""

    def __init__(self, storage: Storage, seed: int) -> None:
        self.storage, self.random = storage, random.Random(seed)
        self.folders = ["a", "b"]
        self.places: dict[int, str] = {}
        self.numbers = 0
        self.devices = [Device(level, Words(EVERYTHING)) for level in (*Level, Level.INFINITE, Level.INFINITE)]
        for folder in self.folders:
            storage.mkcol(folder)

    def run(self, steps: int) -> None:
        """Take steps, and let every device come to an end."""
        for _ in range(steps):
            kinds = (self._put, self._mark, self._move, self._delete, self._move_folder, self._change_view)
            self.random.choices(kinds, (6, 4, 4, 2, 1, 2))[0]()
            if self.random.random() < 0.4:
                self.random.choice(self.devices).page(self.storage, self._look(), self.random.choice((None, 1, 3)))
        for device in self.devices:
            self._finish(device)

    def _finish(self, device: Device) -> None:
        device.page(self.storage, self._look(), None)
        assert not device.goes_on

    def _put(self) -> None:
        """Make a message, or let one be of another conversation."""
        is_new = not self.places or self.random.random() < 0.7
        self.numbers += is_new
        number = self.numbers if is_new else self.random.choice([*self.places])
        place = self.places.setdefault(number, f"{self.random.choice(self.folders)}/{number}")
        conversation = self.random.choice(("", "Conversation-ID: x\r\n", "Conversation-ID: y\r\n"))
        body = f"From: a@x\r\nMessage-ID: <{number}@x>\r\n{conversation}\r\n{self.random.random()}"
        self.storage.put(place, body.encode())

    def _some(self) -> int | None:
        return self.random.choice([*self.places]) if self.places else None

    def _mark(self) -> None:
        number = self._some()
        if number is not None:
            change = self.random.choice((StateChange(set=Flag.SEEN), StateChange(clear=Flag.SEEN)))
            self.storage.mark(self.places[number], change)

    def _move(self) -> None:
        number = self._some()
        if number is not None:
            source = self.places[number]
            self.places[number] = f"{self.random.choice(self.folders)}/{number}"
            if self.places[number] != source:
                self.storage.move(source, self.places[number])

    def _delete(self) -> None:
        number = self._some()
        if number is not None:
            self.storage.delete(self.places.pop(number))

    def _move_folder(self) -> None:
        """Give two folders each other's name. A device that is in the middle of a run would be told only afterwards."""
        for device in self.devices:
            if device.goes_on:
                self._finish(device)
        for source, target in (("a", "c"), ("b", "a"), ("c", "b")):
            self.storage.move(source, target)
        swapped = {"a": "b", "b": "a"}
        self.places = {number: f"{swapped[place[0]]}{place[1:]}" for number, place in self.places.items()}

    def _change_view(self) -> None:
        threads = sorted(self._look().threads)
        some = {**WHERES, **(scopes(self.random.choice(threads)) if threads else {})}
        self.random.choice(self.devices).words = some[self.random.choice(sorted(some))]

    def _look(self) -> There:
        """Return what is there, from a listing of all folders and one of all threads."""
        homes = {one.resource_id: one.names[0] for one in self.storage.members(depth=None)}
        root = Path(self.storage.owner, (), Area.THREADS)
        found, conversations = There(), self._conversations()
        for listing in reading.describe(self.storage.context, root, depth=None):
            for one in listing.members:
                if one.is_collection:
                    found.threads.setdefault(one.name, None)
                else:
                    thread, conversation = one.parent[0], conversations[one.node_id]
                    is_seen = bool(one.flags & Flag.SEEN)
                    found.letters[one.names] = Letter(thread, homes[one.resource_id], conversation, is_seen)
                    found.threads[thread] = conversation
        return found

    def _conversations(self) -> dict[int, str | None]:
        listing = self.storage.listing(depth=None, facets={MESSAGE})
        return {node_id: message.conversation_id for node_id, message in listing.facets.of(MESSAGE).items()}


@pytest.mark.parametrize("seed", [3])
def test_a_device_holds_what_its_view_shows_of_threads(storage: Storage, seed: int) -> None:
    Walk(storage, seed).run(STEPS)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 108))
def test_a_device_holds_it_after_much_work(storage: Storage, seed: int) -> None:
    Walk(storage, seed).run(10 * STEPS)
