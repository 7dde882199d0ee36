"""What a worker keeps of the messages that it has listed is bounded, whatever is asked of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from davstore.dav.message_texts import from_messages
from davstore.model.columns import MISSING, Columns
from davstore.model.nodes import StoreFacts
from davstore.protocol.dav.names import CPM, clark

STORE = StoreFacts(1, "me", 1, 0, 0, 0, None, 1, 0, 0, 0)
MIB = 1 << 20


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_messages_without_what_is_asked_for_take_no_room_for_ever() -> None:
    wanted = from_messages((clark(CPM, "filename"), clark(CPM, "flagged")))
    assert wanted is not None
    key, messages = wanted

    def load(bodies: Collection[int]) -> Iterator[tuple[Any, ...]]:
        return ((body, None) for body in bodies)

    for first in range(1, 40_000, 1_000):
        facts = {key: [f"{body}.{body % 2}" for body in range(first, first + 1_000)]}
        page = messages.add(STORE, Columns((), {}, "", [], facts), load)
        assert set(page.facts[MISSING]) == {"<C:filename/><C:flagged/>"}
    taken, _ = tracemalloc.get_traced_memory()
    assert taken < 4 * MIB
