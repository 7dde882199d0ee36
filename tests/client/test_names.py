"""Names that a device makes up: of conflict copies, and where the file system cannot hold what the server has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.client.conflicts import conflict_path
from davstore.client.local_names import Spelling, Traits, substitute
from davstore.client.state import State

AT = datetime(2026, 11, 24, 7, 8, 9, tzinfo=UTC)
NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)
STRICT = Traits(folds_case=True, folds_form=True, drops_tail=True, refuses_awkward=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", "a (conflict me 2026-11-24 07-08-09).txt"),
        ("d/a.tar.gz", "d/a.tar (conflict me 2026-11-24 07-08-09).gz"),
        (".profile", ".profile (conflict me 2026-11-24 07-08-09)"),
        ("plain", "plain (conflict me 2026-11-24 07-08-09)"),
        ("a (conflict you 2025-01-01 00-00-00).txt", "a (conflict me 2026-11-24 07-08-09).txt"),
    ],
)
def test_the_name_of_a_conflict_copy(path: str, expected: str) -> None:
    assert conflict_path(path, "me", AT, lambda _: False) == expected


def test_a_conflict_copy_takes_a_free_name() -> None:
    taken = {"a (conflict me 2026-11-24 07-08-09).txt", "a (conflict me 2026-11-24 07-08-09 2).txt"}
    assert conflict_path("a.txt", "me", AT, taken.__contains__) == "a (conflict me 2026-11-24 07-08-09 3).txt"


@given(NAME, st.text(max_size=100))
def test_a_conflict_copy_always_has_a_name(name: str, device: str) -> None:
    made = conflict_path(name, device.encode(errors="ignore").decode(), AT, lambda _: False)
    assert "/" not in made
    assert len(made.encode()) <= 255
    assert made != name


@given(NAME)
def test_a_substitute_can_be_held_anywhere(name: str) -> None:
    assert STRICT.can_hold(substitute(name))
    assert substitute(name) == substitute(name)


@given(st.lists(NAME, min_size=1, max_size=8, unique=True))
def test_every_remote_name_gets_a_local_name_of_its_own_and_is_found_by_it(names: list[str]) -> None:
    state = State(None)
    spelling = Spelling(state, STRICT)
    for name in names:
        spelling.assign(name)
    local = {name: spelling.local_name(name) for name in names}
    assert len({STRICT.fold(word) for word in local.values()}) == len(names)
    assert all(STRICT.can_hold(word) for word in local.values())
    found = Spelling(state, STRICT)
    assert {name: found.meet("", word) for name, word in local.items() if word != name} == {
        name: name for name, word in local.items() if word != name
    }
    state.close()
