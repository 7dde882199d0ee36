"""Flags and keywords, kept alike by both databases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davstore.errors import LimitNotSupported
from davstore.metadata import states
from davstore.model.changes import Level
from davstore.model.facets import KEYWORDS
from davstore.model.nodes import Resource
from davstore.model.states import Flag, StateChange
from davstore.store import syncing
from tests.contract.storage import Storage

ALL = sum(Flag)
WORDS = ("a", "A", "ä", "z", "Z", "😀")


flags = st.integers(0, ALL)
words = st.frozensets(st.sampled_from(WORDS))
changes = st.builds(
    lambda on, off, added, dropped: StateChange(on, off & ~on, added, dropped - added), flags, flags, words, words
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(changes, max_size=4))
def test_each_change_sets_and_clears_what_it_names(storage: Storage, done: list[StateChange]) -> None:
    storage.put("a")
    storage.mark("a", StateChange(clear=ALL, dropped=frozenset(WORDS)))
    has_flags, has_words = 0, frozenset[str]()
    for change in done:
        before = storage.find("a")
        has_flags = has_flags & ~change.clear | change.set
        new_words = has_words - change.dropped | change.added
        returned = storage.mark("a", change)
        is_new = (has_flags, new_words) != (before.flags, has_words)
        has_words = new_words
        after = storage.find("a")
        assert after == returned
        assert after.flags == has_flags
        assert storage.keywords("a") == sorted(has_words, key=str.encode)
        assert (after.modseq > before.modseq) == is_new
        assert (after.changed, after.etag, after.modified_us) == (
            after.modseq if is_new else before.changed,
            before.etag,
            before.modified_us,
        )


def test_states_stay_with_the_resource(storage: Storage) -> None:
    storage.put("b")
    storage.mark("b", StateChange(int(Flag.SEEN), added=frozenset(WORDS)))
    storage.copy("b", "b2")
    assert (storage.find("b2").flags, storage.keywords("b2")) == (0, [])
    storage.put("b", b"other")
    storage.move("b", "d")
    assert (storage.find("d").flags, len(storage.keywords("d"))) == (Flag.SEEN, len(WORDS))


def test_keywords_of_many_resources_have_an_end(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.mkcol("c")
    for name in ("c/a", "c/b"):
        storage.put(name)
        storage.mark(name, StateChange(added=frozenset({"12345"})))
    assert len(storage.listing("c", depth=1, facets={KEYWORDS}).facets.of(KEYWORDS)) == 2
    monkeypatch.setattr(states, "LISTED_CHARACTERS", 9)
    with pytest.raises(LimitNotSupported):
        storage.listing("c", depth=1, facets={KEYWORDS})
    assert storage.keywords("c/a") == ["12345"]
    told: list[str] = []
    token, goes_on = None, True
    while goes_on:  # a device asks for no limit: pages are shorter instead
        changes = syncing.changes_since(
            storage.context, storage.at("c"), token, level=Level.INFINITE, limit=None, facets={KEYWORDS}
        )
        told += [row.name for row in changes.rows if isinstance(row, Resource)]
        token, goes_on = changes.token, changes.truncated
    assert told == ["a", "b"]
