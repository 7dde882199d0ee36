"""Last-Modified as a validator: a second in which a URL may have shown two things never holds (RFC 9110 §8.8.2.2)."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pytest

from davstore.engine.property_changes import LiveValues
from davstore.errors import PreconditionFailed
from davstore.model.conditions import Preconditions
from davstore.model.nodes import AGAIN, BY_CLIENT
from davstore.store import moving, patching, putting
from davstore.store.putting import NewContent
from tests.contract.storage import Storage

SECOND = 1_700_000_100
SECOND_US = 1_000_000
Step = Callable[[Storage], object]


def put(path: str, content: bytes = b"1", *, modified: int | None = None) -> Step:
    def step(storage: Storage) -> None:
        modified_us = None if modified is None else modified * SECOND_US
        new = NewContent(io.BytesIO(content), len(content), None, modified_us=modified_us)
        putting.put(storage.context, storage.at(path), new)

    return step


def delete(path: str) -> Step:
    return lambda storage: storage.delete(path)


def move(source: str, target: str) -> Step:
    return lambda storage: storage.move(source, target)


def copy(source: str, target: str, *, modified: int | None = None) -> Step:
    modified_us = None if modified is None else modified * SECOND_US
    return lambda storage: moving.copy(
        storage.context, storage.at(source), storage.at(target), overwrite=True, modified_us=modified_us
    )


def mkcol(path: str) -> Step:
    return lambda storage: storage.mkcol(path)


def set_time(path: str, modified: int) -> Step:
    live = LiveValues(modified * SECOND_US)
    return lambda storage: patching.patch_properties(storage.context, storage.at(path), [], live=live)


def property_of(path: str) -> Step:
    return lambda storage: storage.proppatch(path, ("{urn:x}p", b"<p xmlns='urn:x'/>"))


def play(storage: Storage, steps: Sequence[Step | int]) -> None:
    """Do all in one second, each a little later than the one before; a number goes on so many seconds."""
    now_us = SECOND * SECOND_US
    for step in steps:
        if isinstance(step, int):
            now_us += step * SECOND_US
        else:
            now_us += 1_000
            storage.now_us = now_us - SECOND_US  # the next context is a second later
            step(storage)
    storage.now_us = now_us + 60 * SECOND_US


def holds(storage: Storage, path: str, since: int) -> bool:
    """Tell whether a PUT on condition of If-Unmodified-Since is let in."""
    try:
        storage.put(path, b"on condition", Preconditions(if_unmodified_since=since))
    except PreconditionFailed:
        return False
    return True


AMBIGUOUS: dict[str, list[Step | int]] = {
    "written twice": [put("a"), put("a", b"2")],
    "written twice, the first time before": [put("a"), 5, put("a", b"2"), put("a", b"3")],
    "deleted and made again": [put("a"), delete("a"), put("a", b"2")],
    "moved away and made again": [put("a"), move("a", "b"), put("a", b"2")],
    "moved over": [put("b"), put("a"), move("b", "a")],
    "moved over later": [put("b"), put("a"), 5, move("b", "a")],
    "moved to where something was": [put("b"), put("a"), 5, delete("a"), 5, move("b", "a")],
    "copied over": [put("b"), put("a"), copy("b", "a")],
    "copied to where something was": [put("b"), put("a"), delete("a"), copy("b", "a")],
    "beneath a collection made again": [mkcol("a"), put("a/x"), delete("a"), mkcol("a"), put("a/x", b"2")],
    "beneath a collection moved over": [mkcol("a"), put("a/x"), mkcol("b"), put("b/x", b"2"), move("b", "a")],
    "beneath one moved over later": [mkcol("a"), put("a/x"), mkcol("b"), put("b/x", b"2"), 5, move("b", "a")],
    "beneath one moved, and touched": [
        *(mkcol("a"), put("a/x"), mkcol("b"), put("b/x", b"2"), 5, move("b", "a")),
        property_of("a/x"),
    ],
    "beneath a collection copied over": [mkcol("a"), put("a/x"), mkcol("b"), put("b/x", b"2"), copy("b", "a")],
    "given the time of before": [put("a", modified=SECOND), put("a", b"2", modified=SECOND)],
    "given the time of what was moved away": [
        *(put("a", modified=SECOND), 5, move("a", "b"), 5),
        put("a", b"2", modified=SECOND),
    ],
    "given the time of before by PROPPATCH": [put("a"), 5, put("a", b"2"), set_time("a", SECOND + 5)],
    "copied with the time of before": [put("b"), put("a", modified=SECOND), copy("b", "a", modified=SECOND)],
}


@pytest.mark.parametrize("steps", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_second_never_holds(storage: Storage, steps: list[Step | int]) -> None:
    play(storage, steps)
    path = "a/x" if any("a/x" in one for one in storage.tree()) else "a"
    found = storage.find(path)
    assert found.modified_by & AGAIN
    second = found.modified_us // SECOND_US
    assert not holds(storage, path, second)
    assert holds(storage, path, second + 1) is not bool(found.modified_by & BY_CLIENT)


SURE: dict[str, list[Step | int]] = {
    "written once": [put("b"), put("a")],
    "written again later": [put("a"), 1, put("a", b"2")],
    "written while others go": [put("a"), put("b"), 5, delete("b"), put("a", b"2")],
    "deleted and made again later": [put("a"), delete("a"), 1, put("a", b"2")],
    "copied": [put("b"), 1, copy("b", "a")],
    "copied over later": [put("b"), put("a"), 1, copy("b", "a")],
    "touched": [put("a"), 1, property_of("a")],
    "after it was ambiguous": [put("a"), put("a"), 1, put("a", b"3")],
    "beneath a new collection": [mkcol("a"), put("a/x")],
}


@pytest.mark.parametrize("steps", SURE.values(), ids=SURE)
def test_a_second_of_its_own_holds(storage: Storage, steps: list[Step | int]) -> None:
    play(storage, steps)
    path = "a/x" if "a/x" in storage.tree() else "a"
    found = storage.find(path)
    assert found.modified_by == 0
    second = found.modified_us // SECOND_US
    assert not holds(storage, path, second - 1)
    assert holds(storage, path, second)


CLIENTS: dict[str, list[Step | int]] = {
    "put": [put("a", modified=SECOND - 500)],
    "replaced": [put("a"), put("a", b"2", modified=SECOND - 500)],
    "PROPPATCH": [put("a"), set_time("a", SECOND - 500)],
    "moved": [put("b"), 5, move("b", "a")],
    "moved over what is older": [put("a"), 1, put("b"), 5, move("b", "a")],
    "copied": [put("b"), copy("b", "a", modified=SECOND - 500)],
}


@pytest.mark.parametrize("steps", CLIENTS.values(), ids=CLIENTS)
def test_a_time_that_a_client_set_holds_when_it_is_the_same(storage: Storage, steps: list[Step | int]) -> None:
    play(storage, steps)
    found = storage.find("a")
    assert found.modified_by == BY_CLIENT
    second = found.modified_us // SECOND_US
    assert not holds(storage, "a", second + 1)
    assert holds(storage, "a", second)
    assert storage.find("a").modified_by == 0  # which the server wrote now
    assert {one.modified_by for one in storage.members() if one.name == "a"} == {0}


def test_twenty_writers_on_one_date_lose_nothing(storage: Storage) -> None:
    play(storage, [put("a", b"0")])
    since = storage.find("a").modified_us // SECOND_US
    let_in = []
    for number in range(20):
        storage.now_us = (SECOND + 100) * SECOND_US + number - SECOND_US
        let_in.append(holds(storage, "a", since))
    assert let_in == [True, *[False] * 19]
