"""The sync log under random operations as one is told of it who does not own the store (docs/sync.md#rights)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from davstore.engine import viewing
from davstore.model.acl import Privilege
from davstore.model.changes import Level
from davstore.sync import arrivals, visibility
from tests.contract.guests_model import Entry, GuestDevice, SharedPair
from tests.contract.storage import Storage
from tests.contract.sync_model import Disagreement, Model, Url
from tests.contract.test_sync_log import LIMITS, SCOPES, Walk

STEPS = 500
SEED = 3744
DENIED = (Privilege.ACCESS, Privilege.LIST, Privilege.READ)


class GuestWalk(Walk):
    """A random walk with grants, denials, expiries and edits of a list between the pages of a guest's devices."""

    def __init__(self, storage: Storage, seed: int) -> None:
        super().__init__(storage, seed)
        self.shared = SharedPair(storage)
        self.pair, self.model = self.shared, self.shared.model
        for scope in SCOPES:
            self.shared.scoped[scope], self.shared.really[scope] = Model(), {}
        self.guests = [GuestDevice(scope, level) for scope in SCOPES for level in Level]
        self.devices = [*self.guests]
        self.shared.control((), [Entry(False, False, Privilege.READ)])  # noqa: FBT003

    def run(self, steps: int) -> Counter[str]:
        """Take steps and return how many there were of each kind."""
        while self.seen["steps"] < steps:
            chance = self.random.random()
            if chance < 0.45:
                self._operate()
            elif chance < 0.65:
                self.seen["steps"] += 1
                self._change_rights()
            else:
                self._ask(self.random.choice(self.guests), pages=self.random.randint(1, 3))
        for device in self.guests:
            self._ask(device, pages=10_000)
        return self.seen

    def _change_rights(self) -> None:
        if self.random.random() < 0.2:
            self.seen["members"] += 1
            self.shared.join(is_member=not self.shared.is_member)
            return
        if self.random.random() < 0.15:
            url: Url = self.random.choice(((), ("a",), ("b",), ("a", "b")))
        else:
            url = self.random.choice([(), *self.model.entries])
        if url not in self.shared.nodes:
            return
        self.seen["entries"] += 1
        self.shared.control(url, list(self._entries(url)))

    def _entries(self, url: Url) -> Iterator[Entry]:
        """Yield entries, those that deny first; mostly all is granted at the root."""
        by_list = self.random.random() < 0.3
        ends = self.random.choice((None, None, self.shared.storage.now_us + self.random.randint(3, 40) * 1_000_000))
        if url and self.random.random() < 0.6:
            yield Entry(by_list, True, int(self.random.choice(DENIED)), ends)  # noqa: FBT003
        if (not url and self.random.random() < 0.9) or self.random.random() < 0.2:
            yield Entry(by_list, False, int(Privilege.READ), ends)  # noqa: FBT003

    def _ask(self, device: GuestDevice, *, pages: int) -> None:
        for _ in range(pages):
            self.seen["steps"] += 1
            if device.ask(self.shared, self.random.choice(LIMITS)):
                self.seen["runs completed"] += 1
                return


def walk(storage: Storage, *, seed: int, steps: int) -> Counter[str]:
    """Walk from a seed, and name it when the store fails."""
    taken = GuestWalk(storage, seed)
    try:
        return taken.run(steps)
    except Exception as error:
        error.add_note(f"seed {seed}, step {taken.seen['steps']}")
        raise


def test_a_guest_has_what_it_may_list_and_hears_of_nothing_else(storage: Storage) -> None:
    seen = walk(storage, seed=SEED, steps=STEPS)
    assert min(seen["entries"], seen["members"], seen["runs completed"]) >= 10


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
def test_a_guest_has_what_it_may_list_for_long(storage: Storage, seed: int) -> None:
    walk(storage, seed=seed, steps=10_000)


def _uncut(_see: object, _node_id: int, time: object, _hides: object) -> list[object]:
    return [time]


def _none(*_words: object) -> dict[int, int]:
    return {}


def _not_judged(see: visibility.Visibility, *_words: object) -> object:
    return see.rows


def _as_the_owner(_asked: object, runs: Iterator[object]) -> Iterator[object]:
    return runs


PLANTED: dict[str, tuple[ModuleType | type, str, Callable[..., object]]] = {
    "a name is told that was never shown": (visibility.Visibility, "cut", _uncut),
    "a revocation leaves the members": (visibility.Visibility, "list_hidden", _none),
    "a grant comes without its tree": (arrivals, "_opened_below", lambda *_: iter(())),
    "a grant comes without its top": (arrivals, "shown", lambda *_: iter(())),
    "rights are judged once": (viewing, "_judged", _not_judged),
    "what is hidden is told when it changes": (arrivals, "_in_sight", _as_the_owner),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_caught(sqlite_storage: Storage, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    monkeypatch.setattr(*PLANTED[bug])
    with pytest.raises(Disagreement):
        walk(sqlite_storage, seed=SEED, steps=3 * STEPS)
