"""Wishes of several devices meet: each state ends as the devices that changed it want it, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from davstore.client.marking import settle
from davstore.client.state import State
from davstore.client.states import NO_STATES, States, apply, mark
from davstore.client.tree import Remote
from davstore.model.states import Flag, StateChange

FILE = "a.eml"
WORDS = ["a", "b"]
MARKS = st.lists(st.tuples(st.sampled_from([*Flag, *WORDS]), st.booleans()), max_size=6)
"""What a person sets (True) or clears between two runs."""
ROUNDS = st.lists(st.tuples(MARKS, MARKS, MARKS, st.permutations(range(3))), min_size=1, max_size=4)


class Device:
    """The memory of a device that is asked for one file."""

    def __init__(self) -> None:
        self.state = State(None)

    def mark(self, what: Flag | str, *, is_set: bool) -> None:
        """Do as `davstore mail mark`."""
        if isinstance(what, Flag):
            change = StateChange(set=what) if is_set else StateChange(clear=what)
        else:
            words = frozenset({what})
            change = StateChange(added=words) if is_set else StateChange(dropped=words)
        wishes = self.state.wishes
        wishes.put(FILE, mark(wishes.find(FILE), change, self.known))

    @property
    def known(self) -> States:
        entry = self.state.remote.get(FILE)
        return NO_STATES if entry is None else entry.states

    def sync(self, server: States) -> States:
        """Do as a run, and return what the server has then."""
        settle(self.state)
        self.state.put_remote(FILE, Remote(folder=False, etag='"1"', states=server))
        settle(self.state)
        server = apply(server, self.state.wishes.find(FILE))
        self.state.put_remote(FILE, Remote(folder=False, etag='"1"', states=server))
        self.state.wishes.settle(FILE, server)
        assert not self.state.wishes.rows
        return server


def is_in(states: States, what: Flag | str) -> bool:
    return what in states.keywords if isinstance(what, str) else bool(states.flags & what)


@given(ROUNDS)
def test_what_any_device_changed_is_changed_for_all(
    rounds: list[
        tuple[list[tuple[Flag | str, bool]], list[tuple[Flag | str, bool]], list[tuple[Flag | str, bool]], list[int]]
    ],
) -> None:
    server, devices = NO_STATES, [Device() for _ in range(3)]
    for device in devices:
        device.sync(server)
    for *marks, order in rounds:
        before = server
        for device, marked in zip(devices, marks, strict=True):
            for what, is_set in marked:
                device.mark(what, is_set=is_set)
        for number in order:
            server = devices[number].sync(server)
        last = [dict(marked) for marked in marks]  # the last word of each person on each state
        for what in [*Flag, *WORDS]:
            changed = any(words.get(what, is_in(before, what)) != is_in(before, what) for words in last)
            assert is_in(server, what) == (is_in(before, what) ^ changed), what
        for device in devices:
            device.sync(server)
            assert device.known == server
