"""Names for people: from whatever a store says of conversations comes a name that every file system holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davstore.client.local_names import Spelling, Traits
from davstore.client.state import State
from davstore.client.titles import Title
from davstore.client.tree import REMOTE_FOLDER
from davstore.model.threads import Participant, find_participants

AT = "2026-11-30T10:05:00Z"
STRICT = Traits(folds_case=True, folds_form=True, drops_tail=True, refuses_awkward=True)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def state() -> Iterator[State]:
    state = State(None)
    yield state
    state.close()


def message(sender: str, subject: str = "", *, at: str = AT, is_sent: bool = False) -> Title:
    return Title(at, tuple(find_participants([sender])), subject, is_sent)


def name(state: State, participants: str, *messages: Title) -> str:
    """Return the name of a conversation with these messages."""
    state.put_remote("t", REMOTE_FOLDER)
    state.titles.put("t", Title("", tuple(find_participants([participants])), "", is_sent=False))
    for number, title in enumerate(messages):
        state.put_remote(f"t/{number}.eml", REMOTE_FOLDER)
        state.titles.put(f"t/{number}.eml", title)
    spelling = Spelling(state, STRICT)
    spelling.assign("t")
    return spelling.local_name("t")


ALL = "me@e.net, Ann <sip:ann@e.net;user=phone>, <tel:+493012345>"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((message("Ann <sip:ann@e.net;user=phone>", "Tea"),), "2026-11-30 Ann - Tea"),
        ((message("Me <ME@e.net>", is_sent=True),), "2026-11-30 Ann, tel+493012345"),
        (
            (message("a@e.net", "late"), message("b@e.net", "first", at="2026-11-01T00:00:00Z")),
            "2026-11-01 b@e.net, a@e.net - first",
        ),
        ((message(", ".join(f"{one}@e.net" for one in "abcde")),), "2026-11-30 a@e.net, b@e.net, c@e.net, 2 more"),
        ((message("x", "\u202e../..\u0000\n. ", at="no date"),), "x - -"),
        ((message("a@e.net", '"?"'),), "2026-11-30 a@e.net"),
        ((message("", "...", at="0001-01-01T00:00:00Z"),), None),
    ],
)
def test_a_conversation_is_named_for_its_begin_the_others_and_its_subject(
    state: State, messages: tuple[Title, ...], expected: str | None
) -> None:
    found = name(state, ALL, *messages)
    if expected is None:
        assert STRICT.can_hold(found)
    else:
        assert found == expected


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12))
@settings(max_examples=30)
def test_every_message_gets_a_name_of_its_own_that_every_file_system_holds(facts: list[tuple[str, str]]) -> None:
    state = State(None)
    try:
        paths = [f"t/{number}.eml" for number in range(len(facts))]
        for path, (sender, subject) in zip(paths, facts, strict=True):
            state.titles.put(path, Title(AT, (Participant(sender, ""),), subject, is_sent=False))
        spelling = Spelling(state, STRICT)
        for path in paths:
            spelling.assign(path)
        names = [spelling.local_name(path) for path in paths]
    finally:
        state.close()
    assert len({STRICT.fold(one) for one in names}) == len(names)
    for one in names:
        assert STRICT.can_hold(one)
        assert len(one.encode()) <= 120
        assert one.startswith("2026-11-30 10.05")
        assert one.endswith(".eml")
        assert not any(unicodedata.category(mark) in ("Cc", "Cf") for mark in one)


def test_a_name_is_made_once(state: State) -> None:
    first = name(state, ALL, message("a@e.net", "one"))
    assert name(state, "b@e.net", message("b@e.net", "other", at="2026-01-01T00:00:00Z")) == first
